"""The machine's FP32 functions: accuracy, special values, independence of the array's shape."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from dojocc.runtime.isa import mathfn

INF, NAN = np.inf, np.nan
FUNCTIONS = {
    "exp2": (lambda x: 2.0**x, -149, 127.9),
    "log2": (math.log2, 1e-38, 3e38),
    "tanh": (math.tanh, -10, 10),
    "erf": (math.erf, -4.5, 4.5),
    "sin": (math.sin, -1e4, 1e4),
    "cos": (math.cos, -1e4, 1e4),
    "recip": (lambda x: 1 / x, 1e-38, 1e38),
    "rsqrt": (lambda x: 1 / math.sqrt(x), 1e-38, 3e38),
    "sqrt": (math.sqrt, 0, 3e38),
}


def points(low: float, high: float, count: int = 20000) -> np.ndarray:
    """Points spread evenly and by magnitude over [low, high]."""
    rng = np.random.default_rng(11)
    even = rng.uniform(low, high, count)
    tiny = np.exp2(rng.uniform(-40, 0, count)) * (high if low > 0 else 1)
    both = np.concatenate([even, tiny, -tiny if low < 0 else tiny])
    return np.clip(both, low, high).astype(np.float32)


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_within_half_an_ulp_and_a_bit(name):
    function, low, high = FUNCTIONS[name]
    x = points(low, high)
    exact = np.array([function(float(value)) for value in x])
    actual = getattr(mathfn, name)(x).astype(np.float64)
    step = np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)
    assert np.max(np.abs(actual - exact) / step) < 0.51


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_value_of_an_element_does_not_depend_on_the_array(name):
    function = getattr(mathfn, name)
    _, low, high = FUNCTIONS[name]
    x = np.concatenate([points(low, high, 3000), np.float32([NAN, INF, 0, -0.0])])
    whole = function(x)
    assert whole.dtype == np.float32 and whole.shape == x.shape
    singles = np.array([function(value) for value in x[::7]], np.float32)
    pieces = np.concatenate(
        [function(x[i : i + n]) for i, n in zip(range(0, 90, 9), [9] * 10, strict=True)]
    )
    strided = function(np.repeat(x, 3)[1::3])
    offset = function(np.frombuffer(b"\0" * 4 + x.tobytes(), np.float32, offset=4))
    turned = function(x[: len(x) // 4 * 4].reshape(4, -1).T).T.reshape(-1)
    for other, part in (
        (singles, whole[::7]),
        (pieces, whole[:90]),
        (strided, whole),
        (offset, whole),
        (turned, whole[: len(turned)]),
    ):
        assert other.tobytes() == np.ascontiguousarray(part).tobytes()


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("exp2", [INF, -INF, 200, -200, 0, -149], [INF, 0, INF, 0, 1, 2.0**-149]),
        ("log2", [0, -0.0, -1, INF, 8, 2.0**-149], [-INF, -INF, NAN, INF, 3, -149]),
        ("tanh", [INF, -INF, -0.0, 50], [1, -1, -0.0, 1]),
        ("erf", [INF, -INF, -0.0, 4.1, -9], [1, -1, -0.0, 1, -1]),
        ("sin", [INF, -INF, -0.0], [NAN, NAN, -0.0]),
        ("cos", [INF, -INF, 0], [NAN, NAN, 1]),
        ("recip", [0, -0.0, INF, -INF, 4], [INF, -INF, 0, -0.0, 0.25]),
        ("rsqrt", [0, -0.0, INF, -1, 4], [INF, -INF, 0, NAN, 0.5]),
        ("sqrt", [-0.0, -1, INF, 9], [-0.0, NAN, INF, 3]),
    ],
)
def test_special_values(name, given, expected):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        actual = getattr(mathfn, name)(np.float32([*given, NAN]))
    assert np.isnan(actual[-1])
    wanted = np.float32(expected)
    assert np.array_equal(actual[:-1], wanted, equal_nan=True)
    assert (np.signbit(actual[:-1]) == np.signbit(wanted))[~np.isnan(wanted)].all()


def test_erf_is_odd_and_grows():
    x = np.linspace(0, 5, 40001, dtype=np.float32)
    y = mathfn.erf(x)
    assert (np.diff(y) >= 0).all()
    assert (mathfn.erf(-x) == -y).all()
    assert mathfn.erf(np.float32(3.9)) < 1 == mathfn.erf(np.float32(3.95))


def test_empty_and_scalar_arrays():
    assert mathfn.tanh(np.zeros((0, 16), np.float32)).shape == (0, 16)
    assert mathfn.exp2(np.float32(3)) == 8 and mathfn.exp2(3).shape == ()
