"""Targets from TOML: the shipped ones in runtime/targets/, and a user's files that inherit.

Every number in a file is `{ value, origin, note }`; a bare value counts as assumed.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from dojocc.runtime.errors import TargetError
from dojocc.runtime.target import GROUPS, ORIGINS, Fact, Target, check_value

__all__ = ["Target", "describe", "from_dict", "list_targets", "load_target", "to_dict"]

FOLDER = Path(__file__).parent / "targets"
TOP_KEYS = ("name", "description", "inherits", "defects")
CELL_KEYS = ("value", "origin", "note")
LARGEST_FILE = 1 << 20


def list_targets() -> tuple[str, ...]:
    """Names of the shipped targets."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def load_target(name_or_path: str | Path) -> Target:
    """A shipped target by name, or a target file by path (anything ending in .toml)."""
    return from_dict(_read_tree(name_or_path, ()))


def to_dict(target: Target) -> dict[str, Any]:
    """Plain data (for the program file) that `from_dict` turns back into an equal target."""
    tree: dict[str, Any] = {"name": target.name, "description": target.description}
    for group, kind in GROUPS.items():
        tree[group] = {}
        for item in fields(kind):
            fact = target.fact(f"{group}.{item.name}")
            value = _listed(getattr(getattr(target, group), item.name))
            tree[group][item.name] = {"value": value, "origin": fact.origin, "note": fact.note}
    tree["defects"] = {
        "nodes": _listed(target.defect_nodes),
        "links": _listed(target.defect_links),
    }
    return tree


def from_dict(tree: Mapping[str, Any], source: str = "target") -> Target:
    """The target a complete tree describes; every problem raises TargetError."""
    _check_tree(tree, _Source(source, ""))
    groups: dict[str, Any] = {}
    facts: list[Fact] = []
    for group, kind in GROUPS.items():
        cells = tree.get(group, {})
        missing = [item.name for item in fields(kind) if item.name not in cells]
        if missing:
            raise TargetError(
                f"target {tree['name']} lacks {group}.{missing[0]}",
                where=source,
                numbers=f"missing in [{group}]: {', '.join(missing)}",
                help='start the file with inherits = "d1-die" to take all other numbers from it',
            )
        values = {name: _frozen(cell["value"], kind, name) for name, cell in cells.items()}
        groups[group] = kind(**values)
        facts += [
            Fact(f"{group}.{item.name}", cells[item.name]["origin"], cells[item.name]["note"])
            for item in fields(kind)
        ]
    defects = tree.get("defects", {})
    return Target(
        name=tree["name"],
        description=tree.get("description", ""),
        **groups,
        facts=tuple(facts),
        defect_nodes=tuple(sorted(_tupled(defects.get("nodes", [])))),
        defect_links=tuple(sorted(tuple(sorted(x)) for x in _tupled(defects.get("links", [])))),
    )


@dataclass(frozen=True)
class _Source:
    """A target file, to find the line of a key for messages."""

    path: str
    text: str

    def where(self, key: str, group: str | None = None) -> str:
        """The path, and the line on which `key` of [group] is set, where it can be found."""
        current = None
        for number, line in enumerate(self.text.splitlines(), 1):
            header = re.match(r"\s*\[([^\]]+)\]", line)
            if header:
                current = header[1].strip()
                if current == key and group is None:
                    return f"{self.path}, line {number}"
            elif current == group and re.match(rf"\s*\"?{re.escape(key)}\"?\s*[=.]", line):
                return f"{self.path}, line {number}"
        return self.path


def _read_tree(name_or_path: str | Path, seen: tuple[str, ...]) -> dict[str, Any]:
    """The complete tree of a target, with what it inherits filled in."""
    path = _find_file(name_or_path)
    if str(path) in seen:
        raise TargetError(
            f"target {path.stem} inherits from itself", where=" -> ".join([*seen, str(path)])
        )
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise TargetError(f"target file {path} is too large", numbers=f"limit {LARGEST_FILE} B")
        text = path.read_text(encoding="utf-8")
        tree = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise TargetError(f"target file {path} cannot be read", where=str(error)) from error
    except tomllib.TOMLDecodeError as error:
        raise TargetError(f"target file {path} is not valid TOML", where=str(error)) from error
    source = _Source(str(path), text)
    tree = _with_cells(tree, path)
    _check_tree(tree, source)
    base = tree.pop("inherits", None)
    if base is None:
        return tree
    beside = path.parent / base
    start = beside if str(base).endswith(".toml") else base
    return _merge(_read_tree(start, (*seen, str(path))), tree)


def _find_file(name_or_path: str | Path) -> Path:
    text = str(name_or_path)
    if text in list_targets():
        return FOLDER / f"{text}.toml"
    if text.endswith(".toml"):
        if not Path(text).is_file():
            raise TargetError(f"there is no target file {text}")
        return Path(text)
    raise TargetError(
        f"there is no target called {text!r}",
        help=_nearest(text, list_targets(), "shipped targets") + ", or give a .toml file",
    )


def _with_cells(tree: dict[str, Any], path: Path) -> dict[str, Any]:
    """Bare values become assumed ones, so that nobody mistakes them for facts."""
    result = dict(tree)
    for group in GROUPS:
        if isinstance(tree.get(group), dict):
            result[group] = {
                name: cell
                if isinstance(cell, dict)
                else {"value": cell, "origin": "assumed", "note": f"given in {path.name}"}
                for name, cell in tree[group].items()
            }
    return result


def _merge(base: dict[str, Any], tree: dict[str, Any]) -> dict[str, Any]:
    """`tree` on top of `base`, field by field."""
    result = base | {key: value for key, value in tree.items() if key not in GROUPS}
    for group in GROUPS:
        result[group] = base.get(group, {}) | tree.get(group, {})
    return result


def _check_tree(tree: Mapping[str, Any], source: _Source) -> None:
    """Raise TargetError for any key, type, origin or value that is wrong."""
    if not isinstance(tree, Mapping):
        raise TargetError("a target must be a table", where=source.path)
    for key, value in tree.items():
        if key in GROUPS:
            _check_group(key, value, source)
        elif key == "defects":
            _check_defects(value, source)
        elif key not in TOP_KEYS:
            raise TargetError(
                f"unknown key {key!r} in a target",
                where=source.where(key),
                help=_nearest(key, [*TOP_KEYS, *GROUPS], "known keys"),
            )
        elif not isinstance(value, str):
            raise TargetError(f"{key} must be text", source.where(key), f"have {value!r}")
    if not tree.get("name"):
        raise TargetError("a target needs a name", where=source.path, help='add name = "..."')


def _check_group(group: str, cells: Any, source: _Source) -> None:
    if not isinstance(cells, Mapping):
        raise TargetError(f"[{group}] must be a table", where=source.where(group))
    kind = GROUPS[group]
    names = [item.name for item in fields(kind)]
    for name, cell in cells.items():
        where = source.where(name, group)
        if name not in names:
            raise TargetError(
                f"unknown key {group}.{name}",
                where=where,
                help=_nearest(name, names, f"keys of [{group}]"),
            )
        if not isinstance(cell, Mapping):
            raise TargetError(f"{group}.{name} must be a table of value, origin, note", where)
        for part in cell:
            if part not in CELL_KEYS:
                raise TargetError(
                    f"unknown key {part!r} in {group}.{name}",
                    where=where,
                    help=_nearest(part, CELL_KEYS, "known keys"),
                )
        for part in CELL_KEYS:
            if part not in cell:
                raise TargetError(f"{group}.{name} lacks its {part}", where=where)
        if cell["origin"] not in ORIGINS or not isinstance(cell["note"], str):
            raise TargetError(
                f"{group}.{name} needs an origin and a text note",
                where=where,
                numbers=f"have origin {cell['origin']!r}, note {cell['note']!r}",
                help=f"origin is one of {', '.join(ORIGINS)}",
            )
        try:
            check_value(kind, name, _frozen(cell["value"], kind, name))
        except TargetError as error:
            raise TargetError(error.what, where, error.numbers, error.help) from None


def _check_defects(defects: Any, source: _Source) -> None:
    where = source.where("defects")
    if not isinstance(defects, Mapping) or set(defects) - {"nodes", "links"}:
        raise TargetError("defects must be a table with nodes and links", where=where)
    nodes, links = defects.get("nodes", []), defects.get("links", [])
    groups = [nodes, *links] if isinstance(links, list) else [links]
    for number, group in enumerate(groups):
        good = isinstance(group, list) and all(_is_position(place) for place in group)
        if not good or (number > 0 and len(group) != 2):
            raise TargetError(
                "defects are not well formed",
                where=where,
                help="nodes = [[row, col], ...] and links = [[[row, col], [row, col]], ...]",
            )


def _is_position(place: Any) -> bool:
    return isinstance(place, list) and len(place) == 2 and all(type(part) is int for part in place)


def _frozen(value: Any, kind: type, name: str) -> Any:
    """A value as the field keeps it: lists become tuples, whole numbers floats where floats go."""
    if isinstance(value, list):
        return _tupled(value)
    if kind.__dataclass_fields__[name].type == "float" and type(value) is int:
        return float(value)
    return value


def _tupled(value: Any) -> Any:
    return tuple(_tupled(item) for item in value) if isinstance(value, list | tuple) else value


def _listed(value: Any) -> Any:
    return [_listed(item) for item in value] if isinstance(value, list | tuple) else value


def _nearest(key: str, known: Iterable[str], label: str) -> str:
    names = list(known)
    near = difflib.get_close_matches(key, names, 1, 0.5)
    return f"did you mean {near[0]!r}?" if near else f"{label}: {', '.join(names)}"


@dataclass(frozen=True)
class Row:
    """One line of `describe`."""

    name: str
    value: Any
    unit: str
    origin: str
    note: str


def describe(target: Target) -> tuple[Row, ...]:
    """Every number of a target with its origin, then the figures derived from them."""
    rows = []
    for fact in target.facts:
        group, name = fact.key.split(".")
        item = GROUPS[group].__dataclass_fields__[name]
        value = getattr(getattr(target, group), name)
        rows.append(Row(fact.key, value, item.metadata["unit"], fact.origin, fact.note))
    node, live = target.node, len(target.live_nodes()) * target.system.trays
    matrix = 2 * node.matrix_rows * node.matrix_cols * node.matrix_depth * node.matrix_units
    vector = 2 * node.vector_lanes * node.vector_units
    sums = (
        ("nodes", live, "nodes", "positions that work"),
        ("matrix_flops", live * matrix * node.clock_hz, "FLOP/s", "BF16 and CFloat8 peak"),
        ("vector_flops", live * vector * node.clock_hz, "FLOP/s", "FP32 peak"),
        ("sram_bytes", live * node.sram_bytes, "B", "SRAM of all nodes"),
        ("dram_bytes", target.dips.count * target.system.trays * target.dips.hbm_bytes, "B", "HBM"),
        ("link_bytes_per_s", target.mesh.link_bytes * node.clock_hz, "B/s", "one mesh link"),
    )
    rows += [
        Row(f"derived.{name}", value, unit, "derived", note) for name, value, unit, note in sums
    ]
    return tuple(rows)
