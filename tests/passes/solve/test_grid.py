"""The logical grid: live nodes, once each, near-full whatever is dead, parts that are dies."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mesh_maps import grid_target

from dojocc.passes.solve.grid import logical_grid, spare_nodes
from dojocc.passes.solve.grid_rows import loans
from dojocc.runtime.errors import DoesNotFit
from dojocc.runtime.mesh.routes import connected
from dojocc.runtime.targets import list_targets, load_target

TARGETS = Path(__file__).parents[2] / "targets"


def straight_rows(usable):
    """Nodes of the largest grid that keeps to rows of the machine, or to columns."""
    sizes = [
        width * int((alive.sum(1) >= width).sum())
        for alive in (usable, usable.T)
        for width in range(1, alive.shape[1] + 1)
    ]
    return max(sizes)


def test_the_default_die_gives_18_by_19():
    target = load_target("d1-die")
    grid = logical_grid(target)
    assert grid.shape == (18, 19) and grid.dtype == np.int64
    assert (grid // 20 == np.arange(18)[:, None]).all()
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


@settings(max_examples=100, deadline=None)
@given(st.sets(st.integers(0, 34), max_size=30))
@example({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 18})
def test_any_map_gives_at_least_the_largest_straight_grid(dead):
    target = grid_target(5, 7, sorted(dead))
    grid = logical_grid(target)
    usable = connected(target)
    assert usable.reshape(-1)[grid].all() and len(np.unique(grid)) == grid.size
    assert straight_rows(usable) <= grid.size <= usable.sum()
    rows, cols = grid // 7, grid % 7
    assert (np.ptp(rows, axis=1) <= 2).all() or (np.ptp(cols, axis=0) <= 2).all()


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 15), st.integers(0, 17), st.integers(1, 3), st.integers(1, 3), st.integers(0, 3)
)
def test_a_cluster_on_the_die_costs_no_more_than_itself(row, col, height, width, more):
    """As many nodes as any shape has that the live ones could fill; rows bend round the cluster."""
    dead = [(r, c) for r in range(row, row + height) for c in range(col, col + width)]
    draw = np.random.default_rng(row * 20 + col).choice(360, more, replace=False)
    target = load_target("d1-die").with_dead([*dead, *draw.tolist()])
    grid = logical_grid(target)
    live = int(connected(target).sum())
    best = max(r * c for r in range(1, 19) for c in range(1, 21) if r * c <= live)
    assert grid.size == best
    assert (np.ptp(grid // 20, axis=1) <= 2).all() or (np.ptp(grid % 20, axis=0) <= 2).all()


def test_dies_give_equal_parts_and_a_damaged_one_borrows_from_its_neighbours():
    target = load_target("d1-training-tile")
    die = target.die
    for dead in ([], [(row, col) for row in range(20, 24) for col in range(30, 34)]):
        grid = logical_grid(target.with_dead(dead))
        assert grid.shape == (90, 95)
        rows, cols = grid // 100 // die.rows, grid % 100 // die.cols
        elsewhere = (rows != np.arange(90)[:, None] // 18) | (cols != np.arange(95) // 19)
        assert elsewhere.mean() <= (0.02 if dead else 0)


def test_a_dead_die_leaves_most_of_the_others():
    target = load_target("d1-training-tile")
    small = replace(target, system=replace(target.system, die_rows=2, die_cols=2))
    grid = logical_grid(small.with_dead([(r, c) for r in range(18) for c in range(20)]))
    assert grid.size >= 2 * 342 and small.live().reshape(-1)[grid].all()


def test_rows_borrow_as_little_as_they_can():
    assert loans(np.array([5, 5, 5]), 3, 5) == ([0, 1, 2], [0, 0, 0])
    assert loans(np.array([6, 4, 5]), 3, 5) == ([0, 1, 2], [1, 0, 0])
    assert loans(np.array([5, 4, 6]), 3, 5) == ([0, 1, 2], [0, -1, 0])
    assert loans(np.array([3, 2, 5]), 2, 5) == ([0, 2], [-2, 0, 0])
    assert loans(np.array([5, 3, 5]), 3, 5) is None
    assert loans(np.array([1, 1, 1, 7]), 2, 5) is None  # nodes move by one row only
    kept, passed = loans(np.array([6, 5, 4]), 3, 5) or ([], [])
    assert kept == [0, 1, 2] and passed == [1, 1, 0]


def test_a_machine_without_a_usable_node_is_refused():
    target = grid_target(1, 2, dead=[0])
    assert logical_grid(target).tolist() == [[1]]
    with pytest.raises(DoesNotFit, match="target tiny has no usable node"):
        logical_grid(_nobody(target))


def _nobody(target):
    """A target whose nodes are all dead, which no constructor allows."""
    broken = replace(target)
    object.__setattr__(broken, "defect_nodes", ((0, 0), (0, 1)))
    return broken
