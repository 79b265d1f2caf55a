"""The text graph language to the nn dialect: one statement after another, errors at their place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from lark import Token, Tree
from xdsl.dialects.builtin import ModuleOp, TensorType, i1, i32
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Block, Region, SSAValue

from dojocc.dialects.context import DojoContext
from dojocc.dialects.function import make_function
from dojocc.dialects.types import dtype_of, tensor, text_of
from dojocc.frontends.build import Builder, BuildError, element_of
from dojocc.frontends.text.functions import (
    ELEMENTS,
    SUGAR,
    call_op,
    callable_ops,
    signature,
    takes_tensor,
)
from dojocc.frontends.text.source import SourceText, nearest
from dojocc.frontends.text.weights import WeightError, WeightFiles
from dojocc.frontends.text_file import read_text

OPERATORS = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide"}
COMPARISONS = {"==": "EQ", "!=": "NE", "<": "LT", "<=": "LE", ">": "GT", ">=": "GE"}
Item = SSAValue | int | float | bool | str | list


class TextImporter:
    """Names and their values while the statements are walked."""

    def __init__(self, source: SourceText, context: DojoContext, folder: Path) -> None:
        self.source = source
        self.block = Block()
        self.builder = Builder(context, self.block)
        self.files = WeightFiles(folder)
        self.names: dict[str, SSAValue] = {}

    def run(self) -> ModuleOp:
        _, inputs, outputs, *statements = self.source.parse().children
        rows = parameters(inputs)
        for name, kind in rows:
            self.define(name, self.block.insert_arg(self.type(kind), len(self.block.args)))
        for statement in statements:
            assert isinstance(statement, Tree)
            if statement.data == "weights":
                self.add_weights(statement)
            else:
                self.assign(statement)
        results = [self.output(name, kind) for name, kind in parameters(outputs)]
        self.block.add_op(ReturnOp(*results))
        names = [str(name) for name, _ in rows], [str(name) for name, _ in parameters(outputs)]
        return ModuleOp([make_function(Region(self.block), *names, results)])

    # Statements

    def define(self, name: Token, value: SSAValue) -> None:
        if name in self.names:
            raise self.source.error(f"{str(name)!r} is defined a second time", name)
        self.names[str(name)] = value

    def add_weights(self, statement: Tree) -> None:
        (path,) = statement.children
        try:
            self.files.add(str(path)[1:-1])
        except WeightError as error:
            raise self.source.error(str(error), path) from error

    def assign(self, statement: Tree) -> None:
        name, kind, right = children(statement)
        self.builder.location = self.source.location(name)
        declared = None if kind is None else self.type(kind)
        if isinstance(right, Tree) and right.data == "weight":
            value = self.weight(right)
        else:
            value = self.tensor(right, declared)
        if declared is not None and value.type != declared:
            raise self.source.error(
                f"{str(name)!r} has another type than declared",
                name,
                numbers=f"declared {text_of(declared)}, computed {text_of(value.type)}",
            )
        self.define(name, value)

    def weight(self, right: Tree) -> SSAValue:
        (key,) = right.children
        name = str(key)[1:-1]
        try:
            array = self.files.get(name)
            if array is None:
                help = nearest(name, self.files.names(), "weights in the files")
                raise self.source.error(f"no weight file has a tensor {name!r}", key, help=help)
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                bad = int((~np.isfinite(array)).sum())
                what = f"weight {name!r} has {bad} NaN or infinite numbers of {array.size}"
                raise self.source.error(what, key)
            return self.builder.weight(array, name)
        except (WeightError, BuildError) as error:
            raise self.source.error(str(error), key) from error

    def output(self, name: Token, kind: Tree) -> SSAValue:
        if name not in self.names:
            help = nearest(name, self.names, "names defined")
            raise self.source.error(f"output {str(name)!r} is not defined", name, help=help)
        value, declared = self.names[str(name)], self.type(kind)
        if value.type != declared:
            raise self.source.error(
                f"output {str(name)!r} has another type than declared",
                name,
                numbers=f"declared {text_of(declared)}, computed {text_of(value.type)}",
            )
        return value

    def type(self, tree: Tree) -> TensorType:
        element, *sizes = (child for child in tree.children if child is not None)
        shape = [int(str(size)) for size in sizes]
        if 0 in shape:
            raise self.source.error("a tensor needs at least one element", tree)
        return tensor(shape, ELEMENTS[str(element)])

    # Expressions

    def tensor(self, node: Tree | Token, like: TensorType | None = None) -> SSAValue:
        """An expression as a tensor; a literal becomes a constant of the element type of `like`."""
        return self.as_tensor(self.value(node), node, like)

    def as_tensor(self, item: Item, node: Tree | Token, like: TensorType | None) -> SSAValue:
        if isinstance(item, SSAValue):
            return item
        if isinstance(item, str):
            raise self.source.error("a string where a tensor is needed", node)
        try:
            array = np.array(item)
        except ValueError as error:
            raise self.source.error("the rows of this list differ in length", node) from error
        if array.dtype.kind not in "bif":
            raise self.source.error("this list holds something else than numbers", node)
        kind = (
            i1
            if array.dtype.kind == "b"
            else ELEMENTS["f32"]
            if like is None
            else like.element_type
        )
        if array.dtype.kind == "f" and kind in (i32, i1):
            raise self.source.error(f"a fraction where {kind} is needed", node)
        array = array.astype(dtype_of(kind))
        try:
            value = self.builder.constant(array, f"literal {self.source.location(node)}")
            return value if array.ndim or like is None else self.fill(value, like)
        except BuildError as error:
            raise self.source.error(str(error), node) from error

    def fill(self, value: SSAValue, like: TensorType) -> SSAValue:
        return self.builder.broadcast(value, like.get_shape())

    def value(self, node: Tree | Token) -> Item:
        if isinstance(node, Token):
            raise AssertionError(node)
        match node.data:
            case "name":
                return self.name(node)
            case "number":
                text = str(node.children[0])
                return int(text) if text.isdigit() else float(text)
            case "string":
                return str(node.children[0])[1:-1]
            case "truth":
                return str(node.children[0]) == "true"
            case "list":
                return [self.value(child) for child in node.children if child is not None]
            case "negation":
                return self.negation(node)
            case "operation":
                return self.operation(node)
            case "call":
                return self.call(node)
        raise AssertionError(node.data)

    def name(self, node: Tree) -> Item:
        text = str(node.children[0])
        if text in self.names:
            return self.names[text]
        if text in ELEMENTS:
            return text
        help = nearest(text, self.names, "names defined so far")
        raise self.source.error(f"{text!r} is not defined", node, help=help)

    def negation(self, node: Tree) -> Item:
        item = self.value(node.children[1])
        if isinstance(item, int | float):
            return -item
        operand = self.as_tensor(item, node, None)
        return self.build(node, lambda: self.builder.emit("negate", operand))

    def operation(self, node: Tree) -> Item:
        left, symbol, right = children(node)
        operands = self.operands([left, right], [self.value(left), self.value(right)])
        return self.build(symbol, lambda: self.applied(str(symbol), *operands))

    def applied(self, symbol: str, left: SSAValue, right: SSAValue) -> SSAValue:
        if symbol == "@":
            return self.builder.matmul(left, right)
        if symbol in COMPARISONS:
            return self.builder.compare(COMPARISONS[symbol], left, right)
        return self.builder.binary(OPERATORS[symbol], left, right)

    def operands(self, nodes: list, items: list[Item]) -> list[SSAValue]:
        """Tensors; plain numbers take the element type of the first real tensor beside them."""
        first = next((i for i in items if isinstance(i, SSAValue) and element_of(i) != i1), None)
        like = None if first is None else tensor((), element_of(first))
        return [self.as_tensor(item, node, like) for item, node in zip(items, nodes, strict=True)]

    def call(self, node: Tree) -> SSAValue:
        name, *arguments = (child for child in children(node) if child is not None)
        text = str(name)
        positional, nodes, named = [], [], {}
        for argument in arguments:
            key, expression = argument.children
            item = self.value(expression)
            if key is None and named:
                raise self.source.error("a plain argument after a named one", argument)
            if key is None:
                positional.append(item)
                nodes.append(expression)
            else:
                named[str(key)] = item
        if text in SUGAR:
            return self.call_sugar(name, nodes, positional, named)
        if text not in callable_ops():
            help = nearest(text, [*callable_ops(), *SUGAR], "list of functions in the manual")
            raise self.source.error(f"there is no function {text!r}", name, help=help)
        operands = self.operands(nodes, positional)
        return self.build(name, lambda: call_op(self.builder, text, operands, named))

    def call_sugar(
        self, name: Token, nodes: list, positional: list[Item], named: dict[str, Any]
    ) -> SSAValue:
        function = SUGAR[str(name)]
        keys = [*range(len(positional)), *named]
        chosen = [i for i, key in enumerate(keys) if takes_tensor(function, key)]
        items = [*positional, *named.values()]
        where = [*nodes, *[name] * len(named)]
        tensors = self.operands([where[i] for i in chosen], [items[i] for i in chosen])
        for i, value in zip(chosen, tensors, strict=True):
            items[i] = value
        plain, settings = items[: len(nodes)], dict(zip(named, items[len(nodes) :], strict=True))
        try:
            return self.build(name, lambda: function(self.builder, *plain, **settings))
        except (TypeError, AssertionError, AttributeError, ValueError) as error:
            what = f"{name} is called with the wrong arguments"
            help = f"{name}({signature(function)})"
            raise self.source.error(what, name, numbers=shown(items, named), help=help) from error

    def build(self, at: Tree | Token, make: Any) -> SSAValue:
        self.builder.location = self.source.location(at)
        try:
            return make()
        except BuildError as error:
            raise self.source.error(str(error), at) from error


def children(tree: Tree) -> list[Any]:
    """A rule's parts: tokens, trees, and None for what was left out."""
    return tree.children


def shown(items: list, named: dict[str, Any]) -> str:
    """Arguments as a message shows them: tensors by type, the rest as written."""
    texts = [text_of(i.type) if isinstance(i, SSAValue) else repr(i) for i in items]
    texts += [
        f"{key}={text_of(i.type) if isinstance(i, SSAValue) else repr(i)}"
        for key, i in named.items()
    ]
    return f"given {', '.join(texts) or 'nothing'}"


def parameters(tree: Any) -> list[tuple[Token, Tree]]:
    """(name, type) of each parameter; None stands for no list."""
    if tree is None:
        return []
    return [tuple(row.children) for row in tree.children if row is not None]  # pyright: ignore


def parse_text(
    text: str, context: DojoContext, name: str = "<text>", folder: str | Path = "."
) -> ModuleOp:
    """A module from a model's text; weight files are looked for in `folder`."""
    return TextImporter(SourceText(text, name), context, Path(folder)).run()


def import_text(path: str | Path, context: DojoContext) -> ModuleOp:
    """A module from a file of the text language; weight files are looked for beside it."""
    path = Path(path)
    return parse_text(read_text(path), context, str(path), path.parent)
