"""The options of `compile` and `check` that say for which machine and how."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from dojocc.cli.shared import logged, read_text
from dojocc.options import OPTIMIZE_LEVELS, Options
from dojocc.runtime.errors import InputError, UsageError
from dojocc.runtime.format_table import PRECISIONS


def add_choices(parser: argparse.ArgumentParser, precisions: Sequence[str] = PRECISIONS) -> None:
    """--target, --precision, --shape, --defects, --dram, -O and --seed."""
    parser.add_argument("--target", default="d1-die", help="a name or a .toml file (d1-die)")
    parser.add_argument("--precision", default="bf16", choices=precisions)
    parser.add_argument(
        "--shape", action="append", default=[], metavar="NAME=1x3x224x224", help="repeatable"
    )
    parser.add_argument("--defects", metavar="MAP.json", help="dead nodes and links")
    parser.add_argument(
        "--dram",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="weights may be loaded from DRAM while the model runs, where SRAM is too small (yes)",
    )
    parser.add_argument(
        "-O", dest="optimize", type=int, default=2, choices=OPTIMIZE_LEVELS, metavar="{0..3}"
    )
    parser.add_argument("--seed", type=int, default=0)


def options_of(arguments: argparse.Namespace) -> Options:
    """The compiler's options from the command line's."""
    return Options(
        target=arguments.target,
        precision=arguments.precision,
        shapes=parse_shapes(arguments.shape),
        defects=read_defects(arguments.defects),
        optimize=arguments.optimize,
        seed=arguments.seed,
        dram=arguments.dram,
    )


def parse_shapes(texts: list[str]) -> dict[str, tuple[int, ...]] | None:
    """`name=1x3x224x224`, each name once; an empty size list is a scalar."""
    shapes: dict[str, tuple[int, ...]] = {}
    for text in texts:
        name, equals, sizes = text.rpartition("=")
        words = sizes.lower().split("x") if sizes else []
        if not equals or not name or not all(word.isdecimal() for word in words):
            raise UsageError(
                f"--shape {text} is not understood", help="write --shape input=1x3x224x224"
            )
        if name in shapes:
            raise UsageError(f"--shape is given twice for {name!r}")
        shapes[name] = tuple(map(int, words))
    return shapes or None


def read_defects(path: str | None) -> dict[str, Any] | None:
    """The defect map in a JSON file."""
    if path is None:
        return None
    text, name = read_text(path)
    try:
        tree = json.loads(text)
    except ValueError as error:
        raise InputError(f"{name} is not JSON", where=str(error)) from error
    if not well_formed(tree):
        raise InputError(
            f"{name} is not a defect map",
            help='{"nodes": [[row, col], ...], "links": [[[row, col], [row, col]], ...]}',
        )
    return tree


def well_formed(tree: Any) -> bool:
    if not isinstance(tree, dict) or set(tree) - {"nodes", "links"}:
        return False
    nodes, links = tree.get("nodes", []), tree.get("links", [])
    if not isinstance(nodes, list) or not isinstance(links, list):
        return False
    pairs = all(isinstance(link, list) and len(link) == 2 for link in links)
    return pairs and all(is_place(place) for place in [*nodes, *(end for x in links for end in x)])


def is_place(place: Any) -> bool:
    return isinstance(place, list) and len(place) == 2 and all(type(part) is int for part in place)


def add_printing(parser: argparse.ArgumentParser) -> None:
    """--print-ir-after, --print-ir-after-all and --timing."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--print-ir-after", action="append", default=[], metavar="PASS", help="IR on stderr"
    )
    group.add_argument("--print-ir-after-all", action="store_true")
    parser.add_argument("--timing", action="store_true", help="seconds by pass, on stderr")


def prints(arguments: argparse.Namespace) -> bool:
    """Whether something is to be told of every pass."""
    asked = arguments.print_ir_after_all or arguments.print_ir_after or arguments.timing
    return bool(asked or logged())
