"""Iteration domains: a structured op as loops, each operand read through an affine map of them.

Sharding, tiling and footprints read only this; they need no rule per op.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

KINDS = ("parallel", "reduction")


@dataclass(frozen=True)
class Affine:
    """Sum of coefficient * dim, plus offset; outside the tensor the op's padding value is read."""

    terms: tuple[tuple[int, int], ...] = ()
    offset: int = 0

    def at(self, point: Sequence[int]) -> int:
        """The index at one point of the domain."""
        return self.offset + sum(scale * point[dim] for dim, scale in self.terms)

    def coefficient(self, dim: int) -> int:
        """What one step of `dim` adds to the index; 0 where the dim does not matter."""
        return dict(self.terms).get(dim, 0)

    @property
    def dims(self) -> tuple[int, ...]:
        return tuple(dim for dim, _ in self.terms)

    def plain_dim(self) -> int | None:
        """The dim this index simply is, or None."""
        if self.offset == 0 and len(self.terms) == 1 and self.terms[0][1] == 1:
            return self.terms[0][0]
        return None


ZERO = Affine()
Map = tuple[Affine, ...]


def dim(index: int, scale: int = 1, offset: int = 0) -> Affine:
    """`scale * dim + offset`."""
    return Affine(((index, scale),), offset)


def identity(rank: int) -> Map:
    """The map that reads element (d0, d1, ...)."""
    return tuple(dim(index) for index in range(rank))


class Dim(NamedTuple):
    """One loop of a domain."""

    name: str
    size: int
    kind: str


@dataclass(frozen=True)
class IterationDomain:
    """Loops, and the map of each operand and result (one `Affine` a tensor dimension).

    A reduction dim that also stands in a result's map (softmax, layer norm) means: every element of
    the result along it needs the whole extent of the operand along it.
    """

    dims: tuple[Dim, ...]
    operands: tuple[Map, ...]
    results: tuple[Map, ...]

    def __post_init__(self) -> None:
        if any(row.kind not in KINDS or row.size < 0 for row in self.dims):
            raise ValueError(f"a dim needs a size and a kind of {KINDS}: {self.dims}")
        used = [index for each in self.maps for affine in each for index in affine.dims]
        if used and not 0 <= min(used) <= max(used) < len(self.dims):
            raise ValueError(f"a map names dim {max(used)} of a domain of {len(self.dims)} dims")

    @property
    def maps(self) -> tuple[Map, ...]:
        """Operand maps, then result maps."""
        return self.operands + self.results

    def of_kind(self, kind: str) -> tuple[int, ...]:
        """Indices of the dims of one kind."""
        return tuple(index for index, row in enumerate(self.dims) if row.kind == kind)

    @property
    def parallel(self) -> tuple[int, ...]:
        return self.of_kind("parallel")

    @property
    def reduction(self) -> tuple[int, ...]:
        return self.of_kind("reduction")


def parallel_dims(shape: Sequence[int], prefix: str = "d") -> tuple[Dim, ...]:
    """One parallel dim for each size."""
    return tuple(Dim(f"{prefix}{index}", size, "parallel") for index, size in enumerate(shape))
