"""The logical grid: only live nodes, whole rows, the largest of its kind."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dojocc.passes.solve.grid import logical_grid, spare_nodes
from dojocc.runtime.targets import list_targets, load_target

TARGETS = Path(__file__).parents[2] / "targets"


def test_the_default_die_gives_18_by_19():
    target = load_target("d1-die")
    grid = logical_grid(target)
    assert grid.shape == (18, 19) and grid.dtype == np.int64
    assert len(spare_nodes(target)) == 354 - 342


def test_small_targets():
    tiny = logical_grid(load_target(TARGETS / "tiny.toml"))
    assert tiny.tolist() == [[0, 1, 2], [3, 4, 5]]
    holes = logical_grid(load_target(TARGETS / "tiny-holes.toml"))
    assert holes.tolist() == [[0, 1, 3], [4, 6, 7], [8, 9, 10]]


@pytest.mark.parametrize("name", [name for name in list_targets() if name != "d1-exapod"])
def test_every_target_has_a_grid_of_live_nodes(name):
    target = load_target(name)
    grid = logical_grid(target)
    assert target.live().reshape(-1)[grid].all()
    used = np.concatenate([grid.reshape(-1), spare_nodes(target)])
    assert (np.sort(used) == target.live_nodes()).all()


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(0, 34), max_size=30))
def test_any_map_gives_the_largest_grid(dead):
    base = load_target(TARGETS / "tiny.toml")
    tree = {"rows": 5, "cols": 7}
    die = type(base.die)(**(base.die.__dict__ | tree))
    target = type(base)(**(base.__dict__ | {"die": die})).with_dead(sorted(dead))
    grid = logical_grid(target)
    rows, cols = np.divmod(grid, 7)
    assert not set(grid.reshape(-1).tolist()) & dead
    assert (rows == rows[:, :1]).all() and (np.diff(rows[:, 0]) > 0).all()
    assert (np.diff(cols, axis=1) > 0).all()
    assert grid.size >= 1
