"""Constants that SRAM does not hold come from DRAM: the same values at every level, loads ahead of
their readers, sound programs, and a refusal where that does not help."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from program_levels import Lowered, assert_near, assert_same, lower_module
from zoo_models import zoo

from dojocc.dialects.context import DojoContext
from dojocc.dialects.mesh import LOAD
from dojocc.dialects.printing import parse_module, print_module
from dojocc.dialects.tile import CallOp, ExchangeOp
from dojocc.frontends.onnx import import_onnx
from dojocc.passes.liveness import schedule, the_program
from dojocc.passes.shard import Shard
from dojocc.runtime.engines import run
from dojocc.runtime.errors import DoesNotFit
from dojocc.runtime.formats import decode
from dojocc.runtime.isa.asm import assemble
from dojocc.runtime.isa.disasm import disassemble
from dojocc.runtime.lists import DRAM_LOAD, NO_SEMAPHORE, rows_of_entries
from dojocc.runtime.program import Program
from dojocc.runtime.target import Target
from dojocc.runtime.targets import load_target
from dojocc.runtime.timing import time_program
from dojocc.runtime.verify import verify

TINY = "tests/targets/tiny.toml"
ROOM = 0.93  # of SRAM, for the sharder; the rest is parameters and the packer's loss


def cut(sram: int, **dips: float) -> Target:
    """The tiny target with so much SRAM, and DIPs with these numbers."""
    target = load_target(TINY)
    node, changed = replace(target.node, sram_bytes=sram), replace(target.dips, **dips)
    return replace(target, node=node, dips=changed)


def lowered(name: str, precision: str, target: Target, dram: bool = True) -> Lowered:
    context = DojoContext(target=target)
    model = zoo.build(name, "tiny")
    inputs = {
        key: value.astype(np.int32) if value.dtype == np.int64 else value
        for key, value in zoo.inputs(model, 7).items()
    }
    budget = int(target.node.sram_bytes * ROOM)
    options: dict[str, dict[str, object]] = {"shard": {"sram_budget": budget, "dram": dram}}
    return lower_module(context, import_onnx(model, context), inputs, precision, options)


def loads(program: Program) -> np.ndarray:
    return program.entries[program.entries["kind"] == DRAM_LOAD]


def check_levels(found: Lowered, precision: str) -> None:
    wanted = found.machine_order()
    assert_same(found.on_mesh(), wanted, "the mesh module")
    assert_same(found.on_tiles(), wanted, "the tile module")
    judged, _ = found.engine("reference", "exact")
    assert_same(judged, wanted, "the reference engine")
    exact, _ = found.engine("vector", "exact")
    assert_same(exact, judged, "the vector engine")
    fast, _ = found.engine("vector", "fast")
    assert_near(fast, wanted, 1e-5 if precision == "fp32" else 2e-2, "the vector engine, fast")
    report = verify(found.program)
    assert report.sound, report.findings[:3]


@pytest.mark.parametrize(
    ("name", "precision", "sram"),
    [
        ("bert", "bf16", 16_000),
        ("gpt2", "fp32", 24_000),
        ("resnet50", "bf16", 30_000),
    ],
)
def test_every_level_gives_the_same(name: str, precision: str, sram: int) -> None:
    target = cut(sram)
    with pytest.raises(DoesNotFit):
        lowered(name, precision, target, dram=False)
    found = lowered(name, precision, target)
    assert len(loads(found.program))
    check_levels(found, precision)
    timed = time_program(found.program)
    assert timed.cycles >= timed.lower_bound_cycles and timed.utilization["dram"] > 0
    assert found.program.build["sram_peak_bytes"] <= sram


def test_dram_holds_each_tensor_once_as_its_codes() -> None:
    program = lowered("bert", "bf16", cut(16_000)).program
    weights = {tensor.name: tensor for tensor in zoo.build("bert", "tiny").graph.initializer}
    assert len({image.tensor for image in program.dram}) == len(program.dram) > 1
    for image in program.dram:
        kept = program.tensors[image.tensor]
        wanted = np.frombuffer(weights[image.name].raw_data, np.float32).reshape(kept.shape)
        np.testing.assert_allclose(decode(kept, "BF16"), wanted, rtol=2**-8)
        assert not any(each.tensor == image.tensor for each in program.images)
    ends = [image.address + program.tensors[image.tensor].nbytes for image in program.dram]
    starts = [image.address for image in program.dram]
    assert sorted(starts) == starts and all(a <= b for a, b in zip(ends, starts[1:], strict=False))


def test_loads_start_kernels_before_their_reader() -> None:
    found = lowered("bert", "bf16", cut(16_000))
    module = found.tile.module
    plan = schedule(the_program(module))
    begins = {op: step for step, op in enumerate(plan.steps)}
    ahead = [
        any(isinstance(each, CallOp) for each in plan.steps[begins[op] : plan.waits[op]])
        for op in plan.exchanges
        if op.resource is not None
    ]
    assert len(ahead) >= 4 and all(ahead)


def test_from_slow_dram_each_part_is_loaded_once_and_forwarded() -> None:
    found = lowered("gpt2", "fp32", cut(24_000, hbm_bytes_per_s=5e9))
    module = found.tile.module
    exchanges = [op for op in module.walk() if isinstance(op, ExchangeOp)]
    loaded = {op.destination for op in exchanges if op.resource is not None}
    assert sum(source in loaded for op in exchanges for source in op.sources) > len(loaded) / 2
    check_levels(found, "fp32")
    rows, program = loads(found.program), found.program
    moved = (rows["bytes"].astype(np.int64) * rows["count0"] * rows["count1"]).sum()
    assert moved < 1.1 * sum(program.tensors[image.tensor].nbytes for image in program.dram)


def test_every_node_loads_from_its_nearest_dip() -> None:
    """Two DIPs along the west edge serve a row of nodes each."""
    found = lowered("bert", "bf16", cut(16_000, count=2))
    rows, program = loads(found.program), found.program
    nodes = program.classes[0].nodes[rows["node"]]
    np.testing.assert_array_equal(rows["peer"], nodes // program.target.cols)
    names = {image.name for image in program.dram}
    assert {(i.name, i.dip) for i in program.dram} == {(n, d) for n in names for d in (0, 1)}
    check_levels(found, "bf16")


@pytest.mark.parametrize(("count", "tried"), [(1, True), (0, False)])
def test_where_nothing_helps_the_refusal_says_what_was_tried(count: int, tried: bool) -> None:
    with pytest.raises(DoesNotFit) as refusal:
        lowered("bert", "bf16", cut(3_000, count=count))
    text = str(refusal.value)
    assert "does not fit the SRAM of 6 nodes" in text and "B too much" in text
    assert ("with constants in DRAM still" in text) == tried


def test_the_choice_is_said_tensor_by_tensor() -> None:
    found = lowered("bert", "bf16", cut(16_000))
    context = DojoContext(target=cut(16_000))
    module = found.fused.module.clone()
    context.resources.update(found.fused.context.resources)
    Shard(int(16_000 * ROOM)).apply(context, module)
    first, *lines = [each for each in context.remarks if each.startswith("DRAM: ")]
    made = [op for op in module.walk() if op.name == "mesh.exchange" and op.kind.data == LOAD]  # pyright: ignore
    sizes = sum(op.bytes.value.data for op in made)  # pyright: ignore
    assert f"{len(lines)} constants" in first and f"{sizes:,} B are loaded in every run" in first
    assert any("weight_5 is loaded for node 'MatMul_7'" in line for line in lines)


def faults() -> list[object]:
    """Changes of one load of a program, and what they break."""

    def elsewhere(rows: np.ndarray, first: int) -> None:
        rows["src"][first] += 64

    def unannounced(rows: np.ndarray, first: int) -> None:
        rows["home_sem"][first] = NO_SEMAPHORE

    def cut_short(rows: np.ndarray, first: int) -> None:
        rows["bytes"][first] //= 2

    return [
        pytest.param(elsewhere, "exchange", id="elsewhere"),
        pytest.param(unannounced, "deadlock", id="unannounced"),
        pytest.param(cut_short, "exchange", id="cut_short"),
    ]


@pytest.mark.parametrize(("change", "kind"), faults())
def test_verify_finds_a_wrong_load(change, kind: str) -> None:
    program = lowered("bert", "bf16", cut(16_000)).program
    rows = program.entries.copy()
    change(rows, int(np.argmax(rows["kind"] == DRAM_LOAD)))
    report = verify(replace(program, lists=rows_of_entries(rows)))
    assert kind in {finding.kind for finding in report.findings}


def test_verify_finds_dram_content_at_a_wrong_address() -> None:
    program = lowered("bert", "bf16", cut(16_000)).program
    first, *rest = program.dram
    moved = replace(first, address=program.dram[-1].address + 4096)
    report = verify(replace(program, dram=(moved, *rest)))
    assert "a DIP does not hold what a load is for" in {each.what for each in report.findings}


def test_every_text_form_comes_back() -> None:
    found = lowered("bert", "bf16", cut(16_000, count=2))
    for stage in (found.mesh, found.tile, found.disa):
        text = print_module(stage.module)
        assert print_module(parse_module(DojoContext(), text)) == text
    again = assemble(disassemble(found.program))
    assert again.dram == found.program.dram
    assert_same(run(again, found.inputs).outputs, run(found.program, found.inputs).outputs, "asm")


def test_a_session_runs_twice_alike() -> None:
    """What DRAM holds is not used up."""
    found = lowered("gpt2", "bf16", cut(15_000))
    outputs = [run(found.program, found.inputs, "vector", "exact").outputs for _ in range(2)]
    assert_same(outputs[1], outputs[0], "the second run")
