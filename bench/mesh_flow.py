"""The flow model's side of `python -m bench mesh`: errors on the tables, and error bands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.mesh_tables import Row, read
from bench.patterns import destinations, plain_mesh
from dojocc.runtime.mesh.fair import ends_alone
from dojocc.runtime.mesh.fair_flows import capacities, flow_groups
from dojocc.runtime.mesh.packet import Router

CALIBRATION = Path(__file__).parent.parent / "runtime" / "timing" / "calibration.toml"
# All-to-all in rotated order makes hot spots that move; the protocol sets it apart.
LOCK_STEP = "a2a"
KINDS = {
    "paced": "one packet a node every so many cycles, at least the busiest link's load",
    "unpaced": "all packets at once",
    "lock_step": "all-to-all in rotated order, paced or not: hot spots that move",
}


def makespan(mesh: str, pattern: str, packets: int, gap: float = 0.0) -> float:
    """Cycles until the last packet of a pattern arrives, by fair sharing; gap as in the tables."""
    target = plain_mesh(mesh)
    to = destinations(target, pattern, packets)
    node, number = np.nonzero(to >= 0)
    flows = flow_groups(target, node, to[node, number], np.ones(len(node)))
    capacity = capacities(target).copy()
    if gap:
        ports = slice(4 * target.positions, 5 * target.positions)
        capacity[ports] = np.minimum(capacity[ports], 1 / gap)
    ends = ends_alone(flows.groups, capacity)
    return float((ends[flows.group] + flows.latency).max()) + Router().latency(0)


def flow_rows(wanted: tuple[str, ...] = ()) -> Iterator[tuple[str, Row]]:
    """(kind, row) of every makespan measured with the router that the flow model stands for."""
    for table in ("paced", "batch"):
        for line in read(table):
            gap = float(line.get("gap_cycles_per_packet", 0))
            pattern, count = line["pattern"], int(line["packets_per_node"])
            case = f"{line['mesh']} {pattern} {count}" + (f" gap {gap}" if gap else "")
            chosen = not wanted or any(text in case for text in wanted)
            if line.get("router", "vc4x8") != "vc4x8" or not chosen:
                continue
            kind = "lock_step" if pattern == LOCK_STEP else "paced" if gap else "unpaced"
            predicted = makespan(line["mesh"], pattern, count, gap)
            measured = float(line["booksim_makespan_cycles"])
            allowed = 0.05 if kind == "paced" else None
            yield kind, Row(f"flow, {kind}", case, "makespan", measured, predicted, allowed)


def calibration(rows: list[tuple[str, Row]]) -> str:
    """The text of calibration.toml: by kind the largest |measured - predicted| / predicted."""
    lines = [
        "# The flow model's errors on BookSim2's tables, by `python -m bench mesh --calibrate`.",
        "# band: largest |measured - predicted| / predicted; worst: the row it is from.",
    ]
    for kind, meaning in KINDS.items():
        mine = [row for name, row in rows if name == kind]
        worst = max(mine, key=deviation)
        lines += [
            "",
            f"[{kind}] # {meaning}",
            f"band = {deviation(worst):.4f}",
            f"rows = {len(mine)}",
            f'worst = "{worst.case}"',
        ]
    return "\n".join(lines) + "\n"


def deviation(row: Row) -> float:
    """How far the measured time is from the predicted one, over the predicted one."""
    return abs(row.measured - row.predicted) / row.predicted
