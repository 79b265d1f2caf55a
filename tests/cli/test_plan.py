"""`dojocc plan`: rates from rates, tiles from rates, what binds; wrong demands."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, inf
from pathlib import Path

import numpy as np
import onnx.numpy_helper
import pytest
from cli_run import dojocc

from dojocc import compile, zoo
from dojocc.compiler import Options, compile_model
from dojocc.report import capacity
from dojocc.report.capacity import Demand, Plan, Work, plan, work_of
from dojocc.runtime.lists import DRAM_LOAD, LEVELS, LIST_DTYPE, PUSH
from dojocc.runtime.program import Program
from dojocc.runtime.timing import TimingResult, time_program


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plan") / "mlp.onnx"
    path.write_bytes(zoo.build("mlp", "tiny").SerializeToString())
    return path


@pytest.fixture(scope="module")
def made(model: Path) -> tuple[Program, TimingResult]:
    program = compile(model)
    return program, time_program(program)


def planned(made: tuple[Program, TimingResult], rate: float, size: float = 1e-3) -> Plan:
    return plan(*made, Work(10**9, 1e-3), Demand(rate, size, "so many"), 4, "bf16")


def test_the_three_ways_to_say_a_rate_agree(model: Path) -> None:
    ways = [
        ("--cameras", 8, "--rate", 36),
        ("--frames-per-second", 288),
        ("--frames-per-day", 288 * 86400),
    ]
    found = [dojocc("plan", model, *way, "--resolution", "64x48", "--json").json() for way in ways]
    for each in found:
        assert each["schema"] == "dojocc.plan/1" and each["demand"].pop("text")
        assert each["demand"] == {"per_second": 288, "frame_bytes": 64 * 48 * 12 / 8}
    assert found[0] == found[1] == found[2]
    assert found[0]["frames_per_run"] == 4 and found[0]["frames_per_second"]["DRAM"] is None


def test_the_text_names_every_assumption(model: Path) -> None:
    text = dojocc("plan", model, "--frames-per-day", 160e9).out
    for words in ("1.6e+11 frames a day: 1,851,851.9/s", "binds", "training tiles", "kW", "H100s"):
        assert words in text
    lines = text.split("rests on")[1].strip().splitlines()
    assert all(line.split("  ")[1:] and "ed " in line for line in lines) and len(lines) >= 9


def test_a_tile_is_as_many_machines_as_it_has_dies(made: tuple[Program, TimingResult]) -> None:
    program, timing = made
    a_run = 25 * 4 * program.target.node.clock_hz / timing.cycles
    found = planned(made, 1.0)
    assert found.frames_per_second["schedule"] == pytest.approx(a_run)
    assert found.limit == min(v for k, v in found.frames_per_second.items() if v < inf)
    ten = planned(made, 10 * a_run)
    assert (ten.tiles, ten.machines) == (10, 250)
    assert ten.load == pytest.approx(1.0) and ten.watts == 150_000
    assert ten.by_peak == pytest.approx(10 * 25 * 362.496 / 989.4, rel=1e-3)
    assert ten.by_roofline == pytest.approx(10 * a_run * 1e-3 / 4)
    assert planned(made, 10 * a_run * 1.001).machines == 251


def test_ingest_and_dram_bind_where_they_are_the_least(
    made: tuple[Program, TimingResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = planned(made, 1e6, size=1e6)
    assert found.binds == "ingest" and found.limit == pytest.approx(20 / 6 * 50e9 / 1e6)
    assert found.tiles == ceil(ceil(1e6 / (found.limit / 25)) / 25)
    monkeypatch.setattr(capacity, "dram_bytes", lambda lists: 4 << 30)
    heavy = planned(made, 1.0)
    assert heavy.binds == "DRAM" and heavy.limit == pytest.approx(20 / 6 * 800e9 / (1 << 30))


def test_bytes_of_dram_are_those_of_every_repetition() -> None:
    rows = np.zeros(3, LIST_DTYPE)
    rows["kind"] = PUSH, DRAM_LOAD, DRAM_LOAD
    rows["bytes"], rows["count0"], rows["count1"] = 64, 2, 3
    for level in range(LEVELS):
        rows[f"repeat{level}"] = 1, 1, level + 1
    assert capacity.dram_bytes(rows) == 64 * 6 * (1 + 6)
    assert capacity.dram_bytes(rows[:1]) == 0


def test_what_binds_a_schedule_is_busy_most_of_it(made: tuple[Program, TimingResult]) -> None:
    program, timing = made
    busy = replace(timing, utilization=timing.utilization | {"matrix": 0.9})
    assert planned((program, busy), 1.0).binds == "compute"
    mesh = replace(timing, busiest=timing.busiest | {"links": 0.8 * timing.cycles})
    assert planned((program, mesh), 1.0).binds == "mesh"
    idle = replace(
        timing,
        utilization=dict.fromkeys(timing.utilization, 0.1),
        busiest=dict.fromkeys(timing.busiest, 1.0),
    )
    assert planned((program, idle), 1.0).binds == "waits and hand-overs"


def test_work_is_that_of_the_model() -> None:
    module = compile_model(zoo.build("mlp", "tiny"), Options(), stop_at="nn").module
    weights = [array.shape for array in arrays() if len(array.shape) == 2]
    products = sum(2 * 4 * a * b for a, b in weights)
    work = work_of(module, "bf16")
    assert products <= work.flops <= 1.2 * products
    assert work_of(module, "fp32").h100_seconds >= work.h100_seconds > 0


def arrays() -> list:
    return [onnx.numpy_helper.to_array(each) for each in zoo.build("mlp", "tiny").graph.initializer]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((), "say once how many frames come in"),
        (("--cameras", 8), "say once how many frames come in"),
        (("--rate", 3, "--frames-per-day", 5), "say once how many frames come in"),
        (("--rate", 0), "--rate must be a positive number"),
        (("--frames-per-second", "nan"), "--frames-per-second must be a positive number"),
        (("--rate", 3, "--resolution", "1280"), "--resolution 1280 is not understood"),
        (("--rate", 3, "--bits", -1), "--bits must be a positive number"),
        (("--rate", 3, "--frames-per-run", 0), "--frames-per-run must be a positive number"),
    ],
)
def test_wrong_demands_are_refused(model: Path, words: tuple, text: str) -> None:
    answer = dojocc("plan", model, *words)
    assert answer.code == 2 and text in answer.err and not answer.out
