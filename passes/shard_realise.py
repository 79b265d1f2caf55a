"""Writes a sharding plan into the IR: layouts into types, copies as constants and exchanges."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from xdsl.dialects.builtin import FunctionType, TensorType
from xdsl.dialects.func import FuncOp
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from dojocc.dialects.location import copy_location, get_location, merge_locations
from dojocc.dialects.mesh import (
    LOAD,
    ExchangeOp,
    is_zero,
    layout_of,
    plain_region,
    with_layout,
)
from dojocc.dialects.nn.constant import ConstantOp
from dojocc.dialects.nn.fused import YieldOp
from dojocc.dialects.op import NNOp
from dojocc.passes.cost import Moved, Rates, exchange_cost, load_cost
from dojocc.passes.movement import (
    is_kernel,
    is_movement,
    movement_ops,
    movement_sources,
    reading_from,
)
from dojocc.passes.shard_copy import Copy, Plan, Stream, copy_sources
from dojocc.passes.shard_work import is_constant
from dojocc.runtime.layout import Layout


@dataclass
class Realiser:
    """Applies one plan to one function."""

    plan: Plan
    rates: Rates
    made: dict[Copy, SSAValue] = field(default_factory=dict)
    homes: dict[SSAValue, SSAValue] = field(default_factory=dict)
    ops: tuple[Operation, ...] = ()  # the block's before anything is written
    current: dict[SSAValue, SSAValue] = field(default_factory=dict)  # a value with its layout

    def apply(self, function: FuncOp) -> None:
        """Layouts first, then copies just before their first readers; unused ops go."""
        block = function.body.block
        self.ops = tuple(block.ops)
        for value, layout in self.plan.homes.items():
            if not is_constant(value):
                self.current[value] = set_layout(value, layout)
        for op, reads in self.plan.reads.items():
            values = list(op.operands)
            for number, copy in enumerate(reads):
                if copy is not None:
                    op.operands[number] = self._value(copy, values[number], op)
        for op in reversed(list(block.ops)):
            unread = is_movement(op) or is_kernel(op) or isinstance(op, ConstantOp)
            if unread and not any(result.uses for result in op.results):
                block.erase_op(op)
        inputs = [argument.type for argument in block.args]
        last = block.last_op
        outputs = list(last.operand_types) if last is not None else []
        function.function_type = FunctionType.from_lists(inputs, outputs)

    def _value(self, copy: Copy, value: SSAValue, reader: Operation) -> SSAValue:
        if copy not in self.made:
            if copy.stream is not None:
                self.made[copy] = self._streamed(copy, copy.stream, reader)
            elif copy.image:
                self.made[copy] = self._image(value, copy.layout, reader)
            else:
                self.made[copy] = self._exchange(copy, reader)
        return self.made[copy]

    def _image(self, value: SSAValue, layout: Layout, reader: Operation) -> SSAValue:
        """The constant once more, in this layout."""
        owner = value.owner
        assert isinstance(owner, ConstantOp)
        clone = owner.clone()
        clone.results[0].name_hint = value.name_hint
        Rewriter.insert_op(clone, InsertPoint.before(reader))
        return set_layout(clone.results[0], layout)

    def _streamed(self, copy: Copy, stream: Stream, reader: Operation) -> SSAValue:
        """A constant from DRAM: loaded as it is wanted, or loaded once and forwarded."""
        loaded = copy if stream.via is None else replace(copy, layout=stream.via, zero_dims=(-1,))
        value = self._load(loaded, self.ops[stream.load], reader)
        if stream.via is None:
            return value
        kind = value.type
        assert isinstance(kind, TensorType)
        region, _ = movement_region(value, [value])
        moved = exchange_cost(stream.via, copy.layout, self.rates)
        return self._insert(
            [value],
            with_layout(kind, copy.layout),
            region,
            get_location(reader),
            self.ops[stream.move],
            kind_of(stream.via, copy.layout),
            moved,
            copy,
        )

    def _load(self, copy: Copy, before: Operation, reader: Operation) -> SSAValue:
        """A load of a constant, or of what movement makes of it."""
        moved = is_movement(copy.value.owner)
        base = movement_sources(copy.value)[0] if moved else copy.value
        assert isinstance(base.owner, ConstantOp) and isinstance(copy.value.type, TensorType)
        region, chain = movement_region(copy.value, [base])
        clone = base.owner.clone()
        clone.results[0].name_hint = base.name_hint
        Rewriter.insert_op(clone, InsertPoint.before(before))
        return self._insert(
            [clone.results[0]],
            with_layout(copy.value.type, copy.layout),
            region,
            merge_locations(chain) or get_location(reader),
            before,
            LOAD,
            load_cost(copy.layout, self.rates),
            copy,
        )

    def _source(self, value: SSAValue, reader: Operation) -> SSAValue:
        """A value in its home layout."""
        if not is_constant(value):
            return value
        if value not in self.homes:
            self.homes[value] = self._image(value, self.plan.homes[value], reader)
        return self.homes[value]

    def _exchange(self, copy: Copy, reader: Operation) -> SSAValue:
        value = self.current.get(copy.value, copy.value)
        bases = copy_sources(Copy(value, copy.layout))
        sources = [self._source(base, reader) for base in bases]
        region, chain = movement_region(value, bases)
        layouts = [layout for source in sources if (layout := layout_of(source)) is not None]
        moved = self._cost(copy, value, bases, layouts)
        kind = "move" if chain else kind_of(layouts[0], copy.layout)
        location = merge_locations(chain) or get_location(reader)
        assert isinstance(value.type, TensorType)
        kinds = with_layout(value.type, copy.layout)
        return self._insert(sources, kinds, region, location, reader, kind, moved, copy)

    def _insert(
        self,
        sources: list[SSAValue],
        type: TensorType,
        region: Region,
        location: str | None,
        before: Operation,
        kind: str,
        moved: Moved,
        copy: Copy,
    ) -> SSAValue:
        """The exchange for a copy, in front of an op."""
        op = ExchangeOp.make(
            sources,
            type,
            region,
            location,
            kind=kind,
            bytes=moved.bytes,
            cycles=moved.cycles,
            zero_dims=sorted({dim % max(len(copy.layout.shape), 1) for dim in copy.zero_dims}),
        )
        Rewriter.insert_op(op, InsertPoint.before(before))
        return op.result

    def _cost(
        self, copy: Copy, value: SSAValue, bases: list[SSAValue], layouts: list[Layout]
    ) -> Moved:
        """Cost of an exchange from its largest source."""
        number = max(range(len(bases)), key=lambda each: layouts[each].bytes, default=None)
        if number is None:
            return exchange_cost(None, copy.layout, self.rates)
        reading = reading_from(value, bases[number]) if is_movement(value.owner) else None
        return exchange_cost(layouts[number], copy.layout, self.rates, reading)


def set_layout(value: SSAValue, layout: Layout) -> SSAValue:
    """Put a layout into a value's type; the value that now stands for it."""
    assert isinstance(value.type, TensorType)
    return Rewriter.replace_value_with_new_type(value, with_layout(value.type, layout))


def movement_region(value: SSAValue, bases: list[SSAValue]) -> tuple[Region, list[NNOp]]:
    """The region of an exchange: the movement ops behind `value` on whole tensors, from `bases`."""
    region = plain_region([base.type for base in bases if isinstance(base.type, TensorType)])
    block: Block = region.block
    inside: dict[SSAValue, SSAValue] = dict(zip(bases, block.args, strict=True))
    chain = movement_ops(value)
    for op in chain:
        for operand in op.operands:
            if operand not in inside:  # a zero for padding
                assert is_zero(operand.owner) and isinstance(operand.owner, ConstantOp)
                zero = operand.owner.clone()
                block.add_op(zero)
                inside[operand] = zero.results[0]
        clone = op.clone_without_regions(value_mapper=dict(inside))
        copy_location(op, clone)
        block.add_op(clone)
        inside[op.results[0]] = clone.results[0]
    block.add_op(YieldOp.create(operands=[inside[value]]))
    return region, chain


def kind_of(src: Layout, dst: Layout) -> str:
    """What a change of layout is called."""
    pairs = list(zip(src.dims, dst.dims, strict=True))
    if all(a.axes == b.axes and a.step == b.step for a, b in pairs):
        return "halo"
    if all(not b.axes or a.axes == b.axes for a, b in pairs):
        return "all_gather"
    return "reshard"
