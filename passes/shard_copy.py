"""A sharding plan as data: where values live, and the copies that kernels read.

Made by passes/shard_plan.py, changed by passes/shard_stream.py, written by passes/shard_realise.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from xdsl.ir import Operation, SSAValue

from dojocc.passes.movement import is_movement, movement_sources
from dojocc.passes.solve.candidates import Placed
from dojocc.passes.solve.sharding import Weights
from dojocc.passes.solve.work import Grid
from dojocc.runtime.layout import Layout


@dataclass(frozen=True)
class Stream:
    """How a constant comes from DRAM for one reader (`turn`): loaded as it is wanted, or loaded
    once in layout `via` and forwarded. Both start before given positions in the block's ops.
    """

    turn: int
    via: Layout | None
    load: int
    move: int


@dataclass(frozen=True)
class Copy:
    """A value in a layout other than its own: an exchange makes it, or an image (of a constant), or
    it comes from DRAM."""

    value: SSAValue
    layout: Layout
    zero_dims: tuple[int, ...] = (-1,)
    image: bool = False
    stream: Stream | None = None


@dataclass
class Plan:
    """`homes`: the layout a value is made in; `reads[op]`: a Copy by operand, or None for home.

    `weights`: the prices of SRAM that it was made at.
    """

    grid: Grid
    weights: Weights = Weights()
    kernels: dict[Operation, Placed] = field(default_factory=dict)
    homes: dict[SSAValue, Layout] = field(default_factory=dict)
    reads: dict[Operation, list[Copy | None]] = field(default_factory=dict)
    copies: dict[Copy, None] = field(default_factory=dict)


def copy_sources(copy: Copy) -> list[SSAValue]:
    """What an exchange for this copy reads; nothing for what is there, or comes from DRAM."""
    if copy.image or copy.stream is not None:
        return []
    return movement_sources(copy.value) if is_movement(copy.value.owner) else [copy.value]
