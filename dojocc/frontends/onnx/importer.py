"""ONNX to the nn dialect: walks the nodes in order, folding what is known and building the rest."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import FunctionProto, NodeProto, TensorProto, helper
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp, StringAttr
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, BlockArgument, Operation, Region, SSAValue

from dojocc.dialects.context import DojoContext
from dojocc.dialects.types import tensor
from dojocc.frontends.build import Builder, BuildError, NotSupported, shape_of
from dojocc.frontends.onnx import (  # noqa: F401  each module enrols its handlers
    activation,
    classical,
    contraction,
    einsum,
    elementwise,
    indexing,
    linear,
    movement,
    normalisation,
    pooling,
    quantise,
    recurrent,
    reduction,
    resize,
    sampling,
    scatter,
    spectrum,
    training,
    trigonometry,
)
from dojocc.frontends.onnx.control import CONTROL, control
from dojocc.frontends.onnx.findings import Finding, location, nearest, raise_if_any, unknown_ops
from dojocc.frontends.onnx.functions import body_opset, bound, call_attributes, standard_body
from dojocc.frontends.onnx.kinds import BITS, ELEMENT_TYPES, kind_of, narrowing, result_kinds
from dojocc.frontends.onnx.known import fold, foldable
from dojocc.frontends.onnx.model_file import STANDARD, Source, check, constant_array, open_model
from dojocc.frontends.onnx.narrow import wrapped_to
from dojocc.frontends.onnx.node import (
    HANDLERS,
    BadWeights,
    Node,
    Refusal,
    Unknown,
    Value,
    check_not_nan,
    handler_name,
    type_name,
)
from dojocc.frontends.onnx.shapes import Shapes, input_shapes
from dojocc.runtime.errors import InputError

MOVES = (
    *("Reshape", "Transpose", "Slice", "Concat", "Split", "Gather", "GatherElements", "GatherND"),
    *(
        "Squeeze",
        "Unsqueeze",
        "Flatten",
        "Expand",
        "Tile",
        "Pad",
        "Identity",
        "Max",
        "Min",
        "Where",
    ),
    *("Cast", "CastLike", "Clip", "Not", "Relu", "MaxPool", "ReduceMax", "ReduceMin"),
)
"""Ops whose results are of their operands' range."""


class Scope(dict):
    """Values by name, and the ONNX element type of each."""

    def __init__(self, rows: Any = (), kinds: Mapping[str, int | None] | None = None) -> None:
        super().__init__(rows)
        self.kinds: dict[str, int | None] = dict(kinds or {})

    def copy(self) -> Scope:
        return Scope(self, self.kinds)

    def kind(self, name: str) -> int | None:
        value = self.get(name)
        return self.kinds.get(name) or kind_of(value)


class Lost:
    """A value that a refused node would have made; nodes that need it are passed over."""


LOST = Lost()
Results = list[tuple[Value | None, int | None]]


class Importer:
    """One import. `findings` collects refused nodes, so that all are reported together."""

    def __init__(self, source: Source, context: DojoContext) -> None:
        self.source = source
        self.context = context
        self.block = Block()
        self.builder = Builder(context, self.block)
        self.findings: list[Finding] = []
        self.needed: set[str] = set()
        self.names: list[str] = []
        self.constants: dict[tuple[int, str], tuple[np.ndarray, SSAValue]] = {}
        self.versions = {row.domain: row.version for row in source.model.opset_import}
        self.functions = {(f.domain, f.name): f for f in source.model.functions}
        self.weights: set[str] = set()  # names that stay weights: nothing is computed from them

    # The graph

    def run(self, shapes: Shapes | None) -> ModuleOp:
        graph = self.source.model.graph
        scope = Scope({t.name: constant_array(t, self.source) for t in graph.initializer})
        if self.context.keep_weights:
            self.weights = {t.name for t in graph.initializer if is_weight(t)}
        inputs = [value for value in graph.input if value.name not in scope]
        arguments = []
        for value, shape in zip(
            inputs, input_shapes(inputs, shapes, self.source.name).values(), strict=True
        ):
            kind = value.type.tensor_type.elem_type
            self.remark(f"input {value.name!r}", kind)
            if 0 in shape:
                dtype = helper.tensor_dtype_to_np_dtype(kind)
                scope[value.name] = np.zeros(shape, dtype)
                continue
            argument = self.block.insert_arg(tensor(shape, ELEMENT_TYPES[kind]), len(arguments))
            scope[value.name], scope.kinds[value.name] = argument, kind
            arguments.append((value.name, kind))
            self.names.append(value.name)
        self.nodes(graph.node, scope, self.source.opset, "")
        raise_if_any(self.findings, self.source, self.needed)
        return self.finish(graph.output, scope, arguments)

    def finish(
        self,
        outputs: Sequence[onnx.ValueInfoProto],
        scope: Scope,
        arguments: list[tuple[str, int]],
    ) -> ModuleOp:
        """The function `main`, its arguments and results named as the model names them."""
        results, rows = [], []
        for output in outputs:
            if output.name not in scope:
                raise InputError(
                    f"output {output.name!r} is made by no node", where=self.source.name
                )
            value = scope[output.name]
            self.builder.location = f"output '{output.name}'"
            results.append(self.result(value, output.name))
            rows.append((output.name, output.type.tensor_type.elem_type))
        self.block.add_op(ReturnOp(*results))
        kinds = ([a.type for a in self.block.args], [value.type for value in results])
        function = FuncOp("main", kinds, Region(self.block), arg_attrs=_attributes(arguments))
        function.properties["res_attrs"] = _attributes(rows)
        return ModuleOp([function])

    def result(self, value: Value, name: str) -> SSAValue:
        """An output's value; a known one, which no input decides, is a constant."""
        if isinstance(value, SSAValue):
            return value
        try:
            return self.materialise(value, name)
        except BuildError as error:
            what = f"output {name!r} is known at import and cannot be a result: {error}"
            raise InputError(what, where=self.source.name) from error

    def nodes(self, nodes: Sequence[NodeProto], scope: Scope, opset: int, within: str) -> None:
        """Import nodes in order; `within` names the enclosing call, if any."""
        for number, proto in enumerate(nodes):
            where = location(proto, number)
            where = f"{within}, {where}" if within else where
            operands = [scope[name] if name else None for name in proto.input]
            results: Sequence = [(LOST, None)] * len(proto.output)
            if not any(value is LOST for value in operands):
                results = self.node(proto, operands, scope, opset, where) or results
            rows = itertools.zip_longest(proto.output, results[: len(proto.output)])
            for name, row in rows:
                if name:
                    scope[name], scope.kinds[name] = row or (None, None)

    def node(
        self, proto: NodeProto, operands: list[Value | None], scope: Scope, opset: int, where: str
    ) -> Results | None:
        """One node's values; a refusal becomes a finding and None."""
        self.builder.location = where
        try:
            return self.values(proto, operands, scope, opset, where)
        except (Refusal, NotSupported) as refusal:
            if isinstance(refusal, Unknown):
                self.needed |= self.inputs_of(refusal.value)
            self.refuse(proto, opset, where, str(refusal))
        except BadWeights as error:
            help = "the file is damaged, or training diverged; check the weights it was made from"
            raise InputError(
                f"a weight is not a finite number: {error}", where, help=help
            ) from error
        except BuildError as error:
            raise InputError(f"{proto.op_type} cannot be built: {error}", where=where) from error
        return None

    def values(
        self, proto: NodeProto, operands: list[Value | None], scope: Scope, opset: int, where: str
    ) -> Results:
        function = self.functions.get((proto.domain, proto.op_type))
        if function is not None:
            return self.call(function, proto, operands, scope, opset, where)
        kinds = [scope.kind(name) if name else None for name in proto.input]
        node = Node(proto, operands, opset, self.builder, self.materialise, kinds)
        if proto.op_type in CONTROL and proto.domain in STANDARD:
            return control(self, node, scope, where)
        if foldable(node) and not self.weights & set(proto.input):
            folded = fold(node)
            if folded is not None:
                return [(value, kind_of(value)) for value in folded]
        handler = HANDLERS.get(handler_name(proto.domain, proto.op_type))
        if handler is None:
            version = opset if proto.domain in STANDARD else self.versions.get(proto.domain, 0)
            body = standard_body(proto, version, list(map(_type_proto, operands, kinds)))
            if body is None:
                raise Refusal("this op is not supported")
            return self.call(body, proto, operands, scope, opset, where)
        if proto.op_type in ("Cast", "CastLike"):
            self.remark(where, node.attr("to") or node.kind(1))
        results = handler(node)
        rows = results if isinstance(results, tuple) else (results,)
        return self.settled(proto, opset, kinds, rows)

    def settled(
        self,
        proto: NodeProto,
        opset: int,
        kinds: Sequence[int | None],
        values: Sequence[Value | None],
    ) -> Results:
        """Values with their kinds; integers narrower than a lane wrap where they may overflow."""
        rows: Results = []
        found = result_kinds(proto, opset, kinds)
        for value, kind in itertools.zip_longest(values, found[: len(values)]):
            if isinstance(value, np.ndarray):
                kind = kind_of(value)
            elif (
                kind is not None
                and kind in BITS
                and value is not None
                and proto.op_type not in MOVES
            ):
                value = wrapped_to(self.builder, value, kind)
            rows.append((value, kind))
        return rows

    def call(
        self,
        function: FunctionProto,
        proto: NodeProto,
        operands: list[Value | None],
        outer: Scope,
        opset: int,
        where: str,
    ) -> Results:
        """A function's body in a scope of its own."""
        scope = Scope(itertools.zip_longest(function.input, operands))
        given = zip(function.input, proto.input, strict=False)
        scope.kinds = {inside: outer.kind(name) for inside, name in given if name}
        attributes = call_attributes(function, proto, opset)
        body = [bound(node, attributes) for node in function.node]
        self.nodes(body, scope, body_opset(function, opset), where)
        return [(scope.get(name), scope.kind(name)) for name in function.output]

    # Values and notes

    def is_lost(self, value: Any) -> bool:
        return value is LOST

    def inputs_of(self, value: SSAValue) -> set[str]:
        """The model's inputs that a value depends on."""
        names, waiting, seen = set(), [value], set()
        while waiting:
            each = waiting.pop()
            if each in seen:
                continue
            seen.add(each)
            if isinstance(each, BlockArgument):
                names.add(self.names[each.index])
            elif isinstance(each.owner, Operation):
                waiting += each.owner.operands
        return names

    def materialise(self, array: np.ndarray, name: str) -> SSAValue:
        """A known array as a constant of the block, once for each array and name."""
        key = (id(array), name)
        if key not in self.constants:
            check_not_nan(array, name)
            if array.size:
                self.remark(f"constant {name!r}", int(helper.np_dtype_to_tensor_dtype(array.dtype)))
            build = self.builder.weight if name in self.weights else self.builder.constant
            self.constants[key] = (array, build(array, name or "constant"))
        return self.constants[key][1]

    def refuse(self, proto: NodeProto, opset: int, where: str, reason: str) -> None:
        for number, row in enumerate(self.findings):
            if (row.op, row.domain, row.reason) == (proto.op_type, proto.domain, reason):
                self.findings[number] = replace(row, count=row.count + 1)
                return
        near = None if proto.op_type in HANDLERS else nearest(proto.op_type)
        row = Finding(proto.op_type, proto.domain, opset, 1, where, reason, near)
        self.findings.append(row)

    def remark(self, what: str, kind: int) -> None:
        narrow = narrowing(kind)
        if narrow is not None:
            self.context.remarks.append(f"{what}: {type_name(kind)} becomes {narrow}")


def is_weight(tensor: onnx.TensorProto) -> bool:
    """More than one float number."""
    kinds = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)
    return (*kinds, onnx.TensorProto.BFLOAT16).count(tensor.data_type) > 0 and prod(tensor.dims) > 1


def _attributes(rows: Sequence[tuple[str, int]]) -> ArrayAttr[DictionaryAttr]:
    def row(name: str, kind: int) -> DictionaryAttr:
        entries: dict[str, Attribute] = {"nn.name": StringAttr(name)}
        if kind in ELEMENT_TYPES:
            entries["nn.source_type"] = StringAttr(type_name(kind))
        return DictionaryAttr(entries)

    return ArrayAttr([row(name, kind) for name, kind in rows])


def _type_proto(value: Value | None, kind: int | None) -> onnx.TypeProto:
    if value is None:
        return onnx.TypeProto()
    shape = value.shape if isinstance(value, np.ndarray) else shape_of(value)
    return helper.make_tensor_type_proto(kind or TensorProto.FLOAT, shape)


def import_onnx(
    source: str | Path | bytes | onnx.ModelProto,
    context: DojoContext,
    shapes: Shapes | None = None,
) -> ModuleOp:
    """A module of the nn dialect with the function `main`; weights go to `context.resources`."""
    opened = open_model(source)
    raise_if_any(unknown_ops(opened), opened)
    check(opened)
    return Importer(opened, context).run(shapes)


def check_support(
    source: str | Path | bytes | onnx.ModelProto, shapes: Shapes | None = None
) -> list[Finding]:
    """Every op type and form the import refuses; empty if it accepts the model."""
    opened = open_model(source)
    findings = unknown_ops(opened)
    if findings:
        return findings
    check(opened)
    importer = Importer(opened, DojoContext())
    try:
        importer.run(shapes)
    except InputError:
        if not importer.findings:
            raise
    return importer.findings
