"""Physical padding: how large a buffer dimension is made for an extent, by what reads or writes it.

Rules (nothing else may be assumed of a buffer):
1. The last dimension reserves a multiple of 16 elements; elements past its logical extent are zero.
   Exception: a bf16 constant (or an exchange's copy of one) that is the right operand of a
   matrix-unit contraction (its last
   dimension is the columns) reserves a multiple of 8, so that 8-column shards waste nothing.
2. The second-to-last dimension of a matrix-unit kernel's *result* (rows; a convolution's width)
   reserves a multiple of 8, so that an 8-row block may be stored whole.
3. The contraction rows of a right operand (k of [.., k, n], input channels of HWIO) reserve a
   multiple of 4, and rows past their logical extent are zero.
4. Every other dimension reserves its extent. Elements past an extent are unspecified but for 1 and
  3.
"""

from __future__ import annotations

LANES = 16
MATRIX_EDGE = 8
MATRIX_DEPTH = 4


def round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def physical_shape(
    extents: tuple[int, ...],
    *,
    matrix_result: bool = False,
    depth_dim: int | None = None,
    narrow_last: bool = False,
) -> tuple[int, ...]:
    """Physical size of every dimension of a local part.

    `matrix_result`: the buffer is written by a matrix-unit kernel (rule 2); `depth_dim`: the
    dimension that holds the contraction rows of a right operand (rule 3); `narrow_last`: the
    exception of rule 1.
    """
    physical = list(extents)
    if not physical:
        return ()
    physical[-1] = round_up(physical[-1], MATRIX_EDGE if narrow_last else LANES)
    if matrix_result and len(physical) > 1:
        physical[-2] = round_up(physical[-2], MATRIX_EDGE)
    if depth_dim is not None and depth_dim != len(physical) - 1:
        physical[depth_dim] = round_up(physical[depth_dim], MATRIX_DEPTH)
    return tuple(physical)


def block_granule(*, last: bool, matrix_columns: bool, matrix_rows: bool) -> int:
    """What a shard's block size is rounded up to, when the dimension is sharded at all."""
    if matrix_columns or matrix_rows:
        return MATRIX_EDGE
    return LANES if last else 1
