"""Containers of the `disa` dialect: program, class, thread, kernel, and the memory they start from.

A program holds its classes, the images and ports of their SRAM, the marks its instructions refer to
and the key of its transfer lists. Threads and kernels hold instruction ops; loop nesting is
verified here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from xdsl.dialects.builtin import (
    I64,
    ArrayAttr,
    DenseArrayBase,
    IntegerAttr,
    StringAttr,
    SymbolNameConstraint,
    SymbolRefAttr,
    i64,
)
from xdsl.ir import Attribute, Block, Operation, ParametrizedAttribute, Region
from xdsl.irdl import (
    IRDLOperation,
    ParsePropInAttrDict,
    irdl_attr_definition,
    irdl_op_definition,
    opt_prop_def,
    param_def,
    prop_def,
    region_def,
    traits_def,
)
from xdsl.traits import IsolatedFromAbove, NoTerminator, SymbolOpInterface, SymbolTable
from xdsl.utils.exceptions import VerifyException

LOOPS = ("disa.loop", "disa.loopx")
END, CALL, RET, HALT, MARK = "disa.end", "disa.call", "disa.ret", "disa.halt", "disa.mark"
THREADS = 4
PORT_KINDS = ("input", "output")
_OPTIONS = (ParsePropInAttrDict(),)


def number(value: int) -> IntegerAttr[I64]:
    return IntegerAttr(value, i64)


@irdl_attr_definition
class MarkAttr(ParametrizedAttribute):
    """What instructions belong to: an op's name and where it comes from in the model."""

    name = "disa.mark_of"
    op: StringAttr = param_def()
    source: StringAttr = param_def()


@irdl_op_definition
class ProgramOp(IRDLOperation):
    """Everything one program file holds; weights and lists are resources, named by key."""

    name = "disa.program"
    sym_name = prop_def(SymbolNameConstraint())
    marks = prop_def(ArrayAttr[MarkAttr])
    lists = opt_prop_def(StringAttr)
    sram_peak = opt_prop_def(IntegerAttr[I64])
    sram_bound = opt_prop_def(IntegerAttr[I64])
    body = region_def("single_block")
    traits = traits_def(NoTerminator(), IsolatedFromAbove(), SymbolTable())
    irdl_options = _OPTIONS
    assembly_format = "$sym_name `marks` $marks (`lists` $lists^)? $body attr-dict"

    def __init__(
        self,
        name: str,
        body: Region,
        marks: Sequence[tuple[str, str]] = (),
        lists: str | None = None,
        sram_peak: IntegerAttr[I64] | None = None,
        sram_bound: IntegerAttr[I64] | None = None,
    ) -> None:
        pairs = [MarkAttr(StringAttr(op), StringAttr(source)) for op, source in marks]
        super().__init__(
            properties={
                "sym_name": StringAttr(name),
                "marks": ArrayAttr(pairs),
                "lists": None if lists is None else StringAttr(lists),
                "sram_peak": sram_peak,
                "sram_bound": sram_bound,
            },
            regions=[body],
        )

    @property
    def classes(self) -> tuple[ClassOp, ...]:
        return tuple(op for op in self.body.block.ops if isinstance(op, ClassOp))

    @property
    def images(self) -> tuple[ImageOp, ...]:
        return tuple(op for op in self.body.block.ops if isinstance(op, ImageOp))

    @property
    def dram(self) -> tuple[DramOp, ...]:
        return tuple(op for op in self.body.block.ops if isinstance(op, DramOp))

    @property
    def ports(self) -> tuple[PortOp, ...]:
        return tuple(op for op in self.body.block.ops if isinstance(op, PortOp))

    def verify_(self) -> None:
        for op in self.body.block.ops:
            if not isinstance(op, ClassOp | ImageOp | DramOp | PortOp):
                raise VerifyException(
                    f"a disa.program holds classes, images, DRAM and ports, not {op.name}"
                )
        names = {each.sym_name.data for each in self.classes}
        for op in (*self.images, *self.ports):
            if op.node_class.string_value() not in names:
                raise VerifyException(
                    f"'{op.label.data}' is in class {op.node_class}, which is not there"
                )
        self._verify_nodes()

    def _verify_nodes(self) -> None:
        owner: dict[int, str] = {}
        for each in self.classes:
            for node in each.nodes.get_values():
                if node in owner:
                    raise VerifyException(
                        f"node {node} is in class {owner[node]} and in {each.sym_name.data}"
                    )
                owner[node] = each.sym_name.data


@irdl_op_definition
class ClassOp(IRDLOperation):
    """The nodes that run the same streams, in class order, as a grid of rows x columns."""

    name = "disa.class"
    sym_name = prop_def(SymbolNameConstraint())
    grid = prop_def(ArrayAttr[IntegerAttr[I64]])
    nodes = prop_def(DenseArrayBase.constr(i64))
    body = region_def("single_block")
    traits = traits_def(NoTerminator(), IsolatedFromAbove(), SymbolTable(), SymbolOpInterface())
    irdl_options = _OPTIONS
    assembly_format = "$sym_name `grid` $grid `nodes` $nodes $body attr-dict"

    def __init__(
        self, name: str, grid: tuple[int, int], nodes: Sequence[int], body: Region
    ) -> None:
        super().__init__(
            properties={
                "sym_name": StringAttr(name),
                "grid": ArrayAttr([number(size) for size in grid]),
                "nodes": DenseArrayBase.from_list(i64, [int(node) for node in nodes]),
            },
            regions=[body],
        )

    @property
    def shape(self) -> tuple[int, int]:
        rows, cols = (size.value.data for size in self.grid)
        return rows, cols

    @property
    def threads(self) -> tuple[ThreadOp, ...]:
        return tuple(op for op in self.body.block.ops if isinstance(op, ThreadOp))

    @property
    def kernels(self) -> tuple[KernelOp, ...]:
        return tuple(op for op in self.body.block.ops if isinstance(op, KernelOp))

    def verify_(self) -> None:
        nodes = self.nodes.get_values()
        if len(self.grid) != 2 or self.shape[0] * self.shape[1] != len(nodes):
            raise VerifyException(
                f"class {self.sym_name.data}: grid {self.grid} for {len(nodes)} nodes"
            )
        for op in self.body.block.ops:
            if not isinstance(op, ThreadOp | KernelOp):
                raise VerifyException(f"a disa.class holds threads and kernels, not {op.name}")
        numbers = [thread.number.value.data for thread in self.threads]
        if len(set(numbers)) != len(numbers):
            raise VerifyException(f"class {self.sym_name.data} has a thread twice: {numbers}")
        self._verify_calls()

    def _verify_calls(self) -> None:
        """Calls name kernels of the class, and no kernel calls itself, directly or round about."""
        known = {kernel.sym_name.data: called(kernel.body.block.ops) for kernel in self.kernels}
        for holder in (*self.threads, *self.kernels):
            for name in called(holder.body.block.ops):
                if name not in known:
                    raise VerifyException(
                        f"call of kernel @{name}, which class {self.sym_name.data} lacks"
                    )
        finished: set[str] = set()
        for name in known:
            _verify_acyclic(name, known, finished, ())


def _verify_acyclic(
    name: str, calls: dict[str, list[str]], finished: set[str], path: tuple[str, ...]
) -> None:
    if name in path:
        raise VerifyException(f"kernels call each other in a circle: {' -> '.join((*path, name))}")
    if name in finished:
        return
    for callee in calls[name]:
        _verify_acyclic(callee, calls, finished, (*path, name))
    finished.add(name)


def called(ops: Iterable[Operation]) -> list[str]:
    """Names of the kernels that the instructions call by name."""
    targets = [value for op in ops if op.name == CALL for value in op.properties.values()]
    return [value.root_reference.data for value in targets if isinstance(value, SymbolRefAttr)]


class CodeOp(IRDLOperation):
    """Base of thread and kernel: a straight run of instructions whose loops nest."""

    body = region_def("single_block")

    def verify_(self) -> None:
        ops = list(self.body.block.ops)
        for op in ops:
            if not hasattr(op, "ROW"):
                raise VerifyException(f"{self.name} holds instructions only, not {op.name}")
        verify_loops(ops)
        self.verify_ends([op.name for op in ops])

    def verify_ends(self, names: list[str]) -> None:
        """What the run must end with."""


def verify_loops(ops: Iterable[Operation]) -> None:
    """Every loop ends, and inner loops count in higher levels than the outer ones."""
    open_levels: list[int] = []
    for position, op in enumerate(ops):
        if op.name in LOOPS:
            level = op.values()[0]  # pyright: ignore[reportAttributeAccessIssue]
            if open_levels and level <= open_levels[-1]:
                raise VerifyException(
                    f"instruction {position}: loop level {level} stands inside level"
                    f" {open_levels[-1]};"
                    " levels rise inward"
                )
            open_levels.append(level)
        elif op.name == END:
            if not open_levels:
                raise VerifyException(f"instruction {position}: end without a loop")
            open_levels.pop()
        elif op.name in (RET, HALT) and open_levels:
            raise VerifyException(f"instruction {position}: {op.name} inside a loop")
    if open_levels:
        raise VerifyException(f"loops on levels {open_levels} have no end")


@irdl_op_definition
class ThreadOp(CodeOp):
    """The stream of one of the four threads; ends in `halt`."""

    name = "disa.thread"
    number = prop_def(IntegerAttr[I64])
    traits = traits_def(NoTerminator(), IsolatedFromAbove())
    irdl_options = _OPTIONS
    assembly_format = "$number $body attr-dict"

    def __init__(self, index: int, ops: Sequence[Operation]) -> None:
        super().__init__(properties={"number": number(index)}, regions=[Region(Block(ops))])

    def verify_ends(self, names: list[str]) -> None:
        index = self.number.value.data
        if not 0 <= index < THREADS:
            raise VerifyException(f"a node has threads 0..{THREADS - 1}, not {index}")
        if names[-1:] != [HALT] or names.count(HALT) != 1 or RET in names:
            raise VerifyException(f"thread {index} must end in its only halt and hold no ret")


@irdl_op_definition
class KernelOp(CodeOp):
    """A subroutine, placed once, called by name; ends in `ret`."""

    name = "disa.kernel"
    sym_name = prop_def(SymbolNameConstraint())
    traits = traits_def(NoTerminator(), IsolatedFromAbove(), SymbolOpInterface())
    irdl_options = _OPTIONS
    assembly_format = "$sym_name $body attr-dict"

    def __init__(self, name: str, ops: Sequence[Operation]) -> None:
        super().__init__(properties={"sym_name": StringAttr(name)}, regions=[Region(Block(ops))])

    def verify_ends(self, names: list[str]) -> None:
        if names[-1:] != [RET] or names.count(RET) != 1 or HALT in names:
            raise VerifyException(
                f"kernel @{self.sym_name.data} must end in its only ret and hold no halt"
            )


class MemoryOp(IRDLOperation):
    """Base of image and port: a buffer of a class, by address and layout."""

    label = prop_def(StringAttr)
    node_class = prop_def(SymbolRefAttr)
    address = prop_def(IntegerAttr[I64])
    layout = prop_def(Attribute)


@irdl_op_definition
class ImageOp(MemoryOp):
    """What the class's SRAM holds at start: a resource, spread over the nodes as the layout
    says."""

    name = "disa.image"
    resource = prop_def(StringAttr)
    irdl_options = _OPTIONS
    assembly_format = (
        "$label `in` $node_class `at` $address `holds` $resource `layout` $layout attr-dict"
    )

    def __init__(
        self, label: str, node_class: str, address: int, layout: Attribute, resource: str
    ) -> None:
        super().__init__(
            properties={
                "label": StringAttr(label),
                "node_class": SymbolRefAttr(node_class),
                "address": number(address),
                "layout": layout,
                "resource": StringAttr(resource),
            }
        )


@irdl_op_definition
class DramOp(IRDLOperation):
    """What the memory of every DIP that lists name holds at start: a resource as a whole, row-major
    in a storage format."""

    name = "disa.dram"
    address = prop_def(IntegerAttr[I64])
    resource = prop_def(StringAttr)
    fmt = prop_def(StringAttr)
    irdl_options = _OPTIONS
    assembly_format = "`at` $address `holds` $resource `as` $fmt attr-dict"

    def __init__(self, address: int, resource: str, fmt: str) -> None:
        super().__init__(
            properties={
                "address": number(address),
                "resource": StringAttr(resource),
                "fmt": StringAttr(fmt),
            }
        )


@irdl_op_definition
class PortOp(MemoryOp):
    """A buffer the host writes before the run (input) or reads after it (output)."""

    name = "disa.port"
    kind = prop_def(StringAttr)
    dtype = prop_def(StringAttr)
    shape = prop_def(ArrayAttr[IntegerAttr[I64]])
    irdl_options = _OPTIONS
    assembly_format = (
        "$kind $label $dtype $shape `in` $node_class `at` $address `layout` $layout attr-dict"
    )

    def __init__(
        self,
        kind: str,
        label: str,
        node_class: str,
        address: int,
        layout: Attribute,
        dtype: str,
        shape: Sequence[int],
    ) -> None:
        super().__init__(
            properties={
                "kind": StringAttr(kind),
                "label": StringAttr(label),
                "node_class": SymbolRefAttr(node_class),
                "address": number(address),
                "layout": layout,
                "dtype": StringAttr(dtype),
                "shape": ArrayAttr([number(size) for size in shape]),
            }
        )

    def verify_(self) -> None:
        if self.kind.data not in PORT_KINDS:
            raise VerifyException(f"a port is one of {PORT_KINDS}, not '{self.kind.data}'")


STRUCTURE_OPS = [ProgramOp, ClassOp, ThreadOp, KernelOp, ImageOp, DramOp, PortOp]
STRUCTURE_ATTRS = [MarkAttr]
