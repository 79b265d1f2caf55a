"""`python -m bench mesh`: both mesh models against BookSim2's tables (tests/data/booksim).

A Markdown table on stdout, or JSON with --json: every row with what BookSim2 took, what we predict,
the error and the allowance. Exit code 1 when a row with an allowance misses it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict

from bench.mesh_flow import CALIBRATION, calibration, flow_rows
from bench.mesh_tables import Row, read
from bench.patterns import batch, open_loop, plain_mesh
from dojocc.runtime.mesh.packet import Delivery, Router, simulate

SCHEMA = "dojocc.bench.mesh/1"
ROUTERS = {
    "vc4x8": Router(),
    "vc1x8": Router(channels=1),
    "vc8x16": Router(channels=8, depth=16),
    "vc4x8_xyyx": Router(),
    "vc4x8_pipe5": Router(routing=1, speculative=False),
}
EXACT_PATTERNS = ("halo", "neighborwrap", "gather0")  # 10 % with all packets at once
WARM, MEASURED = 3000, 3000  # cycles of an open-loop run before and while it is measured
JAMMED = 11000  # cycles until the queues of a mesh offered too much have filled up
IDLE = 1500  # cycles in which packets are released to a mesh without queues


def among(case: str, wanted: tuple[str, ...]) -> bool:
    """Some wanted text is in the case's name; nothing wanted in particular means all."""
    return not wanted or any(text in case for text in wanted)


def batch_rows(wanted: tuple[str, ...] = ()) -> Iterator[Row]:
    """Makespans with all packets ready at cycle 0, in packet mode."""
    for line in read("batch"):
        mesh, pattern, count = line["mesh"], line["pattern"], int(line["packets_per_node"])
        case = f"{mesh} {pattern} {count} {line['router']}"
        if not among(case, wanted):
            continue
        exact = pattern in EXACT_PATTERNS or (pattern, mesh) == ("transpose", "18x18")
        found = simulate(batch(plain_mesh(mesh), pattern, count), ROUTERS[line["router"]])
        measured = float(line["booksim_makespan_cycles"])
        allowed = 0.1 if exact else None
        yield Row("batch", case, "makespan", measured, found.makespan, allowed)


def paced_lines() -> list[dict[str, str]]:
    """The lines of the paced table that are paced."""
    return [line for line in read("paced") if float(line["gap_over_max_link_load"]) > 0]


def paced_rows(wanted: tuple[str, ...] = ()) -> Iterator[Row]:
    """Makespans with one packet a node every so many cycles, in packet mode."""
    for line in paced_lines():
        mesh, pattern, count = line["mesh"], line["pattern"], int(line["packets_per_node"])
        gap, ratio = float(line["gap_cycles_per_packet"]), float(line["gap_over_max_link_load"])
        case = f"{mesh} {pattern} {count} gap {gap} ({ratio:.2f} x load)"
        if not among(case, wanted):
            continue
        found = simulate(batch(plain_mesh(mesh), pattern, count, gap), Router())
        allowed = 0.03 if ratio >= 1.15 else 0.1 if ratio == 1 else None
        measured = float(line["booksim_makespan_cycles"])
        yield Row(
            "paced",
            case,
            "makespan",
            measured,
            found.makespan,
            None if pattern == "a2a" else allowed,
        )


def load_rows(wanted: tuple[str, ...] = ()) -> Iterator[Row]:
    """Latency at the lowest rate, and the most that is ever accepted, of every series."""
    groups: dict[tuple[str, str, str], list[dict[str, str]]] = {}
    for line in read("latency_load"):
        if line["accepted_avg"]:
            key = (line["config"], line["mesh"], line["pattern"])
            groups.setdefault(key, []).append(line)
    for key, lines in groups.items():
        case = " ".join(key)
        if not among(case, wanted):
            continue
        slow = min(lines, key=rate_of)
        latency = offered(key, rate_of(slow), IDLE).latency()
        yield Row("load", case, "latency", float(slow["packet_latency_avg"]), latency, 2)
        best = max(lines, key=lambda line: float(line["accepted_avg"]))
        most = float(best["accepted_avg"])
        yield Row("load", case, "saturation", most, accepted(key, best), 0.1)


def rate_of(line: dict[str, str]) -> float:
    return float(line["offered_flits_per_node_cycle"])


def accepted(key: tuple[str, str, str], line: dict[str, str]) -> float:
    """Packets a node and cycle that arrive at the rate of one line, once that is steady."""
    warm = WARM if line["stable"] == "yes" else JAMMED
    end = warm + MEASURED
    return offered(key, rate_of(line), end, end).accepted(plain_mesh(key[1]).positions, warm, end)


def offered(
    key: tuple[str, str, str], rate: float, cycles: int, until: int | None = None
) -> Delivery:
    """An open-loop run with packets released for `cycles`, of all of them or `until` a cycle."""
    config, mesh, pattern = key
    both_ways = config.endswith("xyyx")
    packets = open_loop(plain_mesh(mesh), pattern, rate, cycles, both_ways=both_ways)
    return simulate(packets, ROUTERS[config], until)


TABLES = {
    "batch": batch_rows,
    "paced": paced_rows,
    "load": load_rows,
    "flow": lambda: (row for _, row in flow_rows()),
}


def as_markdown(rows: list[Row]) -> str:
    lines = [
        "| table | case | figure | BookSim2 | ours | error | allowed |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cycles = row.what == "latency"
        error = f"{row.error:+.2f} cycles" if cycles else f"{row.error:+.1%}"
        allowed = (
            "-" if row.allowed is None else f"{row.allowed:g}" if cycles else f"{row.allowed:.0%}"
        )
        lines.append(
            f"| {row.table} | {row.case} | {row.what} | {row.measured:g} | {row.predicted:.5g} "
            f"| {error} | {allowed}{'' if row.kept else ' MISSED'} |"
        )
    return "\n".join(lines)


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench mesh", description=__doc__)
    parser.add_argument("--table", choices=TABLES, help="only this part")
    parser.add_argument("--calibrate", action="store_true", help=f"write {CALIBRATION.name} again")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(words)
    if options.calibrate:
        CALIBRATION.write_text(calibration(list(flow_rows())))
        return 0
    rows: list[Row] = []
    for name, make in TABLES.items():
        if options.table in (None, name):
            for row in make():
                print(f"bench: {row.table} {row.case} {row.what}", file=sys.stderr)
                rows.append(row)
    if options.json:
        found = [asdict(row) | {"error": row.error, "kept": row.kept} for row in rows]
        print(json.dumps({"schema": SCHEMA, "rows": found}, indent=2))
    else:
        print(as_markdown(rows))
    return 0 if all(row.kept for row in rows) else 1
