"""Axes of the grid: rows and columns, and their outer and inner digits."""

from __future__ import annotations

import numpy as np
import pytest

from dojocc.runtime.axes import AXES, axis_place, axis_size
from dojocc.runtime.isa.asm import assemble
from dojocc.runtime.isa.disasm import spell_layout
from dojocc.runtime.layout import DimShard, Layout, whole
from dojocc.runtime.program import layout_of_tree, layout_tree


def shard(axes: tuple[str, ...], step: int = 1) -> DimShard:
    return DimShard(axes, step, 0, step, step)


def test_digits_make_up_the_row() -> None:
    grid, split = (10, 12), (5, 3)
    for word in ("row", "col"):
        outer, inner, place = (
            axis_place(axis, grid, split) for axis in (f"outer_{word}", f"inner_{word}", word)
        )
        assert (outer * axis_size(f"inner_{word}", grid, split) + inner == place).all()
    assert [axis_size(axis, grid, split) for axis in AXES] == [10, 12, 5, 2, 3, 4]


def test_both_digits_in_two_dimensions_are_every_pair() -> None:
    """18 rows as three dies of six, and 8 columns as two of four."""
    dims = (shard(("outer_row",)), shard(("inner_row", "outer_col")), shard(("inner_col",)))
    layout = Layout((3, 12, 4), dims, "FP32", (18, 8), (3, 2))
    start, stop = layout.boxes()
    assert (stop - start == 1).all()
    assert len(np.unique(start, axis=0)) == 144
    assert start[7 * 8 + 5].tolist() == [1, 1 * 2 + 1, 1]


def test_rows_beyond_the_last_part_hold_nothing_that_is_shared_by_split() -> None:
    layout = Layout(
        (2, 6), (shard(("outer_col",)), shard(("inner_col",), 2)), "FP32", (1, 7), (1, 2)
    )
    start, stop = layout.boxes()
    filled = (stop > start).all(1)
    assert filled.tolist() == [True] * 6 + [False]
    replicas = Layout((6,), (shard(("inner_col",), 2),), "FP32", (1, 7), (1, 2))
    assert replicas.boxes()[0].reshape(-1).tolist() == [0, 2, 4, 0, 2, 4, 0]


def test_split_count_only_where_digits_are_used() -> None:
    """Equal layouts compare equal, however the grid was seen when they were made."""
    by_row = (shard(("row",)), whole(4))
    assert Layout((6, 4), by_row, "FP32", (6, 4), (3, 2)) == Layout((6, 4), by_row, "FP32", (6, 4))
    split = Layout((3, 4), (shard(("outer_row",)), whole(4)), "FP32", (6, 4), (3, 2))
    assert split.split == (3, 1)


@pytest.mark.parametrize(
    ("axes", "split", "words"),
    [
        ((("row",), ("inner_row",)), (2, 1), "shards two dimensions at once"),
        ((("outer_row",), ("outer_row",)), (2, 1), "shards two dimensions at once"),
        ((("outer_row",), ()), (1, 2), "outer_row needs 2 to 3 outer parts of 6, not 1"),
        ((("inner_col",), ()), (1, 3), "inner_col needs 2 to 2 outer parts of 4, not 3"),
    ],
)
def test_layouts_that_are_none(axes, split, words) -> None:
    dims = tuple(shard(each) if each else whole(4) for each in axes)
    with pytest.raises(ValueError, match=words):
        Layout((6, 4), dims, "FP32", (6, 4), split)


def test_a_row_is_not_written_as_its_digits() -> None:
    with pytest.raises(ValueError, match="outer_col inner_col is written col"):
        shard(("row", "outer_col", "inner_col"))


PARTED = Layout(
    (9, 32),
    (shard(("inner_row", "col")), DimShard(("outer_row",), 16, 0, 16, 16)),
    "BF16",
    (6, 3),
    (2, 1),
)


def test_program_files_keep_split() -> None:
    tree = layout_tree(PARTED)
    assert tree[-1] == [6, 3, 2, 1]
    assert layout_of_tree(tree) == PARTED
    plain = Layout((6, 4), (shard(("row",)), whole(4)), "FP32", (6, 4))
    assert layout_tree(plain)[-1] == [6, 4] and layout_of_tree(layout_tree(plain)) == plain


@pytest.mark.parametrize("grid", [[6, 3, 2], [6, 3, 2, 1, 1], [6, 3, 2.0, 1], [6, 3, 1, True]])
def test_hostile_split_are_refused(grid) -> None:
    with pytest.raises(ValueError, match="grid"):
        layout_of_tree([*layout_tree(PARTED)[:-1], grid])


@pytest.mark.parametrize("split", [[0, 1], [7, 1], [-2, 1], [1 << 70, 1]])
def test_split_that_do_not_suit_the_grid_are_refused(split) -> None:
    with pytest.raises(ValueError, match="outer parts of 6"):
        layout_of_tree([*layout_tree(PARTED)[:-1], [6, 3, *split]])


def test_assembly_text_keeps_split() -> None:
    assert spell_layout(PARTED).startswith("layout BF16 6x3 split 2x1 (9: inner_row col, 1")
    text = ".target d1-die\n.class g 6x3 nodes 0..5 7..18\n.thread 0\n halt\n"
    text += '.tensor "t" float32 [9, 32] = ' + "0 " * (9 * 32) + "\n"
    text += f'.image "t" in g at 0 {spell_layout(PARTED)} tensor "t"\n'
    assert assemble(text).images[0].layout == PARTED
