"""Check a program file by itself: memory, routes, semaphores and the order of all accesses."""

from __future__ import annotations

import argparse
import sys
import time

from dojocc.cli.shared import add_json, print_json, read_program
from dojocc.runtime.verify import Report, verify

EXAMPLE = """\
dojocc verify model.dojo
dojocc verify model.dojo --json | jq .findings"""
FAULTY = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("program", metavar="PROG.dojo")
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    program = read_program(arguments.program)
    begun = time.perf_counter()
    report = verify(program)
    seconds = time.perf_counter() - begun
    if arguments.json:
        print_json("dojocc.verify/1", facts(report, seconds))
    else:
        print_report(report, arguments.program, seconds)
    return 0 if report.sound else FAULTY


def facts(report: Report, seconds: float) -> dict[str, object]:
    """What --json says."""
    findings = [
        {"kind": each.kind, "what": each.what, "where": each.where, "numbers": each.numbers}
        for each in report.findings
    ]
    return {
        "sound": report.sound,
        "seconds": seconds,
        "findings": findings,
        "checked": report.checked,
    }


def print_report(report: Report, name: str, seconds: float) -> None:
    for finding in report.findings:
        print(finding)
    counts = ", ".join(f"{amount} {what}" for what, amount in report.checked.items())
    verdict = "sound" if report.sound else f"{len(report.findings)} faults"
    print(f"{name}: {verdict}; {counts} checked in {seconds:.2f} s", file=sys.stderr)
