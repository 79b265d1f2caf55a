"""StableHLO to the nn dialect: functions are inlined, known loops unrolled, one handler an op."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, Builtin, DictionaryAttr, ModuleOp, StringAttr
from xdsl.dialects.func import CallOp, Func, FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.parser import Parser
from xdsl.utils.exceptions import ParseError, VerifyException

from dojocc.dialects.context import DojoContext
from dojocc.dialects.location import get_location
from dojocc.dialects.stablehlo import CHLO, STABLEHLO
from dojocc.dialects.types import tensor
from dojocc.frontends.build import BuildError, NotSupported, element_of, shape_of
from dojocc.frontends.stablehlo import (  # noqa: F401  each module enrols its handlers
    contraction,
    elementwise,
    indexing,
    movement,
    reduction,
)
from dojocc.frontends.stablehlo.control import CONTROL, control
from dojocc.frontends.stablehlo.literals import with_bytes
from dojocc.frontends.stablehlo.node import (
    AS_THEY_ARE,
    HANDLERS,
    FoldingBuilder,
    Node,
    element_name,
    lanes_of,
    sizes_of,
)
from dojocc.frontends.stablehlo.source import Bare, lines_of_generic, without_locations
from dojocc.runtime.errors import InputError, UnsupportedError

WORDS = {"f32": "float", "f64": "double", "f16": "float16", "bf16": "bfloat16", "i1": "bool"}
RESULT = re.compile(r"^result(.*)$")
KEY = re.compile(r"\['?([^\]']*)'?\]|\.(\w+)")
HELP = "docs/frontends.md lists the supported ops"
Values = list[SSAValue]


class Lost(Exception):
    """An op needs a value that a refused op would have made; it is passed over."""


@dataclass
class Finding:
    """Ops of one kind refused for one reason."""

    op: str
    reason: str
    first: str
    count: int = 1

    def __str__(self) -> str:
        ops = "1 op" if self.count == 1 else f"{self.count} ops"
        return f"{self.op}, {ops}, first at {self.first}: {self.reason}"


class Importer:
    """One import; `findings` collects refused ops, so that all are reported together."""

    def __init__(self, module: ModuleOp, bare: Bare, context: DojoContext, name: str) -> None:
        self.module, self.bare, self.context, self.name = module, bare, context, name
        self.block = Block()
        self.builder = FoldingBuilder(context, self.block)
        self.findings: dict[tuple[str, str], Finding] = {}
        self.generic = {op: iter(rows) for op, rows in lines_of_generic(bare.text).items()}
        self.lines: dict[Operation, int | None] = {}
        self.functions = {op.sym_name.data: op for op in module.walk() if isinstance(op, FuncOp)}

    def run(self) -> ModuleOp:
        main = self.functions.get("main") or next(iter(self.functions.values()), None)
        if main is None:
            raise InputError("the module has no function", where=self.name)
        for op in self.module.walk():  # in the order of the text
            if get_location(op) is None and op.name in self.generic:
                self.lines[op] = next(self.generic[op.name], None)
        rows = []
        arguments: Values = []
        for number, argument in enumerate(main.body.block.args):
            name = self.bare.arguments.get(argument.name_hint or "", argument.name_hint)
            name = argument_name(name or f"arg{number}")
            rows.append((name, argument.type))
            arguments.append(self.argument(name, argument.type, number))
        try:
            results = self.inline(main.body.block, arguments)
        except Lost:
            results = []
        if self.findings:
            self.refuse_all()
        return self.finish(main, results, rows)

    def argument(self, name: str, type: Attribute, number: int) -> SSAValue:
        word = element_name(type)
        try:
            value = self.block.insert_arg(tensor(sizes_of(type), lanes_of(type)), number)
        except NotSupported as error:
            raise InputError(f"input {name!r}: {error}", where=self.name) from error
        if word not in AS_THEY_ARE:
            holder = "float32" if "f" in word else "int32 lanes"
            self.context.remarks.append(f"input {name!r}: {word} becomes {holder}")
        return value

    def inline(self, block: Block, arguments: Sequence[SSAValue]) -> Values:
        """A block's ops for the values of its arguments; what its last op names."""
        values: dict[SSAValue, SSAValue] = dict(zip(block.args, arguments, strict=True))
        return self.inline_with(block, values)

    def inline_with(self, block: Block, values: dict[SSAValue, SSAValue]) -> Values:
        for op in block.ops:
            if isinstance(op, ReturnOp) or op.name == "stablehlo.return":
                if any(value not in values for value in op.operands):
                    raise Lost
                return [values[value] for value in op.operands]
            try:
                results = self.op(op, values)
            except Lost:
                continue
            except NotSupported as refusal:
                self.add(op, str(refusal))
                continue
            except BuildError as error:
                raise InputError(f"{op.name} cannot be built: {error}", self.where(op)) from error
            values.update(zip(op.results, results, strict=True))
        raise InputError("a block does not end with a return", where=self.name)

    def op(self, op: Operation, values: dict[SSAValue, SSAValue]) -> Values:
        """One op's values."""
        if any(value not in values for value in op.operands):
            raise Lost
        operands = [values[value] for value in op.operands]
        if isinstance(op, CallOp) or op.name == "func.call":
            return self.call(str(op.properties["callee"].root_reference.data), operands)  # pyright: ignore
        self.builder.location = self.where(op)
        node = Node(op, operands, self.builder)
        if op.name == "stablehlo.composite":
            return self.call(node.require("decomposition"), operands)
        if op.name in CONTROL:
            return control(self, node, values)
        handler = HANDLERS.get(op.name)
        if handler is None:
            raise NotSupported("this op is not supported")
        found = handler(node)
        results = [found] if isinstance(found, SSAValue) else list(found or ())
        for number, (value, result) in enumerate(zip(results, op.results, strict=True)):
            have = (shape_of(value), element_of(value))
            want = (sizes_of(result.type), lanes_of(result.type))
            if have != want:
                raise BuildError(
                    f"result {number} came out as {list(have[0])} {have[1]}, where the module has "
                    f"{result.type}"
                )
        return results

    def call(self, name: str, operands: Values) -> Values:
        function = self.functions.get(name)
        if function is None:
            raise NotSupported(f"there is no function @{name} to call")
        return self.inline(function.body.block, operands)

    # Where things are, and what is refused

    def where(self, op: Operation) -> str:
        """`jit(f)/dot_general, line 12 (stablehlo.dot_general)`."""
        text = get_location(op)
        line = self.lines.get(op)
        if text is None:
            text = f"line {line} ({op.name})" if line else op.name
        else:
            line = int(text.split()[1])
        name = self.bare.lines.get(line) if line else None
        return f"'{name}', {text}" if name else text

    def add(self, op: Operation, reason: str) -> None:
        name = op.name
        if name == "stablehlo.custom_call":
            name = f"{name} @{Node(op, (), self.builder).raw('call_target_name')}"
        if (name, reason) in self.findings:
            self.findings[name, reason].count += 1
        else:
            self.findings[name, reason] = Finding(name, reason, self.where(op))

    def refuse_all(self) -> None:
        count = sum(row.count for row in self.findings.values())
        ops = "1 op uses" if count == 1 else f"{count} ops use"
        text = "\n".join(f"    {row}" for row in self.findings.values())
        what = f"{ops} what dojocc does not support:\n{text}"
        raise UnsupportedError(what, where=self.name, help=HELP)

    def finish(
        self, main: FuncOp, results: Values, arguments: list[tuple[str, Attribute]]
    ) -> ModuleOp:
        names = result_names(main, len(results), {name for name, _ in arguments})
        self.block.add_op(ReturnOp(*results))
        kinds = ([each.type for each in self.block.args], [value.type for value in results])
        types = [type for type in main.function_type.outputs.data]
        function = FuncOp("main", kinds, Region(self.block), arg_attrs=named(arguments))
        function.properties["res_attrs"] = named(list(zip(names, types, strict=True)))
        return ModuleOp([function])


def argument_name(name: str) -> str:
    """JAX's path of an argument as a name: `params['w']` is `params.w`."""
    return KEY.sub(lambda match: "." + next(filter(None, match.groups()), ""), name)


def result_names(main: FuncOp, count: int, taken: set[str]) -> list[str]:
    """By JAX's path of each result: `result['y']` is `y`, `result[1]` is `output_1`."""
    rows = main.res_attrs.data if main.res_attrs is not None else []
    names: list[str] = []
    for number in range(count):
        info = rows[number].data.get("jax.result_info") if number < len(rows) else None
        match = RESULT.match(info.data) if isinstance(info, StringAttr) else None
        keys = [next(filter(None, key), "") for key in KEY.findall(match.group(1))] if match else []
        if not keys:
            keys = ["output"] if count == 1 else [str(number)]
        name = ".".join([f"output_{keys[0]}" if keys[0].isdigit() else keys[0], *keys[1:]])
        while name in names or name in taken:
            name += "_out" if name in taken else "_"
        names.append(name)
    return names


def named(rows: Sequence[tuple[str, Attribute]]) -> ArrayAttr[DictionaryAttr]:
    def row(name: str, type: Attribute) -> DictionaryAttr:
        word = element_name(type)
        word = WORDS.get(word, word.replace("ui", "uint").replace("i", "int", 1))
        return DictionaryAttr({"nn.name": StringAttr(name), "nn.source_type": StringAttr(word)})

    return ArrayAttr([row(name, type) for name, type in rows])


def import_stablehlo(text: str, context: DojoContext, name: str = "<text>") -> ModuleOp:
    """A module of the nn dialect with the function `main`; large constants become resources."""
    bare = without_locations(with_bytes(text))
    parser_context = Context()
    for dialect in (Builtin, Func, STABLEHLO, CHLO):
        parser_context.load_dialect(dialect)
    try:
        module = Parser(parser_context, bare.text, name).parse_module()
    except (ParseError, VerifyException) as error:
        raise InputError(
            "this StableHLO text cannot be read",
            where=f"{name}: {error}",
            help="jax.jit(f).lower(x).as_text() and jax.export write what can be read",
        ) from error
    return Importer(module, bare, context, name).run()
