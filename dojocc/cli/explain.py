"""Say what became of an op of the model: its layout, its kernels and their instructions."""

from __future__ import annotations

import argparse
from typing import Any

from dojocc.cli.shared import add_json, print_json, read_program, table
from dojocc.report.explain import explain, names_of, nearest_names
from dojocc.runtime.errors import InputError

EXAMPLE = "dojocc explain model.dojo Conv_3"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("program", metavar="PROG.dojo")
    parser.add_argument("op", metavar="OP", help="a node's name in the model, or part of it")
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    program = read_program(arguments.program)
    found = explain(program, arguments.op)
    if not found:
        near = nearest_names(program, arguments.op)
        raise InputError(
            f"the program has no op that is named like {arguments.op!r}",
            where=arguments.program,
            numbers=f"{len(names_of(program))} ops",
            help=f"nearest: {', '.join(near)}" if near else "dojocc objdump lists its marks",
        )
    if arguments.json:
        print_json("dojocc.explain/1", {"ops": found})
    else:
        print("\n\n".join(text_of(item) for item in found))
    return 0


def text_of(item: dict[str, Any]) -> str:
    rows = [("mapping", part) for part in item["mapping"]]
    for weighed in item["kernels_weighed"]:
        rows.append(
            ("lower bound", f"{weighed['bound']:,} cycles of compute ({weighed['kernel']})")
        )
        for number, choice in enumerate(weighed["choices"]):
            rows.append((f"runner-up {number}" if number else "chosen", choice_text(choice)))
    rows += [(f"class {name}", f"{count} words of stream") for name, count in item["words"].items()]
    for kernel in item["kernels"]:
        mix = ", ".join(f"{name} {count}" for name, count in kernel["instructions"].items())
        rows.append((f"calls {kernel['name']}", f"{kernel['words']} words: {mix}"))
    rows += [("remark", text) for text in item["remarks"]]
    return f"{item['op']}\n{table(rows)}"


def choice_text(choice: dict[str, Any]) -> str:
    """A mapping with its cost in parts; the cost of SRAM is a price, not time."""
    return (
        f"{choice['loops']} ({choice['way']}): {choice['cycles']:,} = compute"
        f" {choice['compute']:,} + movement {choice['movement']:,} + SRAM {choice['sram']:,}"
        f" ({choice['bytes']:,} B a node)"
    )
