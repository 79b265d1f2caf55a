"""Kernels are called with what the compiler says that they are.

The build record's `calls` holds rows [class, word, first register, arguments] of calls on thread 0;
an argument of null differs between nodes and is not held to anything here.
"""

from __future__ import annotations

import numpy as np

from dojocc.runtime.program import Program
from dojocc.runtime.verify.findings import Finding, Report, code_place
from dojocc.runtime.verify.registers import Value

KEY = "calls"


def check_calls(
    program: Program, cls: int, calls: list[tuple[int, list[Value]]], report: Report
) -> None:
    """Registers at the calls of a class's thread 0, in the order in which they are made."""
    name = program.classes[cls].name
    rows = [row for row in program.build.get(KEY, []) if row[0] == name]
    if not rows:
        return
    report.count("calls", len(rows))
    wanted = {word: (first, arguments) for _, word, first, arguments in rows}
    made = {word for word, _ in calls}
    for word in sorted(wanted.keys() - made):
        where = code_place(program, cls, 0, word)
        report.add(Finding("call", "a kernel is not called where it should be", where))
    for word, registers in calls:
        if word not in wanted:
            continue
        first, arguments = wanted[word]
        for number, value in enumerate(arguments, first):
            held = registers[number]
            if value is not None and np.any(held != value):
                where = code_place(program, cls, 0, word)
                numbers = f"x{number} is {np.unique(held)[0]}, not {value}"
                report.add(Finding("call", "a kernel gets another argument", where, numbers))
