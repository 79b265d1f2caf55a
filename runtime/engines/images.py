"""Host arrays to and from a class's memory, each distinct part of a layout once."""

from __future__ import annotations

import numpy as np

from dojocc.runtime.engines.memory import NOT_FIXED, Memory, Part, frame
from dojocc.runtime.formats import FORMATS, encode
from dojocc.runtime.layout import Layout


def place(
    array: np.ndarray, layout: Layout, memory: Memory, address: int, content: int = NOT_FIXED
) -> None:
    """Put an array (values, or storage codes of the layout's format) where the layout says; zero
    where a buffer holds nothing.
    """
    fmt = FORMATS[layout.fmt]
    codes = array if array.dtype == fmt.dtype else encode(array, layout.fmt)
    first, group = layout.distinct_boxes()
    start, stop = address, address + layout.bytes
    origin, width = frame(start, stop)
    grouping = memory.groupings.get(group)
    row = first if grouping.own else np.arange(len(first))
    buffer = np.zeros((len(first), width), np.uint8)
    rows = buffer[:, start - origin : stop - origin].view(codes.dtype)
    rows = rows.reshape(len(first), *layout.physical)
    for number, (source, inside) in zip(row.tolist(), layout.places(first), strict=True):
        rows[(number, *inside)] = codes[source]
    owned = content == NOT_FIXED
    memory.put(Part(start, stop, origin, buffer, grouping, owned, content))


def fetch(layout: Layout, memory: Memory, address: int) -> np.ndarray:
    """The tensor (values) that lies in memory by `layout`."""
    everyone = np.arange(memory.nodes)
    held = memory.view(everyone, address, address + layout.bytes)
    return layout.read(np.broadcast_to(held, (memory.nodes, layout.bytes)), 0)
