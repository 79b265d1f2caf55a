"""Predicted cycles as plain data, and as text for people."""

from __future__ import annotations

from typing import Any

from dojocc.runtime.program import Program
from dojocc.runtime.timing import TimingResult
from dojocc.runtime.timing.record import Exchange
from dojocc.runtime.timing.report import mark_name, path_by_op

LONGEST = 12  # rows of a list that text shows


def facts(program: Program, result: TimingResult) -> dict[str, Any]:
    """What `profile --json` says."""
    roofline = result.roofline
    return {
        "cycles": result.cycles,
        "seconds_modelled": result.seconds_modelled,
        "utilization": result.utilization,
        "lower_bound_cycles": result.lower_bound_cycles,
        "error_band": result.error_band,
        "bytes_moved": result.bytes_moved,
        "waits": result.waits,
        "busiest_cycles": {name: round(cycles) for name, cycles in result.busiest.items()},
        "roofline": {
            "flops": roofline.flops,
            "bytes": roofline.bytes,
            "flops_per_byte": roofline.intensity if roofline.bytes else None,
            "peak_flops_per_cycle": roofline.peak,
            "attainable_flops_per_cycle": roofline.attainable,
            "achieved_flops_per_cycle": roofline.achieved,
        },
        "by_op": result.by_op,
        "by_op_waits": result.by_op_waits,
        "critical_path": [
            {"what": kind, "op": name, "cycles": cycles}
            for kind, name, cycles in path_by_op(program, result.path)
        ],
        "exchanges": [exchange_facts(program, item) for item in result.record.exchanges],
    }


def exchange_facts(program: Program, item: Exchange) -> dict[str, Any]:
    """One start of a transfer list, its modelled cycles beside its lower bounds."""
    return {
        "list": item.number,
        "kind": item.kind,
        "op": mark_name(program, item.mark),
        "class": program.classes[item.cls].name,
        "nodes": item.nodes,
        "flows": item.flows,
        "bytes": item.bytes,
        "start": round(item.start),
        "cycles": round(item.cycles),
        "lower_bound_cycles": round(item.bound),
        "bounds": {name: round(cycles) for name, cycles in item.bounds.items()},
    }


def overview(result: TimingResult) -> list[tuple[str, str]]:
    """(what, how much) of the whole program."""
    roofline = result.roofline
    busiest = max(result.busiest, key=result.busiest.__getitem__)
    return [
        ("cycles", f"{result.cycles:,} +-{result.error_band:.1%}"),
        ("lower bound", f"{result.lower_bound_cycles:,} cycles"),
        ("modelled", f"{result.seconds_modelled * 1e6:,.1f} us"),
        ("moved", f"{result.bytes_moved:,} B over the mesh"),
        ("waiting", f"{result.waits:.1%} of thread 0's time, mean over nodes"),
        ("busiest of the mesh", f"{busiest}, {result.busiest[busiest]:,.0f} cycles"),
        (
            "roofline",
            f"{roofline.achieved / max(roofline.attainable, 1e-9):.1%} of what "
            f"{roofline.intensity:,.1f} FLOP a byte moved allow",
        ),
        *((unit, f"{share:.1%} of peak") for unit, share in result.utilization.items()),
    ]


def op_rows(result: TimingResult) -> list[tuple[str, str, str]]:
    """(op, cycles of the latest node, cycles of them waiting), longest first."""
    ops = sorted(result.by_op.items(), key=lambda row: -row[1])
    return [(name, f"{cycles:,}", f"{result.by_op_waits.get(name, 0):,}") for name, cycles in ops]


def path_rows(program: Program, result: TimingResult) -> list[tuple[str, str, str]]:
    """(what, op, cycles) of the critical path, longest first."""
    rows = path_by_op(program, result.path)
    return [(kind, name, f"{cycles:,}") for kind, name, cycles in rows]


def exchange_rows(program: Program, result: TimingResult) -> list[tuple[str, ...]]:
    """(op, kind, flows, bytes, cycles, bound, term that binds), longest first."""
    found = []
    for item in sorted(result.record.exchanges, key=lambda item: (-item.cycles, item.start)):
        term = max(item.bounds, key=item.bounds.__getitem__)
        found.append(
            (
                mark_name(program, item.mark),
                item.kind,
                f"{item.flows:,}",
                f"{item.bytes:,}",
                f"{item.cycles:,.0f}",
                f"{item.bound:,.0f}",
                term,
            )
        )
    return found
