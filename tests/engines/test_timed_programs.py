"""Timed programs: one clock for threads and mesh, overlaps, bounds, the path that decides."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from build import NODES, program

from dojocc.compiler import Options, compile_model
from dojocc.report.profile import facts
from dojocc.report.profile_page import page
from dojocc.report.trace import lanes, trace_bytes
from dojocc.runtime.errors import MachineStop
from dojocc.runtime.program import DramImage, Program
from dojocc.runtime.timing import time_program
from dojocc.runtime.timing.posts import Posts
from dojocc.runtime.timing.record import EXCHANGE, WAIT
from dojocc.zoo import build

PORTS: dict[str, Any] = {"inputs": {"x": (0, 16, "FP32")}, "outputs": {"y": (256, 16, "FP32")}}


def to_next(number: int, packets: int, far: int, step: int = 1, nodes: int = NODES) -> list[dict]:
    """Node i pushes to node i + step."""
    entry = {"list": number, "src": 0, "dst": 65536, "bytes": 64 * packets, "far_sem": far}
    return [{**entry, "node": i, "peer": (i + step) % NODES} for i in range(nodes)]


def paced(built: Program, pace: float) -> Program:
    target = built.target
    return replace(built, target=replace(target, mesh=replace(target.mesh, pace=pace)))


@pytest.fixture(scope="module")
def compiled() -> Program:
    program = compile_model(build("lenet", "tiny"), Options(target="d1-die")).program
    assert program is not None
    return program


def test_lists_of_two_threads_share_the_mesh_at_once() -> None:
    lists = to_next(1, 500, 3) + to_next(2, 500, 4)
    alone = time_program(program([["push 1", "wait 3 1"]], lists=lists, **PORTS)).cycles
    both = program([["push 1", "wait 3 1"], ["push 2", "wait 4 1"]], lists=lists, **PORTS)
    timed = time_program(both)
    first, second = timed.record.exchanges
    assert first.start < second.end and second.start < first.end, "they overlap"
    assert timed.cycles == pytest.approx(alone + 500, rel=0.2)
    assert timed.busiest["mesh_read"] == 1000 <= timed.lower_bound_cycles <= timed.cycles


def test_an_exchange_hides_behind_work() -> None:
    lists = to_next(1, 100, 3)
    work = ["aclr 0", "li 6 4000", "loopx 0 6", "vld 0 0 0 0 0", "end"]
    busy = time_program(program([work], **PORTS)).cycles
    hidden = time_program(program([["push 1", *work, "wait 3 1"]], lists=lists, **PORTS))
    assert hidden.cycles < busy + 20
    assert hidden.by_op_waits == {} and hidden.waits == 0
    assert not [step for step in hidden.path if step.kind == EXCHANGE]


def test_a_wait_is_charged_to_its_exchange() -> None:
    built = program([["mark 0", "push 1", "wait 3 1"]], lists=to_next(1, 800, 3), **PORTS)
    timed = time_program(built)
    (exchange,) = timed.record.exchanges
    assert exchange.cycles >= exchange.bound >= 800
    assert [step.kind for step in timed.path].count(EXCHANGE) == 1
    longest = max(timed.path, key=lambda step: step.end - step.start)
    assert longest.kind == EXCHANGE and longest.exchange == 0
    assert sum(timed.by_op_waits.values()) > 0.9 * timed.cycles


def test_the_path_follows_posts_between_threads() -> None:
    work = ["aclr 0", "li 6 3000", "loopx 0 6", "vld 0 0 0 0 0", "end", "post 1 1"]
    timed = time_program(program([["wait 1 1"], work], **PORTS))
    assert timed.cycles > 3000
    assert {step.kind for step in timed.path} == {"run", WAIT}
    spent = sum(step.end - step.start for step in timed.path)
    assert spent == pytest.approx(timed.cycles, abs=2)


def test_an_exchange_that_nobody_waits_for_still_counts() -> None:
    timed = time_program(program([["push 1"]], lists=to_next(1, 900, 3), **PORTS))
    assert timed.cycles > 900 and timed.path[-1].kind == EXCHANGE


def test_pace_changes_time_and_band() -> None:
    built = program([["push 1", "wait 3 1"]], lists=to_next(1, 400, 3), **PORTS)
    once, twice, free = (time_program(paced(built, pace)) for pace in (1.0, 2.0, 0.0))
    assert twice.cycles - once.cycles == pytest.approx(400, rel=0.1)
    assert free.cycles <= once.cycles and free.error_band > once.error_band > 0


def test_dram_shares_the_mesh_and_adds_its_latency() -> None:
    load = {"list": 1, "kind": 2, "peer": 0, "dst": 256, "bytes": 6400, "home_sem": 3}
    lists = [{**load, "node": i, "src": 0} for i in range(NODES)]
    built = program([["dld 1", "wait 3 1"]], lists=lists, **PORTS)
    data = np.zeros(1600, np.float32)
    built = replace(built, tensors={"d": data}, dram=(DramImage("d", 0, 0, "d"),))
    timed = time_program(built)
    dips, clock = built.target.dips, built.target.node.clock_hz
    least = 6400 * NODES / (dips.hbm_bytes_per_s / clock) + dips.hbm_ns * 1e-9 * clock
    assert timed.cycles >= least and timed.utilization["dram"] > 0.1
    assert timed.record.exchanges[0].kind == "DRAM load"


def test_what_no_post_ends_is_a_deadlock() -> None:
    built = program([["push 1", "wait 3 2"]], lists=to_next(1, 1, 3), **PORTS)
    with pytest.raises(MachineStop, match="deadlock: no thread can go on"):
        time_program(built)


def test_posts_are_used_in_the_order_of_their_times() -> None:
    posts = Posts()
    posts.add(np.array([0, 1]), np.array([30.0, 5.0]), 7)
    posts.add(np.array([0, 0]), np.array([10.0, 20.0]), 8)
    when, cause = posts.take(np.array([0, 1]), np.array([2, 1]))
    assert when.tolist() == [20, 5] and cause.tolist() == [8, 7]
    when, cause = posts.take(np.array([0, 1]), np.array([1, 0]))
    assert when.tolist() == [30, 0] and cause.tolist() == [7, -1]


def test_compiled_program_keeps_its_bounds_and_books_all_time(compiled: Program) -> None:
    timed = time_program(compiled)
    assert len(timed.record.exchanges) > 3
    for exchange in timed.record.exchanges:
        assert exchange.cycles >= exchange.bound
    assert timed.lower_bound_cycles <= timed.cycles
    assert sum(step.end - step.start for step in timed.path) == pytest.approx(
        timed.cycles, rel=0.01
    )
    assert sum(timed.by_op.values()) <= timed.cycles + len(timed.by_op)
    assert all(0 <= share <= 1 for share in timed.utilization.values())
    roofline = timed.roofline
    assert 0 < roofline.achieved <= roofline.attainable <= roofline.peak
    again = time_program(compiled)
    assert (again.cycles, again.by_op, again.path) == (timed.cycles, timed.by_op, timed.path)


def test_reports_say_the_same(compiled: Program) -> None:
    timed = time_program(compiled)
    found = json.loads(json.dumps(facts(compiled, timed)))
    assert found["cycles"] == timed.cycles and len(found["exchanges"]) > 3
    assert all(row["cycles"] >= row["lower_bound_cycles"] for row in found["exchanges"])
    assert found["critical_path"][0]["cycles"] >= found["critical_path"][-1]["cycles"]
    text = page(compiled, timed)
    HTMLParser().feed(text)
    assert f"{timed.cycles:,}" in text and "<svg" in text and "http" not in text
    events = json.loads(trace_bytes(compiled, timed))["traceEvents"]
    ends = [event["ts"] + event["dur"] for event in events if event["ph"] == "X"]
    assert max(ends) == pytest.approx(timed.seconds_modelled * 1e6, rel=0.01)
    lane = lanes(timed.record.exchanges)
    for number, item in enumerate(timed.record.exchanges):
        for other, one in enumerate(timed.record.exchanges[:number]):
            apart = item.start >= one.end or one.start >= item.end
            assert apart or lane[number] != lane[other]


def test_a_remote_post_takes_the_way_across_the_mesh() -> None:
    """Every node posts to another one and waits for the post that comes to it."""

    def cycles(step: int) -> int:
        code = ["rdid 5 0", f"addi 5 5 {step}", f"li 6 {NODES}", "remu 5 5 6", "rpost 5 3"]
        return time_program(program([[*code, "wait 3 1"]], **PORTS)).cycles

    # On 2 x 3 nodes the farthest are three hops away, or two; each hop takes a cycle.
    assert [cycles(step) - cycles(0) for step in (1, 2)] == [3, 2]
