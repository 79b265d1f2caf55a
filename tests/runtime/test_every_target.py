"""Every shipped machine file: it loads, says where each number is from, and survives plain data."""

from __future__ import annotations

from pathlib import Path

import pytest

from dojocc.runtime import targets
from dojocc.runtime.target import GROUPS, ORIGINS, Target
from dojocc.runtime.targets import describe, from_dict, list_targets, load_target, to_dict

FOLDER = Path(targets.__file__).parent / "targets"


@pytest.fixture(params=list_targets())
def target(request: pytest.FixtureRequest) -> Target:
    return load_target(request.param)


def test_every_file_is_listed_by_its_name() -> None:
    assert sorted(list_targets()) == sorted(path.stem for path in FOLDER.glob("*.toml"))
    assert all(load_target(name).name == name for name in list_targets())


def test_every_number_has_an_origin_and_a_note(target: Target) -> None:
    rows = describe(target)
    assert {row.name for row in rows} >= {
        f"{group}.{name}" for group, kind in GROUPS.items() for name in kind.__dataclass_fields__
    }
    assert all(row.origin in ORIGINS and row.note and row.unit for row in rows)
    assert target.origin("mesh.usable_share") == "assumed"
    assert target.origin("node.sram_bytes") == "published"


def test_a_target_survives_plain_data(target: Target) -> None:
    assert from_dict(to_dict(target)) == target
    assert hash(from_dict(to_dict(target))) == hash(target)


def test_its_derived_figures_follow_from_its_own_numbers(target: Target) -> None:
    rows = {row.name: row.value for row in describe(target)}
    live = len(target.live_nodes()) * target.system.trays
    assert 0 < rows["derived.nodes"] == live <= target.positions * target.system.trays
    assert rows["derived.sram_bytes"] == live * rows["node.sram_bytes"]
    per_cycle = rows["derived.matrix_flops"] / live / rows["node.clock_hz"]
    assert per_cycle == 2 * 8 * 8 * 4  # the published 8x8x4 pipe
