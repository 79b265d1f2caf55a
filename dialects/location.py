"""Source locations: the discardable attribute `loc`, a string that names the model's node.

Every op the compiler makes carries one; rewriting hands it on; printing and parsing keep it.
"""

from __future__ import annotations

from collections.abc import Iterable

from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.ir import Operation

LOCATION = "loc"
UNKNOWN = "unknown location"
LOCATED_DIALECTS = ("nn", "mesh")
TERMINATOR = "nn.yield"


def get_location(op: Operation) -> str | None:
    """The op's own location text, or None."""
    location = op.attributes.get(LOCATION)
    return location.data if isinstance(location, StringAttr) else None


def set_location(op: Operation, location: str | None) -> None:
    """Give the op a location text; None takes it away."""
    if location is None:
        op.attributes.pop(LOCATION, None)
    else:
        op.attributes[LOCATION] = StringAttr(location)


def copy_location(source: Operation, target: Operation) -> None:
    """`target` stands for what `source` stood for; nothing happens where that has no location."""
    location = source.attributes.get(LOCATION)
    if location is not None:
        target.attributes[LOCATION] = location


def merge_locations(sources: Iterable[Operation], limit: int = 3) -> str | None:
    """One text for an op made of several: their distinct locations; the first ones are named."""
    texts = list(dict.fromkeys(text for text in map(get_location, sources) if text))
    if not texts:
        return None
    more = f" and {len(texts) - limit} more" if len(texts) > limit else ""
    return " + ".join(texts[:limit]) + more


def describe(op: Operation) -> str:
    """Where an op is, for an error: its location or its nearest ancestor's."""
    current: Operation | None = op
    while current is not None:
        location = get_location(current)
        if location is not None:
            return location if current is op else f"inside {location}"
        current = current.parent_op()
    return UNKNOWN


def without_location(module: ModuleOp) -> list[Operation]:
    """The nn and mesh ops of a module that carry no location; terminators of regions need none."""
    return [
        op
        for op in module.walk()
        if op.name.split(".")[0] in LOCATED_DIALECTS
        and op.name != TERMINATOR
        and get_location(op) is None
    ]
