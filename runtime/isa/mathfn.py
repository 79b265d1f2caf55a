"""The machine's FP32 functions on NumPy arrays, for instruction bodies and references alike.

Each takes float32 and gives float32 of the same shape, element by element: the value of an element
never depends on the array's shape, order or alignment. Work is done in float64 and rounded once, so
results are the correctly rounded ones but for rare halfway cases (error below 0.51 ulp).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

BLOCK = 1 << 13  # elements a step, so that float64 temporaries stay in cache
ERF_SATURATES = 4.0  # beyond it erf rounds to 1 in FP32

# W. J. Cody, "Rational Chebyshev approximation for the error function", Math. Comp. 23 (1969)
# 631-637: erf(x) = x P(x^2) / Q(x^2) up to 0.46875 (highest power first) ...
SMALL_P = (
    1.85777706184603153e-1,
    3.16112374387056560e0,
    1.13864154151050156e2,
    3.77485237685302021e2,
    3.20937758913846947e3,
)
SMALL_Q = (
    1.0,
    2.36012909523441209e1,
    2.44024637934444173e2,
    1.28261652607737228e3,
    2.84423683343917062e3,
)
# ... and erfc(x) = exp(-x^2) P(x) / Q(x) from there to 4.
LARGE_P = (
    2.15311535474403846e-8,
    5.64188496988670089e-1,
    8.88314979438837594e0,
    6.61191906371416295e1,
    2.98635138197400131e2,
    8.81952221241769090e2,
    1.71204761263407058e3,
    2.05107837782607147e3,
    1.23033935479799725e3,
)
LARGE_Q = (
    1.0,
    1.57449261107098347e1,
    1.17693950891312499e2,
    5.37181101862009858e2,
    1.62138957456669019e3,
    3.29079923573345963e3,
    4.36261909014324716e3,
    3.43936767414372164e3,
    1.23033935480374942e3,
)


def through_double(function: Callable[[np.ndarray], np.ndarray], a) -> np.ndarray:
    """float32 of `function` applied to `a` as float64, block by block."""
    a = np.asarray(a, np.float32)
    with np.errstate(all="ignore"):
        if a.size <= BLOCK:
            return function(a.astype(np.float64, order="C")).astype(np.float32)
        flat = np.ascontiguousarray(a).reshape(-1)
        result = np.empty(flat.shape, np.float32)
        for start in range(0, flat.size, BLOCK):
            part = slice(start, start + BLOCK)
            result[part] = function(flat[part].astype(np.float64))
        return result.reshape(a.shape)


def exp2(a) -> np.ndarray:
    """2 to the power a; 0 at -inf, inf at +inf and on overflow."""
    return through_double(np.exp2, a)


def log2(a) -> np.ndarray:
    """Logarithm to base 2; -inf at 0, NaN below."""
    return through_double(np.log2, a)


def tanh(a) -> np.ndarray:
    """Hyperbolic tangent."""
    return through_double(np.tanh, a)


def sin(a) -> np.ndarray:
    """Sine of radians, with full argument reduction; NaN at infinities."""
    return through_double(np.sin, a)


def cos(a) -> np.ndarray:
    """Cosine of radians, with full argument reduction; NaN at infinities."""
    return through_double(np.cos, a)


def recip(a) -> np.ndarray:
    """1 / a, correctly rounded; an infinity of a's sign at zero."""
    with np.errstate(all="ignore"):
        return np.divide(np.float32(1), np.asarray(a, np.float32))


def rsqrt(a) -> np.ndarray:
    """1 / square root of a; inf at +0, -inf at -0, 0 at inf, NaN below 0."""
    return through_double(lambda x: 1.0 / np.sqrt(x), a)


def sqrt(a) -> np.ndarray:
    """Square root, correctly rounded; NaN below 0."""
    with np.errstate(all="ignore"):
        return np.sqrt(np.asarray(a, np.float32))


def erf(a) -> np.ndarray:
    """Error function."""
    return through_double(_erf, a)


def _erf(x: np.ndarray) -> np.ndarray:
    size = np.minimum(np.abs(x), ERF_SATURATES)
    square = size * size
    tail = np.exp(-square) * _horner(LARGE_P, size) / _horner(LARGE_Q, size)
    core = size * _horner(SMALL_P, square) / _horner(SMALL_Q, square)
    return np.copysign(np.where(size <= 0.46875, core, 1.0 - tail), x)


def _horner(coefficients: tuple[float, ...], x: np.ndarray) -> np.ndarray:
    result = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        result *= x
        result += coefficient
    return result
