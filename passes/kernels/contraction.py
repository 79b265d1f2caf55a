"""Contraction kernels: dot_general and convolution, on the matrix unit or the SIMD unit.

Both read the op's iteration domain, so that batch dims, taps, strides, dilations, padding and
groups are steps and bounds of buffers, not cases. What follows the root runs on the finished sums.
"""

from __future__ import annotations

from dataclasses import replace

from dojocc.dialects.domain import Affine, Dim, Map
from dojocc.passes.kernels.builder import KernelCall
from dojocc.passes.kernels.contraction_blocks import on_matrix
from dojocc.passes.kernels.contraction_lanes import on_lanes
from dojocc.passes.kernels.contraction_matrix import matrix_plan
from dojocc.passes.kernels.contraction_plan import Contraction
from dojocc.passes.kernels.frame import Request
from dojocc.passes.kernels.region import Region
from dojocc.passes.kernels.space import simplified, space_of


def contraction(request: Request, region: Region) -> list[KernelCall]:
    """The matrix unit where both operands are BF16 and lie right, else the SIMD unit."""
    plan = contraction_of(request, region)
    matrix = matrix_plan(plan)
    return on_lanes(plan) if matrix is None else on_matrix(plan, matrix)


def contraction_of(request: Request, region: Region) -> Contraction:
    """The root's loops on every node, its operands, and the dim that lies along lanes or
    columns."""
    root = region.root
    assert root is not None
    domain = root.iteration_domain()
    if domain is None:
        raise request.refused(
            f"{root.name} with dilated operands has no kernel", "decompose it into a pad first"
        )
    behind = [region.behind_slices(value) for value in root.operands]
    numbers = [number for number, _ in behind]
    if None in numbers or len(region.values) != 1:
        raise request.refused("a contraction reads operands of the kernel and gives one result")
    result = domain.results[0]
    space = space_of(domain.dims, result, request.results[0])
    if space is None:
        raise request.refused("the shards of the result cut through the groups of a convolution")
    lane = lane_dim(domain.dims, result)
    parts = [
        tuple(replace(each, offset=each.offset + by) for each, by in zip(amap, start, strict=True))
        for amap, (_, start) in zip(domain.operands, behind, strict=True)
    ]
    maps = simplified(domain.dims, parts, (lane, *domain.reduction))
    operands = tuple(number for number in numbers if number is not None)
    return Contraction(
        request,
        region,
        domain.dims,
        space,
        (operands[0], operands[1]),
        (maps[0], maps[1]),
        simplified(domain.dims, [result], (lane,))[0],
        result,
        lane,
    )


def lane_dim(dims: tuple[Dim, ...], result: Map) -> int | None:
    """The domain dim whose steps are single elements of the result's last dim."""
    if not result:
        return None
    last: Affine = result[-1]
    unit = [d for d, c in last.terms if c == 1]
    wide = [d for d in unit if dims[d].size > 1]
    return (wide or unit)[-1]
