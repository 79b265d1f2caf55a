"""The machines: list the shipped ones, show one, start a file for a new one, validate a file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from dojocc.cli.shared import add_json, check_output, print_json, table, write_output
from dojocc.runtime.errors import InputError
from dojocc.runtime.target import GROUPS, Target
from dojocc.runtime.targets import describe, list_targets, load_target

EXAMPLE = """\
dojocc targets list
dojocc targets show d1-die
dojocc targets new mine.toml --inherits d1-die
dojocc targets validate mine.toml"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|show|new|validate")
    listing = actions.add_parser("list", help="names of the shipped targets")
    show = actions.add_parser("show", help="every number, with where it is from")
    show.add_argument("target", help="a name or a .toml file")
    new = actions.add_parser("new", help="start a file that inherits from a shipped target")
    new.add_argument("file", metavar="FILE.toml")
    new.add_argument("--inherits", default="d1-die", metavar="TARGET")
    validate = actions.add_parser("validate", help="check a target file")
    validate.add_argument("file", metavar="FILE.toml")
    for each in (listing, show, validate):
        add_json(each)


def execute(arguments: argparse.Namespace) -> int:
    match arguments.action:
        case "list":
            return list_all(arguments.json)
        case "show":
            return show(arguments.target, arguments.json)
        case "new":
            return new(arguments.file, arguments.inherits)
        case "validate":
            return validate(arguments.file, arguments.json)
    raise AssertionError(arguments.action)


def list_all(as_json: bool) -> int:
    found = [load_target(name) for name in list_targets()]
    rows = [(each.name, len(each.live_nodes()), each.description) for each in found]
    if as_json:
        keys = ("name", "nodes", "description")
        print_json(
            "dojocc.targets/1", {"targets": [dict(zip(keys, row, strict=True)) for row in rows]}
        )
    else:
        print(table([("target", "nodes", ""), *rows], right=(1,)))
    return 0


def show(name: str, as_json: bool) -> int:
    target = load_target(name)
    rows = describe(target)
    if as_json:
        values = {
            row.name: {
                "value": row.value,
                "unit": row.unit,
                "origin": row.origin,
                "note": row.note,
            }
            for row in rows
        }
        print_json("dojocc.target/1", {"name": target.name, "values": values})
        return 0
    print(f"{target.name}: {target.description}\n")
    lines = [(row.name, value_text(row.value), row.unit, row.origin, row.note) for row in rows]
    print(table([("number", "value", "unit", "origin", "note"), *lines], right=(1,)))
    return 0


def value_text(value: object) -> str:
    if isinstance(value, float) and value == int(value):
        return f"{int(value):,}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, tuple):
        return " ".join(f"({row},{col})" for row, col in value) or "none"
    return str(value)


def new(path: str, base: str) -> int:
    found = load_target(base)
    if Path(path).exists():
        raise InputError(f"{path} is there already", help="choose another name, or remove it")
    check_output(path)
    write_output(path, skeleton(Path(path).stem, found).encode())
    print(f"{path}: inherits every number from {base}; change what differs, then validate it")
    return 0


def skeleton(name: str, base: Target) -> str:
    """A target file that changes nothing yet and has every number of its base to be changed."""
    lines = [
        f"# A machine for dojocc. What is not given here is as in {base.name}: take the # off",
        "# a line to change its number. A bare value counts as assumed;",
        '# { value = ..., origin = "published", note = "..." } says more (or "derived").',
        f'name = "{name}"',
        f'inherits = "{base.name}"',
        f'description = "{base.name}, changed"',
    ]
    group = ""
    for row in describe(base):
        head, key = row.name.split(".")
        if head not in GROUPS:
            continue
        if head != group:
            group = head
            lines += ["", f"[{group}]"]
        lines.append(f"# {key} = {toml_text(row.value)}  # {row.unit}, {row.origin}")
    lines += ["", "# [defects]", "# nodes = [[3, 4]]", "# links = [[[0, 0], [0, 1]]]"]
    return "\n".join(lines) + "\n"


def toml_text(value: object) -> str:
    """A number, flag, edge or list of positions as TOML, which is JSON for all of these."""
    return json.dumps(value)


def validate(path: str, as_json: bool) -> int:
    target = load_target(path)
    if as_json:
        print_json("dojocc.validate/1", {"name": target.name, "ok": True})
    else:
        print(f"{path}: fine: {target.name}, {len(target.live_nodes())} nodes")
    return 0
