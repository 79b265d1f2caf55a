"""The assembler's data statements: tensors, images, ports, DRAM content, transfer lists."""

from __future__ import annotations

from math import prod

import numpy as np
from lark import Token, Tree
from safetensors import SafetensorError
from safetensors.numpy import load as load_safetensors

from dojocc.runtime.axes import AXES
from dojocc.runtime.formats import FORMATS
from dojocc.runtime.isa.asm_source import Source, parts
from dojocc.runtime.isa.asm_text import nearest
from dojocc.runtime.layout import DimShard, Layout
from dojocc.runtime.lists import LEVEL_FIELDS, LIST_DTYPE, NO_SEMAPHORE
from dojocc.runtime.mesh.tables import LIST_SET_DTYPE, ROUTE_DTYPE, RouteTable
from dojocc.runtime.program import DramImage, Image, Port

KINDS = ("push", "pull", "dld", "dst")
TENSOR_TYPES = (
    "bool",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    *(f"float{bits}" for bits in (16, 32, 64)),
)
LARGEST_TENSOR = 1 << 40  # bytes
# Fields of a row of a list that stand as `name=number`, and what they are when left out.
FIELDS = {
    **{"peer_cls": 0, "peers": 1, "peer_stride": 1},
    **dict.fromkeys(("src", "dst", "bytes"), 0),
    **{"count0": 1, "src_stride0": 0, "dst_stride0": 0},
    **{"count1": 1, "src_stride1": 0, "dst_stride1": 0},
    **{"far_sem": NO_SEMAPHORE, "home_sem": NO_SEMAPHORE},
    **{name: int(name.startswith("repeat")) for name, _ in LEVEL_FIELDS},
}


class Data:
    """Collects the data statements of one program."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.tensors: dict[str, np.ndarray] = {}
        self.images: list[Image] = []
        self.ports: dict[str, list[Port]] = {"input": [], "output": []}
        self.dram: list[DramImage] = []
        self.entries: list[tuple[dict[str, int], Token, str, str | None]] = []
        self.list: tuple[int, str] | None = None
        self.legs: list[tuple[int, ...]] = []
        self.list_sets: list[tuple[int, ...]] = []
        self.files: dict[str, dict[str, np.ndarray]] = {}

    def add(self, tree: Tree) -> None:
        getattr(self, f"add_{tree.data}")(tree)

    def add_tensor(self, tree: Tree) -> None:
        token, *rest = parts(tree)
        name = self.source.string(token)
        if name in self.tensors:
            raise self.source.error(token, f"tensor {token} is defined twice")
        if isinstance(rest[0], Token) and rest[0].type == "FROM":
            self.tensors[name] = self.from_file(rest[1], rest[2] if len(rest) > 2 else token)
            return
        kind, shape_tree, *values = rest
        if kind not in TENSOR_TYPES:
            help_ = nearest(kind, TENSOR_TYPES) or f"one of {', '.join(TENSOR_TYPES)}"
            raise self.source.error(kind, f"no tensor type is called {kind}", help_)
        shape, dtype = self.shape(shape_tree), np.dtype(str(kind))
        if values and values[0].type == "HEX":
            flat = self.from_hex(values[1], dtype)
        else:
            flat = self.from_numbers(values, dtype)
        if len(flat) != prod(shape):
            raise self.source.error(
                kind, f"tensor {token} has {len(flat)} values", numbers=f"{prod(shape)} needed"
            )
        self.tensors[name] = flat.reshape(shape)

    def from_hex(self, token: Token, dtype: np.dtype) -> np.ndarray:
        try:
            data = bytes.fromhex(self.source.string(token))
            return np.frombuffer(data, dtype).copy()
        except ValueError as error:
            raise self.source.error(token, f"no bytes of {dtype} in hexadecimal: {error}") from None

    def from_numbers(self, values: list[Token], dtype: np.dtype) -> np.ndarray:
        result = np.zeros(len(values), dtype)
        for index, token in enumerate(values):
            if dtype.kind in "iub":
                info = None if dtype.kind == "b" else np.iinfo(dtype)
                low, high = (0, 1) if info is None else (int(info.min), int(info.max))
                result[index] = self.source.integer(token, low, high)
                continue
            try:
                with np.errstate(over="ignore"):
                    result[index] = dtype.type(str(token))
            except ValueError:
                raise self.source.error(token, f"{token} is no number") from None
        return result

    def from_file(self, token: Token, key_token: Token) -> np.ndarray:
        path, key = self.source.string(token), self.source.string(key_token)
        if path not in self.files:
            self.files[path] = self.read_file(token, path)
        if key not in self.files[path]:
            raise self.source.error(
                key_token, f"{path} holds no tensor {key!r}", nearest(key, self.files[path])
            )
        return self.files[path][key]

    def read_file(self, token: Token, path: str) -> dict[str, np.ndarray]:
        beside = self.source.folder / path
        try:
            if path.endswith(".npz"):
                with np.load(beside, allow_pickle=False) as archive:
                    return {key: archive[key] for key in archive.files}
            return load_safetensors(beside.read_bytes())
        except (OSError, ValueError, SafetensorError) as error:
            raise self.source.error(
                token, f"cannot read {path}: {error}", "give a .safetensors or .npz file"
            ) from None

    def shape(self, tree: Tree) -> tuple[int, ...]:
        return tuple(self.source.integer(token, 0, 2**48) for token in parts(tree))

    def layout(self, tree: Tree) -> Layout:
        fmt, grid, *dims = parts(tree)
        outer = dims.pop(0) if dims and isinstance(dims[0], Token) else "1x1"
        if fmt not in FORMATS:
            help_ = nearest(fmt, FORMATS) or f"one of {', '.join(FORMATS)}"
            raise self.source.error(fmt, f"no number format is called {fmt}", help_)
        (rows, cols), (outer_rows, outer_cols) = (map(int, x.split("x")) for x in (grid, outer))
        shape = tuple(self.source.integer(parts(dim)[0], 0, 2**48) for dim in dims)
        try:
            shards = tuple(map(self.dim, dims))
            return Layout(shape, shards, str(fmt), (rows, cols), (outer_rows, outer_cols))
        except ValueError as error:
            raise self.source.error(fmt, f"the layout is wrong: {error}") from None

    def dim(self, tree: Tree) -> DimShard:
        _, axes, *numbers = parts(tree)
        names = [str(token) for token in parts(axes)]
        for token in parts(axes):
            if token not in AXES:
                raise self.source.error(
                    token, f"{token} is no grid axis", f"{', '.join(AXES)} or -"
                )
        step, offset, extent, physical = (
            self.source.integer(token, -(2**61), 2**61) for token in numbers
        )
        try:
            return DimShard(tuple(names), step, offset, extent, physical)
        except ValueError as error:
            raise self.source.error(numbers[0], f"the layout is wrong: {error}") from None

    def add_image(self, tree: Tree) -> None:
        name, cls, address, layout, tensor = parts(tree)
        self.images.append(
            Image(
                self.source.string(name),
                self.source.name(cls),
                self.source.integer(address),
                self.layout(layout),
                self.source.string(tensor),
            )
        )

    def add_port(self, tree: Tree) -> None:
        kind, name, cls, address, layout, dtype, shape, *source = parts(tree)
        port = Port(
            self.source.string(name),
            self.source.name(cls),
            self.source.integer(address),
            self.layout(layout),
            str(dtype),
            self.shape(shape),
            self.source.string(source[-1]) if source else "",
        )
        self.ports[kind[1:]].append(port)

    def add_dram(self, tree: Tree) -> None:
        name, dip, address, tensor = parts(tree)
        self.dram.append(
            DramImage(
                self.source.string(name),
                self.source.integer(dip),
                self.source.integer(address),
                self.source.string(tensor),
            )
        )

    def add_list(self, tree: Tree) -> None:
        number, cls = parts(tree)
        self.list = (self.source.integer(number, 0, 2**16 - 1), self.source.name(cls))

    def add_entry(self, tree: Tree) -> None:
        kind, node, peer_cls, peer, *pairs = parts(tree)
        if self.list is None:
            raise self.source.error(
                kind, "a transfer outside a list", "start one with `.list 0, NAME`"
            )
        row = {"list": self.list[0], "kind": KINDS.index(kind[1:]), **FIELDS}
        row["node"], row["peer"] = self.source.integer(node), self.source.integer(peer)
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if key not in FIELDS:
                help_ = nearest(key, FIELDS) or f"one of {', '.join(FIELDS)}"
                raise self.source.error(key, f"a transfer has no field {key}", help_)
            row[str(key)] = self.field(key, value)
        cls = self.source.name(peer_cls) if isinstance(peer_cls, Tree) else None
        self.entries.append((row, kind, self.list[1], cls))

    def field(self, key: Token, value: Token) -> int:
        info = np.iinfo(LIST_DTYPE[str(key)])
        return self.source.integer(value, int(info.min), int(info.max))

    def add_route(self, tree: Tree) -> None:
        head, legs = parts(tree)[:3], parts(tree)[3:]
        flow = tuple(self.source.integer(token, 0, 2**16 - 1) for token in head[:1]) + tuple(
            self.source.integer(token, 0, 2**32 - 1) for token in head[1:]
        )
        for end, layer in zip(legs[::2], legs[1::2], strict=True):
            last = (self.source.integer(end, 0, 2**32 - 1), self.source.integer(layer, 0, 255))
            self.legs.append((*flow, *last))

    def add_list_set(self, tree: Tree) -> None:
        number, chosen = parts(tree)
        row = (self.source.integer(number, 0, 2**16 - 1), self.source.integer(chosen, 0, 2**16 - 1))
        self.list_sets.append(row)

    def routes(self) -> RouteTable:
        """The route table, its routes sorted by set, source and destination."""
        legs = sorted(self.legs, key=lambda leg: leg[:3])
        return RouteTable(
            np.array(legs, ROUTE_DTYPE), np.array(sorted(self.list_sets), LIST_SET_DTYPE)
        )

    def lists(self, classes: list[str]) -> np.ndarray:
        """The rows sorted by list and class, otherwise in the order of the text."""
        result = np.zeros(len(self.entries), LIST_DTYPE)
        for index, (row, token, cls, peer_cls) in enumerate(self.entries):
            for column, name in (("cls", cls), ("peer_cls", peer_cls)):
                if name is None:
                    continue
                if name not in classes:
                    help_ = nearest(name, classes)
                    raise self.source.error(token, f"there is no class {name!r}", help_)
                row[column] = classes.index(name)
            for column, value in row.items():
                result[column][index] = value
        order = np.lexsort([result[name] for name in ("cls", "list")])
        return result[order]
