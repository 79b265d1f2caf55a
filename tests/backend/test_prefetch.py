"""Pass prefetch: exchanges start earlier, and nothing else changes: values, waits, what fits."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from backend_cases import TileModule, lower, run_all
from kernel_cases import fused, layout, random
from xdsl.dialects.builtin import ModuleOp, f32
from xdsl.ir import SSAValue

from dojocc.dialects.context import DojoContext
from dojocc.dialects.op import NNOp
from dojocc.dialects.tile import CallOp, ExchangeOp
from dojocc.dialects.types import tensor
from dojocc.passes.liveness import schedule, the_program
from dojocc.passes.prefetch import Prefetch, in_use
from dojocc.runtime.engines.scheduler import Scheduler
from dojocc.runtime.errors import DoesNotFit
from dojocc.runtime.layout import Layout
from dojocc.runtime.timing import time_program

SHAPE = (48, 64)
ROWS = layout(SHAPE, shards={0: (("row", "col"), 8)})
COLUMNS = layout(SHAPE, shards={1: (("col",), 32)})
WHOLE = layout(SHAPE)
BYTES = WHOLE.bytes
KINDS = (ROWS, COLUMNS, WHOLE)
STEPS = 24
START = Scheduler.start


def op_on(held: Layout, name: str, operands: int) -> NNOp:
    return fused([tensor(held.shape)] * operands, f32, lambda b, *values: b(name, *values))


def layers(count: int) -> TileModule:
    """Each layer adds its own weights, kept spread over the nodes and brought whole before use."""
    built = TileModule()
    value = built.input("x", WHOLE)
    for number in range(count):
        kept = built.image(f"kept{number}", ROWS, random(number, *SHAPE))
        brought = built.buffer(f"brought{number}", WHOLE)
        built.exchange(brought, [kept], location=f"node 'layer{number}'")
        result = built.buffer(f"result{number}", WHOLE)
        built.compute(op_on(WHOLE, "add", 2), [value, brought], [result], f"layer{number}")
        value = result
    built.output("y", value)
    return built


def expected_of_layers(count: int, x: np.ndarray) -> np.ndarray:
    for number in range(count):
        x = x + random(number, *SHAPE)
    return x


def positions(module: ModuleOp) -> tuple[list[int], list[int]]:
    """Where exchanges (by number) and calls stand in the schedule."""
    steps = schedule(the_program(module)).steps
    exchanges = {
        op.number.value.data: step for step, op in enumerate(steps) if isinstance(op, ExchangeOp)
    }
    calls = [step for step, op in enumerate(steps) if isinstance(op, CallOp)]
    return [exchanges[number] for number in sorted(exchanges)], calls


@dataclasses.dataclass
class RandomProgram:
    """A program of exchanges and differences over three layouts, writing new buffers and old ones,
    beside what each buffer should hold."""

    seed: int
    built: TileModule = dataclasses.field(default_factory=TileModule)
    held: dict[SSAValue, np.ndarray] = dataclasses.field(default_factory=dict)
    kept: list[SSAValue] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        self.draw = np.random.default_rng(self.seed)
        self.given = {f"x{number}": random(100 + number, *SHAPE) for number in range(len(KINDS))}
        for kind, (name, array) in zip(KINDS, self.given.items(), strict=True):
            self.held[self.built.input(name, kind)] = array
        for number in range(2):
            array = random(200 + number, *SHAPE)
            self.kept.append(self.built.image(f"kept{number}", ROWS, array))
            self.held[self.kept[-1]] = array
        for step in range(STEPS):
            kind = KINDS[self.draw.integers(len(KINDS))]
            if self.draw.random() < 0.5:
                self.move(step, kind)
            else:
                self.subtract(step, kind)
        for number, value in enumerate(self.held):
            self.built.output(f"y{number}", value)

    def any_of(self, values: list[SSAValue]) -> SSAValue:
        return values[self.draw.integers(len(values))]

    def of_kind(self, kind: Layout) -> list[SSAValue]:
        return [value for value in self.held if self.built.layouts[value] is kind]

    def target(self, step: int, kind: Layout, reads: list[SSAValue]) -> SSAValue:
        """A new buffer, or an old one that the step does not read and that has no image."""
        old = [each for each in self.of_kind(kind) if each not in (*self.kept, *reads)]
        if old and self.draw.random() < 0.5:
            return self.any_of(old)
        return self.built.buffer(f"b{step}", kind)

    def move(self, step: int, kind: Layout) -> None:
        source = self.any_of(list(self.held))
        target = self.target(step, kind, [source])
        self.built.exchange(target, [source], location=f"node 'step{step}'")
        self.held[target] = self.held[source]

    def subtract(self, step: int, kind: Layout) -> None:
        first, second = self.any_of(self.of_kind(kind)), self.any_of(self.of_kind(kind))
        target = self.target(step, kind, [first, second])
        op = op_on(kind, "subtract", 2)
        self.built.compute(op, [first, second], [target], f"step{step}")
        self.held[target] = self.held[first] - self.held[second]

    @property
    def wanted(self) -> dict[str, np.ndarray]:
        return {f"y{number}": array for number, array in enumerate(self.held.values())}


def awaited_before(module: ModuleOp) -> dict[int, int]:
    """By number of an exchange, how many calls thread 0 makes before it awaits its end."""
    plan = schedule(the_program(module))
    return {
        op.number.value.data: sum(isinstance(each, CallOp) for each in plan.steps[:wait])
        for op, wait in plan.waits.items()
    }


def start_communicating_first(scheduler: Scheduler) -> None:
    """Thread 1 of every node runs as soon as it can, not when thread 0 must wait."""
    START(scheduler)
    scheduler.groups.reverse()


def bytes_in_use(module: ModuleOp) -> list[int]:
    return in_use(schedule(the_program(module)))


def with_node(built: TileModule, **changes: int) -> DojoContext:
    """The context, for nodes that differ from tiny's."""
    ctx = built.context()
    assert ctx.target is not None
    ctx.target = dataclasses.replace(
        ctx.target, node=dataclasses.replace(ctx.target.node, **changes)
    )
    return ctx


def test_each_brought_constant_starts_before_the_kernel_of_the_one_before() -> None:
    built = layers(5)
    module = built.module()
    waits = awaited_before(module)
    Prefetch().apply(built.context(), module)
    module.verify()
    exchanges, calls = positions(module)
    assert [sum(call < step for call in calls) for step in exchanges] == [0, 0, 1, 2, 3]
    assert awaited_before(module) == waits == {number: number for number in range(5)}


@pytest.mark.parametrize("ahead, starts", [(0, [0, 1, 2, 3, 4]), (2, [0, 0, 0, 1, 2])])
def test_ahead_is_how_many_buffers_are_filled_besides_the_one_in_use(
    ahead: int, starts: list[int]
) -> None:
    built = layers(5)
    module = built.module()
    Prefetch(ahead).apply(built.context(), module)
    exchanges, calls = positions(module)
    assert [sum(call < step for call in calls) for step in exchanges] == starts


@pytest.mark.parametrize("first", ("compute", "communicate"))
@pytest.mark.parametrize("seed", range(6))
def test_random_programs_keep_their_values_whichever_thread_is_ahead(
    seed: int, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = RandomProgram(seed)
    ctx, module = case.built.context(), case.built.module()
    order = positions(module)[0]
    waits = awaited_before(module)
    Prefetch(2).apply(ctx, module)
    assert positions(module)[0] != order, "nothing moved: this case shows nothing"
    assert awaited_before(module) == waits
    if first == "communicate":
        monkeypatch.setattr(Scheduler, "start", start_communicating_first)
    found = run_all(lower(ctx, module), case.given)
    for name, array in case.wanted.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def test_modelled_cycles_drop_and_values_stay() -> None:
    x = random(9, *SHAPE)
    cycles = {}
    for ahead in (0, 1):
        built = layers(6)
        ctx, module = built.context(), built.module()
        Prefetch(ahead).apply(ctx, module)
        program = lower(ctx, module)
        np.testing.assert_array_equal(run_all(program, {"x": x})["y"], expected_of_layers(6, x))
        cycles[ahead] = time_program(program).cycles
    assert cycles[1] < 0.8 * cycles[0], cycles


def test_transfers_under_way_together_take_the_mesh_in_turn() -> None:
    cycles = []
    for count in (1, 2, 3):
        built = TileModule()
        x = built.input("x", ROWS)
        for number in range(count):
            moved = built.buffer(f"moved{number}", WHOLE)
            built.exchange(moved, [x])
            built.output(f"y{number}", moved)
        program = lower(built.context(), built.module())
        cycles.append(time_program(program).cycles)
        bound = (BYTES - ROWS.bytes) / program.target.mesh.packet_bytes
    assert cycles[1] - cycles[0] >= bound and cycles[2] - cycles[1] >= bound, (cycles, bound)


def test_it_uses_no_more_than_the_sram_there_is() -> None:
    built = layers(5)
    tight = max(bytes_in_use(built.module()))
    spare = []
    for more in (0, BYTES, 4 * BYTES):
        built = layers(5)
        ctx, module = with_node(built, sram_bytes=tight + more), built.module()
        waits = awaited_before(module)
        Prefetch(4).apply(ctx, module)
        assert max(bytes_in_use(module)) <= tight + more
        assert awaited_before(module) == waits
        exchanges, calls = positions(module)
        spare.append(sum(sum(call < step for call in calls) for step in exchanges))
        lower(ctx, module)
    assert spare[0] > spare[1] > spare[2], "more room lets more start earlier"


def test_what_does_not_fit_before_is_left_alone() -> None:
    built = layers(3)
    ctx, module = with_node(built, sram_bytes=2 * BYTES), built.module()
    before = str(module)
    Prefetch().apply(ctx, module)
    assert str(module) == before
    with pytest.raises(DoesNotFit):
        lower(ctx, module)


@pytest.mark.parametrize("semaphores", (2, 3, 4))
def test_no_more_are_under_way_than_there_are_semaphores(semaphores: int) -> None:
    built = layers(8)
    ctx, module = with_node(built, semaphores=semaphores), built.module()
    Prefetch(8).apply(ctx, module)
    program = lower(ctx, module)
    assert len(set(program.lists["far_sem"])) == semaphores - 1
    x = random(9, *SHAPE)
    np.testing.assert_array_equal(run_all(program, {"x": x})["y"], expected_of_layers(8, x))


def test_the_same_module_always_gives_the_same_schedule() -> None:
    texts = set()
    for _ in range(2):
        case = RandomProgram(3)
        module = case.built.module()
        Prefetch().apply(case.built.context(), module)
        texts.add(str(module))
    assert len(texts) == 1
