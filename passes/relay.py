"""Pass `relay`: exchanges that bring the same bytes to many nodes are passed on from node to
node."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import ClassVar

import numpy as np
from xdsl.dialects.builtin import ModuleOp, StringAttr

from dojocc.dialects.context import DojoContext
from dojocc.dialects.tile import CollectiveOp, ExchangeOp
from dojocc.dialects.tile_types import whole
from dojocc.passes.base import Pass
from dojocc.passes.collective import costs_of
from dojocc.passes.collective_steps import lists_numbered
from dojocc.passes.liveness import schedule, the_program
from dojocc.passes.parameters import segments_of
from dojocc.passes.relay_steps import relay_of
from dojocc.passes.route import grid_nodes
from dojocc.passes.solve.relay_choice import Machine, Relay, chosen_relay
from dojocc.passes.target_of import target_of
from dojocc.runtime.errors import UsageError


@dataclass(frozen=True)
class Relays(Pass):
    """Have readers of the same bytes pass them on, where that is clearly faster.

    Takes: form tile without addresses; the context has a target.

    Leaves: form tile; some tile.exchange ops have a table of moves in place of pushes from the
      holders alone, and transfer lists are numbered anew in the order of the schedule.

    How:
    1. Nodes that read exactly the same bytes form groups of rows and columns of the grid
       (solve/relay_groups.py). Each member takes a part of them from its holder.
    2. The parts go round along one axis of the group and then along the other, from destination
       buffer to destination buffer (solve/relay.py): every node still receives each byte once, and
       where it belongs. What no group reads is pushed as ever.
    3. A relay is taken where its cycles, modelled from ports, links and the latency of steps, are
       at most `worth` times those of pushes (solve/relay_choice.py): estimates are no better.
       Equal exchanges are solved once, as are those that differ in where they begin to read, like
       the slices of one operand.

    Fails: UsageError for a negative share; InputError when the program's grid is not the target's.
    """

    worth: float = 0.8

    name: ClassVar[str] = "relay"
    takes: ClassVar[str] = "tile"
    leaves: ClassVar[str] = "tile"

    def __post_init__(self) -> None:
        if self.worth < 0:
            raise UsageError(
                "pass 'relay' takes a share of the cycles of pushes",
                numbers=f"worth={self.worth}",
                help="0 relays nothing; 0.8 what takes at most 0.8 times the cycles",
            )

    def apply(self, ctx: DojoContext, op: ModuleOp) -> None:
        target = target_of(ctx, self.name)
        plan = schedule(the_program(op))
        machine = Machine(target, costs_of(target), grid_nodes(plan, target))
        known: dict[bytes, Relay | None] = {}
        nodes = len(machine.nodes)
        pushed = [each for each in plan.exchanges if each.resource is None]
        for each in pushed:
            segments, begins = from_begin(segments_of(ctx.resources, each, nodes))
            key = sha256(segments.tobytes()).digest()
            if key not in known:
                known[key] = chosen_relay(segments, plan.program.shape, machine, self.worth)
            set_relay(ctx, each, moved_on(known[key], begins), nodes)
        number = 0
        for step in plan.steps:
            if isinstance(step, ExchangeOp | CollectiveOp):
                step.number = whole(number)
                number += len(lists_numbered(step))
        relayed = sum(each.relay is not None for each in pushed)
        ctx.remarks.append(f"relay: {relayed} of {len(pushed)} exchanges are passed on")


def from_begin(segments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The segments as if each source began with the first byte that is read of it; by operand,
    where that is."""
    rows = segments.copy()
    begins = np.zeros(int(rows["operand"].max(initial=0)) + 1, np.int64)
    for number in range(len(begins)):
        mine = rows["operand"] == number
        begins[number] = rows["src"][mine].min() if mine.any() else 0
        rows["src"][mine] -= begins[number]
    return rows, begins


def moved_on(relay: Relay | None, begins: np.ndarray) -> Relay | None:
    """The relay with what it reads of sources further on."""
    if relay is None or not begins.any():
        return relay
    moves = relay.moves.copy()
    held = moves["source"] > 0
    moves["src"][held] += begins[moves["source"][held] - 1]
    return replace(relay, moves=moves)


def set_relay(ctx: DojoContext, op: ExchangeOp, relay: Relay | None, nodes: int) -> None:
    """The op with the relay's table, its numbers of lists and semaphores, its modelled cycles."""
    if relay is None:
        return
    key = f"tile.relay.{sha256(relay.moves.tobytes()).hexdigest()[:16]}"
    ctx.resources[key] = relay.moves
    op.relay = StringAttr(key)
    op.lists = whole(len(np.unique(relay.moves[["step", "chain"]])))
    relayed = relay_of(ctx.resources, op, nodes)
    assert relayed is not None
    op.counters = whole(relayed.semaphores)
    op.cycles = whole(round(relay.cycles))
