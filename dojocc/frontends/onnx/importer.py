"""ONNX to the nn dialect: walks the nodes in order, folding what is known and building the rest."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import FunctionProto, NodeProto, TensorProto, helper
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp, StringAttr, i1, i32
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Region, SSAValue

from dojocc.dialects.context import DojoContext
from dojocc.dialects.types import tensor
from dojocc.frontends.build import Builder, BuildError, NotSupported, element_of, shape_of
from dojocc.frontends.onnx import (  # noqa: F401  each module enrols its handlers
    activation,
    contraction,
    elementwise,
    indexing,
    movement,
    normalisation,
    pooling,
    reduction,
)
from dojocc.frontends.onnx.findings import Finding, location, nearest, raise_if_any, unknown_ops
from dojocc.frontends.onnx.functions import body_opset, bound, call_attributes, standard_body
from dojocc.frontends.onnx.known import fold, foldable
from dojocc.frontends.onnx.model_file import STANDARD, Source, check, constant_array, open_model
from dojocc.frontends.onnx.node import (
    ELEMENT_TYPES,
    HANDLERS,
    BadWeights,
    Node,
    Refusal,
    Value,
    check_not_nan,
    type_name,
)
from dojocc.frontends.onnx.shapes import Shapes, input_shapes
from dojocc.runtime.errors import InputError

NARROWED: dict[int, str] = {
    TensorProto.INT64: "int32",
    TensorProto.DOUBLE: "float32",
    TensorProto.FLOAT16: "float32",
    TensorProto.BFLOAT16: "float32",
}
ONNX_TYPES = {i1: TensorProto.BOOL, i32: TensorProto.INT64}
Scope = dict[str, Value | None]


class Lost:
    """A value that a refused node would have made; nodes that need it are passed over."""


LOST = Lost()


class Importer:
    """One import. `findings` collects refused nodes, so that all are reported together."""

    def __init__(self, source: Source, context: DojoContext) -> None:
        self.source = source
        self.context = context
        self.block = Block()
        self.builder = Builder(context, self.block)
        self.findings: list[Finding] = []
        self.constants: dict[tuple[int, str], tuple[np.ndarray, SSAValue]] = {}
        self.functions = {(f.domain, f.name): f for f in source.model.functions}

    # The graph

    def run(self, shapes: Shapes | None) -> ModuleOp:
        graph = self.source.model.graph
        scope: dict = {t.name: constant_array(t, self.source) for t in graph.initializer}
        inputs = [value for value in graph.input if value.name not in scope]
        arguments = []
        for value, shape in zip(
            inputs, input_shapes(inputs, shapes, self.source.name).values(), strict=True
        ):
            kind = value.type.tensor_type.elem_type
            self.remark(f"input {value.name!r}", kind)
            argument = self.block.insert_arg(tensor(shape, ELEMENT_TYPES[kind]), len(arguments))
            scope[value.name] = argument
            arguments.append((value.name, kind))
        self.nodes(graph.node, scope, self.source.opset, "")
        raise_if_any(self.findings, self.source)
        return self.finish(graph.output, scope, arguments)

    def finish(
        self,
        outputs: Sequence[onnx.ValueInfoProto],
        scope: dict,
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

    def nodes(self, nodes: Sequence[NodeProto], scope: dict, opset: int, within: str) -> None:
        """Import nodes in order; `within` names the enclosing call, if any."""
        for number, proto in enumerate(nodes):
            where = location(proto, number)
            where = f"{within}, {where}" if within else where
            operands = [scope[name] if name else None for name in proto.input]
            if any(value is LOST for value in operands):
                results: Sequence = [LOST] * len(proto.output)
            else:
                results = self.node(proto, operands, scope, opset, where)
            for name, value in itertools.zip_longest(proto.output, results[: len(proto.output)]):
                if name:
                    scope[name] = value

    def node(
        self, proto: NodeProto, operands: list[Value | None], scope: dict, opset: int, where: str
    ) -> Sequence[Value | Lost | None]:
        """One node's values; a refusal becomes a finding and lost values."""
        self.builder.location = where
        try:
            return self.values(proto, operands, scope, opset, where)
        except (Refusal, NotSupported) as refusal:
            self.refuse(proto, opset, where, str(refusal))
        except BadWeights as error:
            help = "the file is damaged, or training diverged; check the weights it was made from"
            raise InputError(
                f"a weight is not a finite number: {error}", where, help=help
            ) from error
        except BuildError as error:
            raise InputError(f"{proto.op_type} cannot be built: {error}", where=where) from error
        return [LOST] * len(proto.output)

    def values(
        self, proto: NodeProto, operands: list[Value | None], scope: dict, opset: int, where: str
    ) -> Sequence[Value | None]:
        function = self.functions.get((proto.domain, proto.op_type))
        if function is not None:
            return self.call(function, proto, operands, opset, where)
        node = Node(proto, operands, opset, self.builder, self.materialise)
        if proto.op_type == "Cast" and not foldable(node):
            self.remark(where, node.attr("to"))
        if proto.op_type == "If" and proto.domain in STANDARD:
            return self.branch(node, scope, where)
        if foldable(node):
            folded = fold(node)
            if folded is not None:
                return folded
        handler = HANDLERS.get(proto.op_type) if proto.domain in STANDARD else None
        if handler is None:
            body = standard_body(proto, opset, [_type_proto(value) for value in operands])
            if body is None:
                raise Refusal("this op is not supported")
            return self.call(body, proto, operands, opset, where)
        results = handler(node)
        return results if isinstance(results, tuple) else (results,)

    def call(
        self,
        function: FunctionProto,
        proto: NodeProto,
        operands: list[Value | None],
        opset: int,
        where: str,
    ) -> Sequence[Value | None]:
        """A function's body in a scope of its own."""
        scope: dict = dict(itertools.zip_longest(function.input, operands))
        attributes = call_attributes(function, proto, opset)
        body = [bound(node, attributes) for node in function.node]
        self.nodes(body, scope, body_opset(function, opset), where)
        return [scope.get(name) for name in function.output]

    def branch(self, node: Node, scope: dict, where: str) -> Sequence[Value | None]:
        """An If whose condition is known: the branch it takes."""
        taken = bool(node.require(0, "the condition").reshape(-1)[0])
        graph = node.attr("then_branch" if taken else "else_branch")
        inner = dict(scope)
        inner.update({t.name: constant_array(t, self.source) for t in graph.initializer})
        self.nodes(graph.node, inner, node.opset, where)
        return [inner[value.name] for value in graph.output]

    # Values and notes

    def materialise(self, array: np.ndarray, name: str) -> SSAValue:
        """A known array as a constant of the block, once for each array and name."""
        key = (id(array), name)
        if key not in self.constants:
            check_not_nan(array, name)
            if array.size:
                self.remark(f"constant {name!r}", int(helper.np_dtype_to_tensor_dtype(array.dtype)))
            self.constants[key] = (array, self.builder.constant(array, name or "constant"))
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
        narrow = NARROWED.get(kind)
        if narrow is not None:
            self.context.remarks.append(f"{what}: {type_name(kind)} becomes {narrow}")


def _attributes(rows: Sequence[tuple[str, int]]) -> ArrayAttr[DictionaryAttr]:
    def row(name: str, kind: int) -> DictionaryAttr:
        entries: dict[str, Attribute] = {"nn.name": StringAttr(name)}
        if kind in ELEMENT_TYPES:
            entries["nn.source_type"] = StringAttr(type_name(kind))
        return DictionaryAttr(entries)

    return ArrayAttr([row(name, kind) for name, kind in rows])


def _type_proto(value: Value | None) -> onnx.TypeProto:
    if value is None:
        return onnx.TypeProto()
    if isinstance(value, np.ndarray):
        kind, shape = helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
    else:
        kind, shape = ONNX_TYPES.get(element_of(value), TensorProto.FLOAT), shape_of(value)
    return helper.make_tensor_type_proto(kind, shape)


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
