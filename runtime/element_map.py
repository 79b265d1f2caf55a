"""Which element comes from where, in closed form: what movement ops make of elements' numbers.

An `ElementMap` stands for an integer array with the number of the element that each place takes, as
`numpy.arange` followed by slices, transposes, reshapes would give it, but keeps one vector for each
dimension instead of the array. Movement ops run on it as on an array, through NumPy's own protocol,
so what they mean is said once. Where a map has no such form, `NotClosed` is raised, and the array
will do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from hashlib import sha256
from itertools import product
from math import prod
from typing import Any

import numpy as np

NOWHERE = -1
PIECES = 64
"""Pieces that a map may have; what needs more is better off as an array."""


class NotClosed(Exception):
    """The map is no small number of pieces that are a sum of one function a dimension."""


@dataclass(frozen=True, eq=False)
class Piece:
    """A product of places that take from one source: the element at places[0][i], places[1][j], ...
    is number `first` + values[0][i] + values[1][j] + ... Places ascend; values start with 0."""

    source: int
    first: int
    places: tuple[np.ndarray, ...]
    values: tuple[np.ndarray, ...]

    @staticmethod
    def of(
        source: int, first: int, places: Sequence[np.ndarray], values: Sequence[np.ndarray]
    ) -> Piece:
        """With values that may start with anything."""
        start = first + sum(int(value[0]) for value in values)
        return Piece(source, start, tuple(places), tuple(value - value[0] for value in values))

    def bounds(self) -> tuple[int, int]:
        """The least and the greatest number."""
        ends = [(int(value.min()), int(value.max())) for value in self.values]
        return self.first + sum(low for low, _ in ends), self.first + sum(high for _, high in ends)

    def along(self, dim: int, places: np.ndarray, values: np.ndarray) -> Piece:
        """The same with other places and values along one dimension."""
        change = [list(self.places), list(self.values)]
        change[0][dim], change[1][dim] = places, values
        return Piece.of(self.source, self.first, *change)

    def alike(self, other: Piece, but: int) -> bool:
        """The same source, places and values along all dimensions but one."""
        return self.source == other.source and all(
            dim == but or np.array_equal(a, b) and np.array_equal(v, w)
            for dim, (a, b, v, w) in enumerate(
                zip(self.places, other.places, self.values, other.values, strict=True)
            )
        )


class ElementMap:
    """Numbers of elements by place; `pieces` are disjoint, places in none of them have NOWHERE."""

    def __init__(self, shape: Sequence[int], pieces: Sequence[Piece] = ()) -> None:
        if len(pieces) > PIECES:
            raise NotClosed(f"{len(pieces)} pieces")
        self.shape = tuple(int(size) for size in shape)
        self.pieces = tuple(pieces)

    @staticmethod
    def whole(source: int, first: int, shape: Sequence[int]) -> ElementMap:
        """The elements of a source in row-major order, from number `first` on."""
        if not prod(shape):
            return ElementMap(shape)
        strides = np.cumprod([1, *shape[:0:-1]])[::-1] if shape else ()
        places = [np.arange(size) for size in shape]
        values = [place * stride for place, stride in zip(places, strides, strict=True)]
        return ElementMap(shape, (Piece.of(source, first, places, values),))

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return prod(self.shape)

    def min(self) -> int:
        """The least number in pieces; NOWHERE without any."""
        return min((piece.bounds()[0] for piece in self.pieces), default=NOWHERE)

    def max(self) -> int:
        """The greatest number; NOWHERE without any."""
        return max((piece.bounds()[1] for piece in self.pieces), default=NOWHERE)

    def key(self) -> bytes:
        """A digest: equal only for equal maps."""
        text = sha256(repr(self.shape).encode())
        for piece in self.pieces:
            text.update(repr((piece.source, piece.first)).encode())
            for array in (*piece.places, *piece.values):
                text.update(f"{array.size},".encode() + array.astype(np.int64).tobytes())
        return text.digest()

    def dense(self) -> np.ndarray:
        """The array that the map stands for."""
        result = np.full(self.shape, NOWHERE, np.int64)
        for piece in self.pieces:
            place = np.ix_(*piece.places) if piece.places else ()
            result[place] = reduce(np.add.outer, piece.values, np.int64(piece.first))
        return result

    def first_place(self) -> tuple[int, ...]:
        """The first place, in row-major order, that has an element."""
        return min(tuple(int(place[0]) for place in piece.places) for piece in self.pieces)

    def line(self, place: Sequence[int], dim: int) -> np.ndarray:
        """The numbers along one dimension through a place."""
        result = np.full(self.shape[dim], NOWHERE, np.int64)
        for piece in self.pieces:
            first = piece.first
            for axis, (at, value) in enumerate(zip(piece.places, piece.values, strict=True)):
                if axis == dim:
                    continue
                hit = np.searchsorted(at, place[axis])
                if hit == len(at) or at[hit] != place[axis]:
                    break
                first += int(value[hit])
            else:
                result[piece.places[dim]] = first + piece.values[dim]
        return result

    def transpose(self, permutation: Sequence[int]) -> ElementMap:
        """As numpy.transpose."""

        def turned(rows: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
            return tuple(rows[axis] for axis in permutation)

        pieces = [Piece(p.source, p.first, turned(p.places), turned(p.values)) for p in self.pieces]
        return ElementMap([self.shape[axis] for axis in permutation], pieces)

    def __getitem__(self, key: Any) -> ElementMap:
        """Slices with positive steps, one a dimension."""
        spans = [range(*each.indices(n)) for each, n in zip(key, self.shape, strict=True)]
        found: list[Piece] = []
        for piece in self.pieces:
            chosen: Piece | None = piece
            for dim, span in enumerate(spans):
                if chosen is None:
                    break
                place = chosen.places[dim] - span.start
                inside = (place >= 0) & (place < len(span) * span.step) & (place % span.step == 0)
                some = place[inside] // span.step
                chosen = chosen.along(dim, some, chosen.values[dim][inside]) if len(some) else None
            found += [chosen] if chosen is not None else []
        return ElementMap([len(span) for span in spans], found)

    def __setitem__(self, key: Any, other: ElementMap) -> None:
        """Fill places that have nothing yet; slices with positive steps, one a dimension."""
        spans = [range(*each.indices(n)) for each, n in zip(key, self.shape, strict=True)]
        if self.pieces:
            raise NotClosed("places that have something already")
        steps = [(span.start, span.step) for span in spans]
        self.pieces = tuple(
            Piece(
                piece.source,
                piece.first,
                tuple(
                    at * step + start for at, (start, step) in zip(piece.places, steps, strict=True)
                ),
                piece.values,
            )
            for piece in other.pieces
        )

    def reshape(self, shape: Sequence[int]) -> ElementMap:
        """As numpy.reshape, to a shape without -1."""
        groups = list(matching(self.shape, shape)) if self.pieces else []
        found: list[Piece] = []
        for piece in self.pieces:
            parts = [regrouped(piece, self.shape, shape, *group) for group in groups]
            for chosen in product(*parts):
                places = [place for part in chosen for place, _ in part]
                values = [value for part in chosen for _, value in part]
                found.append(Piece.of(piece.source, piece.first, places, values))
        return ElementMap(shape, found)

    def __array_function__(
        self, function: Callable[..., Any], types: Any, args: Any, kwargs: Any
    ) -> Any:
        """NumPy's functions that movement ops use."""
        if function not in FUNCTIONS:
            raise NotClosed(function.__name__)
        return FUNCTIONS[function](*args, **kwargs)


Line = tuple[np.ndarray, np.ndarray]
"""Places along a dimension, and what they add."""


def matching(old: Sequence[int], new: Sequence[int]) -> Iterator[tuple[slice, slice]]:
    """The shortest runs of dims of both shapes that have as many elements; no size is 0."""
    i = j = 0
    while i < len(old) or j < len(new):
        begin = i, j
        i, j = min(i + 1, len(old)), min(j + 1, len(new))
        while (a := prod(old[begin[0] : i])) != (b := prod(new[begin[1] : j])):
            i, j = (i + 1, j) if a < b else (i, j + 1)
        yield slice(begin[0], i), slice(begin[1], j)


def regrouped(
    piece: Piece, old: Sequence[int], new: Sequence[int], mine: slice, other: slice
) -> list[list[Line]]:
    """Lines along the dims `other` of the new shape, for the dims `mine` of the old one."""
    if tuple(old[mine]) == tuple(new[other]):
        return [list(zip(piece.places[mine], piece.values[mine], strict=True))]
    place, value = np.zeros(1, np.int64), np.zeros(1, np.int64)
    for size, more, added in zip(old[mine], piece.places[mine], piece.values[mine], strict=True):
        place = np.add.outer(place * size, more).reshape(-1)
        value = np.add.outer(value, added).reshape(-1)
    return split(place, value, tuple(new[other]))


def split(place: np.ndarray, value: np.ndarray, sizes: tuple[int, ...]) -> list[list[Line]]:
    """Products of lines over dims of these sizes for places of all of them in a row."""
    if len(sizes) < 2:
        return [[(place, value)] * len(sizes)]
    row, column = np.divmod(place, prod(sizes[1:]))
    opens = np.flatnonzero(np.diff(row, prepend=-1))
    width = len(place) // len(opens)
    if len(place) == width * len(opens) and (opens == np.arange(len(opens)) * width).all():
        columns, values = column.reshape(-1, width), value.reshape(-1, width)
        change = values - values[:, :1]
        if (columns == columns[0]).all() and (change == change[0]).all():
            return [
                [(row[opens], values[:, 0]), *rest]
                for rest in split(columns[0], change[0], sizes[1:])
            ]
    return ragged(row[opens], np.split(column, opens[1:]), np.split(value, opens[1:]), sizes)


def ragged(
    rows: np.ndarray, columns: list[np.ndarray], values: list[np.ndarray], sizes: tuple[int, ...]
) -> list[list[Line]]:
    """The same where rows differ: those that are alike together."""
    kinds: dict[bytes, list[int]] = {}
    for number, (column, value) in enumerate(zip(columns, values, strict=True)):
        kinds.setdefault(np.stack([column, value - value[0]]).tobytes(), []).append(number)
        if len(kinds) > PIECES:
            raise NotClosed(f"a reshape to {sizes}")
    found: list[list[Line]] = []
    for alike in kinds.values():
        first = alike[0]
        begin = np.array([values[number][0] for number in alike])
        change = values[first] - values[first][0]
        for rest in split(columns[first], change, sizes[1:]):
            found.append([(rows[alike], begin), *rest])
    return found


def flip(each: ElementMap, dims: Sequence[int]) -> ElementMap:
    """As numpy.flip."""
    pieces = list(each.pieces)
    for dim in dims:
        last = each.shape[dim] - 1
        pieces = [
            piece.along(dim, last - piece.places[dim][::-1], piece.values[dim][::-1])
            for piece in pieces
        ]
    return ElementMap(each.shape, pieces)


def broadcast_to(each: ElementMap, shape: Sequence[int]) -> ElementMap:
    """As numpy.broadcast_to, for shapes of one rank."""
    pieces = list(each.pieces) if prod(shape) else []
    for dim, (have, want) in enumerate(zip(each.shape, shape, strict=True)):
        if have != want:
            whole = np.arange(want), np.zeros(want, np.int64)
            pieces = [piece.along(dim, *whole) for piece in pieces]
    return ElementMap(shape, pieces)


def concatenate(parts: Sequence[ElementMap], dim: int) -> ElementMap:
    """As numpy.concatenate. Pieces that go on where one before them ends become one with it."""
    found: list[Piece] = []
    begin = 0
    for part in parts:
        for piece in part.pieces:
            place = piece.places[dim] + begin
            before = [n for n, each in enumerate(found) if each.alike(piece, dim)]
            same = [n for n in before if found[n].places[dim][-1] + 1 == place[0]]
            if not same:
                found.append(piece.along(dim, place, piece.values[dim]))
                continue
            old = found[same[0]]
            places = np.concatenate([old.places[dim], place])
            further = piece.values[dim] + (piece.first - old.first)
            values = np.concatenate([old.values[dim], further])
            found[same[0]] = old.along(dim, places, values)
        begin += part.shape[dim]
    shape = list(parts[0].shape)
    shape[dim] = begin
    return ElementMap(shape, found)


def full_like(
    each: ElementMap, value: ElementMap, shape: Sequence[int], order: str = "C"
) -> ElementMap:
    """As numpy.full_like, for a value that comes from nowhere."""
    if value.pieces:
        raise NotClosed("one element at many places")
    return ElementMap(shape)


FUNCTIONS: dict[Callable[..., Any], Callable[..., ElementMap]] = {
    np.flip: flip,
    np.broadcast_to: broadcast_to,
    np.concatenate: concatenate,
    np.full_like: full_like,
}
