"""What both contraction kernels work from: loops, operands and their maps, and the epilogue's
leaves."""

from __future__ import annotations

from dataclasses import dataclass

from dojocc.dialects.domain import Dim, Map
from dojocc.passes.kernels.frame import Frame, Request, guarded_view
from dojocc.passes.kernels.region import Region
from dojocc.passes.kernels.space import Space, View, view_of


@dataclass(frozen=True)
class Contraction:
    """`operands` are operand numbers of the kernel; `result` is the simplified result map, `given`
    as in the domain (leaves are found through it)."""

    request: Request
    region: Region
    dims: tuple[Dim, ...]
    space: Space
    operands: tuple[int, int]
    maps: tuple[Map, Map]
    result: Map
    given: Map
    lane: int | None

    @property
    def parallel(self) -> list[int]:
        """Parallel dims in the order of the result's dims, outermost first."""
        order = [d for each in self.given for d, _ in each.terms]
        return [d for d in order if self.dims[d].kind == "parallel"]

    @property
    def all_reduction(self) -> list[int]:
        """Reduction dims in order, those of size 1 too."""
        return [d for d, row in enumerate(self.dims) if row.kind == "reduction"]

    @property
    def reduction(self) -> list[int]:
        return [d for d, row in enumerate(self.dims) if row.kind == "reduction" and row.size > 1]

    def has(self, side: int, dim: int | None) -> bool:
        """True when an operand is indexed by a dim."""
        return any(each.coefficient(dim) for each in self.maps[side]) if dim is not None else False

    def view(self, side: int) -> View:
        layout = self.request.operands[self.operands[side]]
        return view_of(layout, self.maps[side], self.space)

    def add_operand(
        self, frame: Frame, side: int, lane: int | None, reach: int, held: bool = False
    ) -> int:
        """An operand's buffer, bounded where `reach` elements along `lane` run past it (`held`:
        past what a node holds).
        """
        layout = self.request.operands[self.operands[side]]
        view = guarded_view(self.view(side), layout, self.maps[side], self.space, lane, reach, held)
        return frame.add(self.operands[side], view)

    @property
    def target(self) -> int:
        """The result's buffer number in the request."""
        return len(self.request.operands)
