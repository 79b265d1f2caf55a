"""`Session.stream`: frames in order, fetched ahead; endless ones, wrong ones, those that stop."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import count

import numpy as np
import pytest
from cli_run import MODEL, TINY

from dojocc import Session, compile
from dojocc.runtime.errors import InputError, UsageError

TWO = """\
model two(x: f32[4, 8], z: f32[4, 8]) -> (y: f32[4, 8]) {
  y = x * z
}
"""


@pytest.fixture(scope="module")
def session() -> Session:
    return Session(compile(MODEL.encode(), target=TINY, precision="fp32"))


def frames(number: int) -> Iterator[np.ndarray]:
    return (np.full((4, 8), each, np.float32) for each in range(number))


@pytest.mark.parametrize("prefetch", [1, 2, 5])
def test_outputs_come_in_the_order_of_the_frames(session: Session, prefetch: int) -> None:
    found = list(session.stream(frames(7), prefetch=prefetch))
    assert [float(y[0, 0]) for (y,) in found] == [max(2 * each - 1, 0) for each in range(7)]
    named = list(session.stream(({"x": each} for each in frames(3)), ["y"]))
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(named, found, strict=False))
    assert list(session.stream([])) == []


def test_an_endless_stream_is_fetched_only_a_little_ahead(session: Session) -> None:
    taken: list[int] = []

    def endless() -> Iterator[np.ndarray]:
        for each in count():
            taken.append(each)
            yield np.full((4, 8), each, np.float32)

    before = threading.active_count()
    stream = session.stream(endless(), prefetch=2)
    for _ in range(3):
        next(stream)
    assert len(taken) <= 3 + 2 + 1 + 1
    stream.close()
    for thread in threading.enumerate()[before:]:
        thread.join(5)
    assert threading.active_count() == before


def test_a_wrong_frame_is_named(session: Session) -> None:
    stream = session.stream([np.zeros((4, 8), np.float32), np.zeros((4, 9), np.float32)])
    next(stream)
    with pytest.raises(InputError) as caught:
        next(stream)
    assert "frame 1" in str(caught.value) and "4" in str(caught.value)
    assert len(list(session.stream(frames(2)))) == 2


def test_what_fetching_raises_comes_behind_the_frames_before_it(session: Session) -> None:
    def broken() -> Iterator[np.ndarray]:
        yield from frames(2)
        raise OSError("the camera is gone")

    found = []
    with pytest.raises(OSError, match="the camera is gone"):
        for each in session.stream(broken()):
            found.append(each)
    assert len(found) == 2


def test_several_inputs_want_names_and_prefetch_is_a_number(session: Session) -> None:
    two = Session(compile(TWO.encode(), target=TINY, precision="fp32"))
    with pytest.raises(InputError, match="gives them by name") as caught:
        next(two.stream(frames(1)))
    assert "inputs: x, z" in str(caught.value) and "frame 0" in str(caught.value)
    with pytest.raises(UsageError, match="prefetch must be at least 1"):
        next(session.stream(frames(1), prefetch=0))
