"""A constant that is kept spread over the nodes lies near the nodes that read it."""

from __future__ import annotations

import numpy as np
import pytest

from dojocc.passes.solve.candidates import Machine, owner_computes
from dojocc.passes.solve.exchange import exchange_segments, identity
from dojocc.passes.solve.sharding import SPARE, givers, near_spread
from dojocc.passes.solve.work import spread_work
from dojocc.runtime.layout import DimShard, Layout, whole

GRID = (4, 5)
SHAPE = (64, 80)


def spreads() -> list[Layout]:
    work = spread_work(SHAPE, "BF16")
    found = owner_computes(work, Machine(GRID), lambda work, blocks: np.zeros(len(blocks)))
    return [each.results[0] for each in found]


def by_column() -> Layout:
    return Layout(SHAPE, (whole(64), DimShard(("col",), 16, 0, 16, 16)), "BF16", GRID)


def by_row() -> Layout:
    return Layout(SHAPE, (DimShard(("row",), 16, 0, 16, 16), whole(80)), "BF16", GRID)


def most_givers(source: Layout, wanted: Layout) -> int:
    rows = exchange_segments(wanted, (source,), identity(wanted))
    pairs = {(int(row["dst_node"]), int(row["src_node"])) for row in rows}
    return int(np.bincount([reader for reader, _ in pairs]).max())


@pytest.mark.parametrize("wanted, axis", [(by_column(), 1), (by_row(), 0)], ids=["column", "row"])
def test_readers_take_from_their_own_column_or_row(wanted: Layout, axis: int) -> None:
    kept = near_spread(spreads(), wanted)
    assert kept.dims[axis].axes == wanted.dims[axis].axes
    rows = exchange_segments(wanted, (kept,), identity(wanted))
    columns = GRID[1]
    place = [np.divmod(rows[side], columns)[axis] for side in ("src_node", "dst_node")]
    np.testing.assert_array_equal(*place)


def test_it_is_almost_as_small_as_any() -> None:
    offered = spreads()
    least = min(layout.bytes for layout in offered)
    for wanted in (by_column(), by_row(), *offered):
        assert near_spread(offered, wanted).bytes <= SPARE * least


def test_without_a_row_or_column_in_common_it_has_the_fewest_givers() -> None:
    both = DimShard(("row", "col"), 8, 0, 8, 16)
    wanted = Layout(SHAPE, (whole(64), both), "BF16", GRID)
    offered = spreads()
    room = SPARE * min(layout.bytes for layout in offered)
    kept = near_spread(offered, wanted)
    fewest = min(most_givers(each, wanted) for each in offered if each.bytes <= room)
    assert most_givers(kept, wanted) == fewest < 16


def test_givers_counts_the_nodes_under_a_readers_box() -> None:
    """Up to one more along each of the two dimensions, where a box starts within a giver's."""
    for kept in spreads():
        for wanted in (by_column(), by_row()):
            assert givers(kept, wanted) <= most_givers(kept, wanted) <= 4 * givers(kept, wanted)
