"""The verifier: what a program file promises, checked on the file alone.

`verify(program)` runs all checks and gives a Report. It shares the instruction table, the decoder
and the layouts with the rest of the machine, and no code with the compiler.
"""

from __future__ import annotations

from dojocc.runtime.errors import DojoError
from dojocc.runtime.program import Program
from dojocc.runtime.verify.accesses import Memory
from dojocc.runtime.verify.buffers import Buffers
from dojocc.runtime.verify.calls import check_calls
from dojocc.runtime.verify.clocks import Place
from dojocc.runtime.verify.dram import check_dram
from dojocc.runtime.verify.exchanges import check_exchanges
from dojocc.runtime.verify.findings import Finding, Report
from dojocc.runtime.verify.memory import check_memory
from dojocc.runtime.verify.network import check_network
from dojocc.runtime.verify.order import Order
from dojocc.runtime.verify.sync import walk
from dojocc.runtime.verify.trace import Constants, Step, Undecidable, trace

__all__ = ["Finding", "Report", "verify"]

LARGEST_EXACT = 1536
"""Nodes of a class up to which clocks are kept for every pair of nodes where it is needed."""


def verify(program: Program) -> Report:
    """Every fault found, or what was checked and found sound."""
    report = Report()
    check_network(program, report)
    check_exchanges(program, report)
    steps = followed(program, report)
    if steps is None:
        return report
    report.count("steps", sum(len(thread) for each in steps for thread in each))
    found, suspects = run(program, steps, False)
    small = max(len(item.nodes) for item in program.classes) <= LARGEST_EXACT
    if not found.sound and small:
        # Floors over all nodes say less than there is to know: ask again for every pair of nodes,
        # and of each two events that seem to meet only the nodes where they do.
        found, more = run(program, steps, True, suspects)
        while not found.sound and not more <= suspects:
            suspects |= more
            found, more = run(program, steps, True, suspects)
    for finding in found.findings:
        report.add(finding)
    report.checked |= found.checked
    return report


def followed(program: Program, report: Report) -> list[list[list[Step]]] | None:
    """The traces of all classes; None, and a finding, where the streams cannot be followed."""
    constants = Constants(program)
    result = []
    for cls, item in enumerate(program.classes):
        try:
            threads = trace(program, cls, constants)
            check_calls(program, cls, threads[0].calls, report)
            result.append([each.steps for each in threads])
        except Undecidable as error:
            report.add(Finding("unknown", str(error), f"class {item.name}"))
        except DojoError as error:
            where = f"class {item.name}" + f", {error.where}" * bool(error.where)
            report.add(Finding("code", error.what, where, error.numbers or ""))
    return result if len(result) == len(program.classes) else None


def run(
    program: Program,
    steps: list[list[list[Step]]],
    exact: bool,
    asked: frozenset[tuple[Place, Place]] = frozenset(),
) -> tuple[Report, frozenset[tuple[Place, Place]]]:
    """Synchronisation, then memory if that is sound enough to have an order. Gives what was found,
    and the pairs of events of which the second may write what the first still uses."""
    report = Report()
    walked = walk(program, steps, report, exact, asked)
    suspects: set[tuple[Place, Place]] = set()
    if any(finding.kind == "deadlock" for finding in report.findings):
        return report, frozenset()
    buffers = Buffers(program, steps)
    buffers.check(report)
    order = Order(walked)
    check_dram(program, order, report)
    for cls in range(len(program.classes)):
        memory = Memory(program, cls, walked, order, buffers, report)
        check_memory(memory)
        suspects |= memory.suspects
    return report, frozenset(suspects)
