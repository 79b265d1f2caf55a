"""A PyTorch graph as plain data: what an exported program says, without needing PyTorch.

`export.py` makes it from an ExportedProgram, `importer.py` turns it into the nn dialect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Reference:
    """An argument that is a value of the graph; of a node with several results, result `index`."""

    name: str
    index: int | None = None


@dataclass(frozen=True)
class Dtype:
    """An argument that is an element type, by PyTorch's name: `float32`."""

    name: str


@dataclass(frozen=True)
class Meta:
    """What the export knows of a value."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class TorchNode:
    """One call. `arguments`: every argument of the op's schema by name, defaults filled in.

    An argument is a Reference, Dtype, number, text, None or a tuple of these. `module`: the path
    of the module whose forward made the call; `results`: None for a result that is no tensor.
    """

    name: str
    op: str
    overload: str
    arguments: Mapping[str, Any]
    results: tuple[Meta | None, ...]
    module: str = ""
    module_type: str = ""

    @property
    def where(self) -> str:
        """`module 'layers.0.fc' (Linear), node 'linear_1' (aten.linear)`."""
        node = f"node '{self.name}' ({self.op})"
        if not self.module_type:
            return node
        return f"module '{self.module}' ({self.module_type}), {node}"


@dataclass(frozen=True)
class Held:
    """A parameter, buffer or constant of the module: its name there and its numbers."""

    name: str
    array: np.ndarray
    dtype: str


@dataclass(frozen=True)
class TorchGraph:
    """A whole program: values by the name of their placeholder or node.

    `inputs`: (name in the graph, name for the user, what it is); `outputs`: (the value, or a
    number that the program returns as it is, name for the user). `held` is by graph name.
    """

    name: str
    inputs: Sequence[tuple[str, str, Meta]]
    held: Mapping[str, Held]
    nodes: Sequence[TorchNode]
    outputs: Sequence[tuple[Reference | float | None, str]]
    remarks: Sequence[str] = field(default_factory=tuple)

    def meta_of(self, reference: Reference) -> Meta:
        """Type and shape of a value of the graph."""
        held = self.held.get(reference.name)
        if held is not None:
            return Meta(held.dtype, tuple(held.array.shape))
        found = [meta for name, _, meta in self.inputs if name == reference.name]
        for node in self.nodes:
            if node.name == reference.name:
                found += [meta for meta in (node.results[reference.index or 0],) if meta]
        return found[0]
