"""A PyTorch graph to the nn dialect: one handler a call, each result held to what PyTorch says."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp, StringAttr
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Region, SSAValue

from dojocc.dialects.context import DojoContext
from dojocc.dialects.types import tensor
from dojocc.frontends.build import Builder, BuildError, NotSupported, element_of, shape_of
from dojocc.frontends.composites.narrow import wrapped_to
from dojocc.frontends.torch import (  # noqa: F401  each module enrols its handlers
    activation,
    contraction,
    creation,
    elementwise,
    indexing,
    movement,
    normalisation,
    pooling,
    recurrent,
    reduction,
    sampling,
)
from dojocc.frontends.torch.dtypes import BITS, lanes_of, narrowing, source_word
from dojocc.frontends.torch.findings import Findings
from dojocc.frontends.torch.graph import Held, Meta, Reference, TorchGraph, TorchNode
from dojocc.frontends.torch.node import HANDLERS, Node, Results
from dojocc.runtime.errors import InputError, UnsupportedError

WRAPPING = {
    f"aten.{name}"
    for name in "add sub rsub mul neg pow sum cumsum prod abs bitwise_left_shift square".split()
}
"""Ops whose results may leave the range of their operands: integers below 32 bits then wrap."""


class Lost(Exception):
    """A call needs a value that a refused call would have made; it is passed over."""


class Importer:
    """One import; `findings` collects refused calls, so that all are reported together."""

    def __init__(self, graph: TorchGraph, context: DojoContext) -> None:
        self.graph = graph
        self.context = context
        self.block = Block()
        self.builder = Builder(context, self.block)
        self.findings = Findings()
        self.values: dict[Reference, SSAValue] = {}
        self.metas: dict[Reference, Meta] = {}

    def run(self) -> ModuleOp:
        self.context.remarks.extend(self.graph.remarks)
        for number, (name, shown, meta) in enumerate(self.graph.inputs):
            self.remark(f"input {shown!r}", meta.dtype)
            try:
                type = tensor(meta.shape, lanes_of(meta.dtype))
            except NotSupported as error:
                raise InputError(f"input {shown!r}: {error}", where=self.graph.name) from error
            if 0 in meta.shape:
                what = f"input {shown!r} has no elements: its shape is {list(meta.shape)}"
                raise InputError(what, where=self.graph.name)
            self.values[Reference(name)] = self.block.insert_arg(type, number)
            self.metas[Reference(name)] = meta
        for node in self.graph.nodes:
            self.node(node)
        self.findings.raise_if_any(self.graph)
        return self.finish()

    def node(self, node: TorchNode) -> None:
        """One call's values; a refusal becomes a finding."""
        self.builder.location = node.where
        if all(meta is not None and 0 in meta.shape for meta in node.results):
            self.enter_empty(node)
            return
        try:
            handler = HANDLERS.get(node.op)
            if handler is None:
                raise NotSupported("this op is not supported")
            results = handler(Node(node, self.builder, self.value, self.meta))
            self.settle(node, results)
        except Lost:
            pass
        except NotSupported as refusal:
            self.findings.add(node, str(refusal))
        except BuildError as error:
            raise InputError(f"{node.op} cannot be built: {error}", where=node.where) from error

    def settle(self, node: TorchNode, results: Results) -> None:
        """Enter a call's values, each held to the shape and type that PyTorch has for it."""
        several = isinstance(results, tuple)
        for index, value in enumerate(results if isinstance(results, tuple) else (results,)):
            meta = node.results[index] if index < len(node.results) else None
            if value is None or meta is None:
                continue
            if meta.dtype in BITS and node.op in WRAPPING:
                value = wrapped_to(self.builder, value, *BITS[meta.dtype])
            have, want = (shape_of(value), element_of(value)), (meta.shape, lanes_of(meta.dtype))
            if have != want:
                raise BuildError(
                    f"result {index} came out as {list(have[0])} {have[1]}, where PyTorch has "
                    f"{list(want[0])} {meta.dtype}"
                )
            self.enter(node.name, index if several else None, value, meta)

    def enter_empty(self, node: TorchNode) -> None:
        """Results without elements: only cat takes them, which leaves them out."""
        for index, meta in enumerate(node.results):
            assert meta is not None
            self.metas[Reference(node.name, index)] = self.metas[Reference(node.name)] = meta

    def enter(self, name: str, index: int | None, value: SSAValue, meta: Meta) -> None:
        """The first of several results goes by the node's name alone, too."""
        keys = [Reference(name, index)] if index else [Reference(name, 0), Reference(name)]
        for key in keys:
            self.values[key], self.metas[key] = value, meta

    def value(self, reference: Reference) -> SSAValue:
        """A graph value; a parameter or buffer becomes a constant when first asked for."""
        if reference not in self.values:
            if 0 in self.meta(reference).shape:
                raise NotSupported("a tensor without elements")
            held = self.graph.held.get(reference.name)
            if held is None:
                raise Lost
            self.values[reference] = self.constant(held)
        return self.values[reference]

    def constant(self, held: Held) -> SSAValue:
        self.remark(f"constant {held.name!r}", held.dtype)
        check_numbers(held, self.builder.location)
        return self.builder.weight(held.array, held.name)

    def meta(self, reference: Reference) -> Meta:
        held = self.graph.held.get(reference.name)
        if held is not None:
            return Meta(held.dtype, tuple(held.array.shape))
        if reference not in self.metas:
            raise Lost
        return self.metas[reference]

    def remark(self, what: str, dtype: str) -> None:
        narrow = narrowing(dtype)
        text = f"{what}: {dtype} becomes {narrow}"
        if narrow is not None and text not in self.context.remarks:
            self.context.remarks.append(text)

    def finish(self) -> ModuleOp:
        """The function `main`, its arguments and results named as the export names them."""
        results, rows = [], []
        for value, name in self.graph.outputs:
            self.builder.location = f"output '{name}'"
            if isinstance(value, Reference):
                results.append(self.result(value, name))
                rows.append((name, self.meta(value).dtype))
                continue
            array = np.array(0.0 if value is None else value)
            results.append(self.builder.constant(array, name))
            rows.append((name, {"b": "bool", "i": "int64"}.get(array.dtype.kind, "float32")))
        if not results:
            raise InputError("the program has no results", where=self.graph.name)
        self.block.add_op(ReturnOp(*results))
        kinds = ([each.type for each in self.block.args], [value.type for value in results])
        inputs = [(shown, meta.dtype) for _, shown, meta in self.graph.inputs]
        function = FuncOp("main", kinds, Region(self.block), arg_attrs=named(inputs))
        function.properties["res_attrs"] = named(rows)
        return ModuleOp([function])

    def result(self, value: Reference, name: str) -> SSAValue:
        """An output's value; one without elements is none that a program could give."""
        try:
            return self.value(value)
        except Lost as error:
            raise UnsupportedError(
                f"output '{name}' is a further result of '{value.name}' that is not computed",
                where=self.graph.name,
                help="leave it out of what forward returns",
            ) from error
        except NotSupported as error:
            raise UnsupportedError(
                f"output '{name}' is {error}",
                where=self.graph.name,
                numbers=f"shape {list(self.meta(value).shape)}",
                help="leave it out of what forward returns",
            ) from error


def named(rows: list[tuple[str, str]]) -> ArrayAttr[DictionaryAttr]:
    def row(name: str, dtype: str) -> Mapping[str, StringAttr]:
        return {"nn.name": StringAttr(name), "nn.source_type": StringAttr(source_word(dtype))}

    return ArrayAttr([DictionaryAttr(row(name, dtype)) for name, dtype in rows])


def check_numbers(held: Held, where: str | None) -> None:
    """Refuse a weight with NaN: training diverged, or the file is damaged."""
    if held.array.dtype.kind == "f" and np.isnan(held.array).any():
        count = int(np.isnan(held.array).sum())
        raise InputError(
            f"a weight is not a finite number: {held.name}",
            where=where,
            numbers=f"{count} NaN of {held.array.size} numbers",
            help="training diverged, or the file is damaged; check the weights it was made from",
        )


def import_torch(graph: TorchGraph, context: DojoContext) -> ModuleOp:
    """A module of the nn dialect with the function `main`; weights go to `context.resources`."""
    return Importer(graph, context).run()
