"""Rows of transfer lists and the entries they stand for; rows that no program may hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sample_program import list_entry, make_program

from dojocc.runtime.errors import InputError
from dojocc.runtime.lists import (
    ENTRY_DTYPE,
    LARGEST_LISTS,
    entries_of_rows,
    entry_counts,
    rows_of_entries,
)
from dojocc.runtime.program import from_bytes, to_bytes

NODES = 6


def entries(*rows: np.ndarray) -> np.ndarray:
    return entries_of_rows(np.concatenate(rows), [NODES], 1)


def test_levels_nest_and_move_all_four_fields() -> None:
    row = list_entry(node=1, peer=5, src=64, dst=640, bytes=8)
    row["repeat0"], row["node_step0"], row["dst_step0"] = 2, 3, 16
    row["repeat1"], row["peer_step1"], row["src_step1"] = 3, -2, -8
    assert entry_counts(row).tolist() == [6]
    found = entries(row)[["node", "peer", "src", "dst"]].tolist()
    assert sorted(found) == sorted(
        (1 + 3 * inner, 5 - 2 * outer, 64 - 8 * outer, 640 + 16 * inner)
        for outer in range(3)
        for inner in range(2)
    )


def test_a_node_starts_its_entries_by_turn_then_destination_then_row() -> None:
    rows = [
        list_entry(node=4, peer=peer, dst=dst, src=src)
        for src, (peer, dst) in enumerate([(3, 0), (5, 64), (0, 0), (5, 0), (4, 0), (5, 0)])
    ]
    found = entries(*rows)
    assert found["peer"].tolist() == [4, 5, 5, 5, 0, 3]
    assert found["src"].tolist() == [4, 3, 5, 1, 2, 0]


def test_entries_come_by_list_class_and_node() -> None:
    spread = list_entry(list=1, node=0, peer=0)
    spread["repeat0"], spread["node_step0"] = NODES, 1
    found = entries(list_entry(list=2, node=1), list_entry(list=0, node=3), spread)
    assert found["list"].tolist() == [0, *[1] * NODES, 2]
    assert found["node"].tolist() == [3, *range(NODES), 1]


def test_entries_are_rows_that_are_not_repeated() -> None:
    found = entries(list_entry(node=2, peer=1, far_sem=3), list_entry(node=3, peer=1, peers=2))
    assert found.dtype == ENTRY_DTYPE
    np.testing.assert_array_equal(entries(rows_of_entries(found)), found)


def test_a_program_keeps_rows_and_gives_entries() -> None:
    row = list_entry(bytes=4)
    row["repeat0"], row["node_step0"], row["src_step0"] = NODES, 1, 4
    program = from_bytes(to_bytes(make_program(lists=row)))
    assert len(program.lists) == 1 and program.entries["src"].tolist() == list(range(0, 24, 4))
    assert program.entries is program.entries
    with pytest.raises(ValueError, match="read-only"):
        program.entries["src"][0] = 4


@pytest.mark.parametrize(
    "fields, text",
    [
        ({"repeat1": 0}, "a repetition of nothing"),
        ({"repeat0": 7, "node_step0": 1}, "a node outside its class"),
        ({"repeat2": 2, "node_step2": -1}, "a node outside its class"),
        ({"repeat0": 3, "node_step0": 2, "repeat1": 3, "node_step1": 1}, "a node outside its"),
        ({"repeat0": 4, "peer_step0": 2}, "a peer that is not there"),
        ({"peers": 3, "repeat0": 2, "peer_step0": 4}, "a peer that is not there"),
        ({"repeat0": 2, "src_step0": -1}, "bytes outside the memory at its src end"),
        ({"repeat0": 2, "src_step0": 2**63 - 1}, "bytes outside the memory at its src end"),
        ({"repeat1": 1001, "dst_step1": 1311}, "bytes outside the memory at its dst end"),
    ],
)
def test_no_repetition_may_leave_what_is_there(fields, text) -> None:
    with pytest.raises(InputError, match=text):
        make_program(lists=list_entry(**fields))
    stays = {name: value for name, value in fields.items() if "step" not in name}
    if fields.get("repeat1") != 0:
        make_program(lists=list_entry(**stays))


def test_rows_may_not_stand_for_more_entries_than_a_program_may_have() -> None:
    bomb = list_entry(repeat0=2**32 - 1, repeat1=2**32 - 1, repeat2=2**32 - 1)
    with pytest.raises(InputError, match="more entries than a program may have") as error:
        make_program(lists=bomb)
    assert f"at most {LARGEST_LISTS}" in str(error.value)
    many = np.concatenate([list_entry(repeat0=LARGEST_LISTS // 2)] * 3)
    with pytest.raises(InputError, match="more entries than a program may have"):
        make_program(lists=many)


def test_opening_a_program_spells_no_entries_out() -> None:
    data = to_bytes(make_program(lists=list_entry(repeat0=LARGEST_LISTS)))
    assert len(data) < 1 << 16
    assert "entries" not in vars(from_bytes(data))


def test_lists_of_the_plain_entries_may_not_be_mistaken_for_rows() -> None:
    program = make_program()
    with pytest.raises(InputError, match="rows of LIST_DTYPE"):
        replace(program, lists=program.entries)
