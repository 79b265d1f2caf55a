"""Pieces of a copy: every item once, for any number of workers; groups found are proved anew."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from dojocc.runtime.engines import workers
from dojocc.runtime.engines.dedupe import Spans, found_equal


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(("items", "cut"), [(0, 0), (1, 0), (2, 0), (7, 0), (7, 2), (7, 7)])
def test_pieces_make_up_the_whole(monkeypatch, count: int, items: int, cut: int) -> None:
    monkeypatch.setattr(workers, "workers", lambda: count)
    seen = np.zeros(items, np.int64)

    def work(piece: slice) -> None:
        seen[piece] += 1

    workers.in_pieces(work, items, workers.LEAST, cut)
    assert (seen == 1).all()


def test_an_error_of_the_second_worker_is_raised(monkeypatch) -> None:
    monkeypatch.setattr(workers, "workers", lambda: 2)

    def work(piece: slice) -> None:
        if piece.start:
            raise ValueError("second piece")

    with pytest.raises(ValueError, match="second piece"):
        workers.in_pieces(work, 4, workers.LEAST)


def test_groups_found_equal_hold_until_a_row_changes() -> None:
    table = np.repeat(np.arange(3, dtype=np.uint8)[:, None], 64, axis=1)[[0, 1, 0, 2, 1, 0]]
    spans = Spans(table, np.arange(6))
    found = found_equal(spans)
    assert found.group.tolist() == [0, 1, 0, 2, 1, 0]
    assert found.holds(spans)
    table[3] = 1
    assert found.holds(spans), "rows that become equal may stay apart"
    table[4, 5] = 9
    assert not found.holds(spans)


def test_a_forked_process_has_a_helper_of_its_own(monkeypatch) -> None:
    monkeypatch.setattr(workers, "workers", lambda: 2)
    workers.in_pieces(lambda piece: None, 4, workers.LEAST)
    child = os.fork()
    if not child:
        signal.alarm(20)
        workers.in_pieces(lambda piece: None, 4, workers.LEAST)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def test_pieces_within_pieces_are_done_by_the_one_who_asks(monkeypatch) -> None:
    monkeypatch.setattr(workers, "workers", lambda: 2)
    seen = np.zeros((4, 4), np.int64)

    def row(piece: slice) -> None:
        for number in range(*piece.indices(4)):

            def cell(own: slice, number: int = number) -> None:
                seen[number, own] += 1

            workers.in_pieces(cell, 4, workers.LEAST)

    workers.in_pieces(row, 4, workers.LEAST)
    assert (seen == 1).all()
