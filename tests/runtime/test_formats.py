"""Number formats: the vectors of the format guide, agreement with ml_dtypes, and properties."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dojocc.runtime.errors import InputError
from dojocc.runtime.formats import (
    BLOCK,
    FORMATS,
    Flag,
    decode,
    encode,
    encode_with_flags,
    find_format,
    round_to,
)
from dojocc.runtime.philox import random_bits

CFLOATS = [row.name for row in FORMATS.values() if row.kind == "cfloat"]
NARROW = [row.name for row in FORMATS.values() if row.kind != "int" and row.bits < 32]
BIASES = [(name, bias) for name in CFLOATS for bias in (0, 1, 7, 15, 31, 62, 63)]
BIASES = [(name, bias) for name, bias in BIASES if bias in FORMATS[name].biases]

CODES = [
    ("CF8_143", 7, 0x08, 0.015625),
    ("CF8_143", 7, 0x0F, 0.029296875),
    ("CF8_143", 7, 0x10, 0.03125),
    ("CF8_143", 7, 0x38, 1),
    ("CF8_143", 7, 0x39, 1.125),
    ("CF8_143", 7, 0x40, 2),
    ("CF8_143", 7, 0x77, 240),
    ("CF8_143", 7, 0x78, 256),
    ("CF8_143", 7, 0x7E, 448),
    ("CF8_143", 7, 0x7F, 480),
    ("CF8_143", 7, 0xFF, -480),
    ("CF8_152", 15, 0x3C, 1),
    ("CF8_152", 15, 0x7B, 57344),
    ("CF8_152", 15, 0x7C, 65536),
    ("CF8_152", 15, 0x7F, 114688),
]

K = 1023 / 1024
# format, bias, max, min normal, max denormal literal and gradual, min denormal literal and gradual
RANGES = [
    ("CF8_143", 0, 61440, 2, 0.875, 1.75, 0.125, 0.25),
    ("CF8_143", 7, 480, 2**-6, 0.0068359375, 0.013671875, 2**-10, 2**-9),
    ("CF8_143", 63, 1.875 * 2**-48, 2**-62, 0.875 * 2**-63, 0.875 * 2**-62, 2**-66, 2**-65),
    ("CF8_152", 0, 3758096384, 2, 0.75, 1.5, 0.25, 0.5),
    ("CF8_152", 15, 114688, 2**-14, 0.75 * 2**-15, 0.75 * 2**-14, 2**-17, 2**-16),
    ("CF8_152", 63, 1.75 * 2**-32, 2**-62, 0.75 * 2**-63, 0.75 * 2**-62, 2**-65, 2**-64),
    ("CF16_SHP", 15, 131008, 2**-14, K * 2**-15, K * 2**-14, 2**-25, 2**-24),
    ("CF16_SHP", 63, (2 - 2**-10) * 2**-32, 2**-62, K * 2**-63, K * 2**-62, 2**-73, 2**-72),
    ("CF16_UHP", 31, (2 - 2**-10) * 2**32, 2**-30, K * 2**-31, K * 2**-30, 2**-41, 2**-40),
]


def all_codes(name):
    return np.arange(1 << FORMATS[name].bits, dtype=FORMATS[name].dtype)


@pytest.mark.parametrize("name, bias, code, value", CODES)
def test_codes_of_the_guide(name, bias, code, value):
    assert decode(np.array([code], np.uint8), name, bias=bias)[0] == np.float32(value)
    assert encode(np.array([value], np.float32), name, bias=bias)[0] == code


@pytest.mark.parametrize("row", RANGES, ids=lambda row: f"{row[0]}-{row[1]}")
def test_ranges_of_the_guide(row):
    name, bias, largest, normal, *denormals = row
    fmt = FORMATS[name]
    top = (1 << (fmt.exponent + fmt.mantissa)) - 1
    last = (1 << fmt.mantissa) - 1
    codes = np.array([top, last + 1, last, last, 1, 1], fmt.dtype)
    for i, (code, value) in enumerate(zip(codes, [largest, normal, *denormals], strict=True)):
        mode = "literal" if i in (2, 4) else "gradual"
        assert decode(code[None], name, bias=bias, denormal=mode)[0] == np.float32(value)
        assert encode(np.float32([value]), name, bias=bias, denormal=mode)[0] == code
    assert fmt.largest(bias) == largest and fmt.smallest_normal(bias) == normal
    assert fmt.smallest_denormal(bias, "literal") == denormals[2]
    assert fmt.smallest_denormal(bias, "gradual") == denormals[3]


@pytest.mark.parametrize("denormal", ["gradual", "literal"])
@pytest.mark.parametrize("name, bias", BIASES)
def test_every_code_survives_the_round_trip(name, bias, denormal):
    codes = all_codes(name)
    values = decode(codes, name, bias=bias, denormal=denormal)
    assert np.isfinite(values).all()
    back = encode(values, name, bias=bias, denormal=denormal)
    assert (back == codes).all()


@pytest.mark.parametrize("denormal", ["gradual", "literal"])
@pytest.mark.parametrize("name, bias", BIASES)
def test_nearest_value_wins_and_ties_go_to_the_even_code(name, bias, denormal):
    """Against a search over all values, at and around every midpoint."""
    fmt = FORMATS[name]
    grid = decode(
        all_codes(name)[: 1 << (fmt.exponent + fmt.mantissa)], fmt, bias=bias, denormal=denormal
    ).astype(np.float64)
    middle = ((grid[1:] + grid[:-1]) / 2).astype(np.float32)
    assert (middle.astype(np.float64) == (grid[1:] + grid[:-1]) / 2).all()
    low = np.arange(len(grid) - 1)
    even = low + (low & 1)
    for values, expected in (
        (middle, even),
        (np.nextafter(middle, np.float32(0)), low),
        (np.nextafter(middle, np.float32(np.inf)), low + 1),
    ):
        assert (encode(values, fmt, bias=bias, denormal=denormal) == expected).all()
    if fmt.sign:
        negative = encode(-middle, fmt, bias=bias, denormal=denormal)
        assert (negative == even + (1 << (fmt.bits - 1))).all()


@pytest.mark.parametrize(
    "name, bias, other, ours_below",
    [("CF8_143", 7, ml_dtypes.float8_e4m3fn, 448), ("CF8_152", 15, ml_dtypes.float8_e5m2, 57344)],
)
def test_agrees_with_ml_dtypes_where_both_are_finite(name, bias, other, ours_below):
    values = np.arange(1 << 16, dtype=np.uint16).view(ml_dtypes.bfloat16).astype(np.float32)
    draw = np.random.default_rng(0)
    values = np.concatenate([values, draw.normal(size=20000).astype(np.float32)])
    values = values[np.abs(values) <= ours_below]
    ours = encode(values, name, bias=bias)
    assert (ours == values.astype(other).view(np.uint8)).all()
    assert (decode(ours, name, bias=bias) == values.astype(other).astype(np.float32)).all()


def test_bf16_agrees_with_ml_dtypes_on_all_kinds_of_values():
    draw = np.random.default_rng(1)
    bits = draw.integers(0, 1 << 32, 3 * BLOCK + 17, dtype=np.uint32)
    special = np.array([0, 1 << 31, 0x7F800000, 0xFF800000, 0x7F7FFFFF, 0x00018000], np.uint32)
    values = np.concatenate([bits, special]).view(np.float32)
    values = values[~np.isnan(values)]
    assert (encode(values, "BF16") == values.astype(ml_dtypes.bfloat16).view(np.uint16)).all()
    codes = np.arange(1 << 16, dtype=np.uint16)
    same = codes.view(ml_dtypes.bfloat16).astype(np.float32).view(np.uint32)
    assert (decode(codes, "BF16").view(np.uint32) == same).all()


@pytest.mark.parametrize("bits", [0x7F800001, 0x7FFFFFFF, 0xFF800001, 0xFFFFFFFF, 0x7FC00000])
def test_bf16_keeps_nan(bits):
    value = np.array([bits], np.uint32).view(np.float32)
    for kind in ({}, {"rounding": "stochastic", "random": np.array([2**32 - 1], np.uint32)}):
        code = encode(value, "BF16", **kind)
        assert np.isnan(decode(code, "BF16")).all()
        assert (code[0] >> 15) == bits >> 31


def test_fp32_is_the_identity_without_a_copy():
    values = np.ones((3, 4), np.float32)
    assert np.shares_memory(encode(values, "FP32"), values)
    assert np.shares_memory(decode(values, "FP32"), values)


def test_shapes_strides_and_blocks_do_not_matter():
    values = np.random.default_rng(2).normal(size=(BLOCK // 8, 24)).astype(np.float32)
    for name in NARROW:
        whole = encode(values.T[::2], name)
        assert whole.shape == (12, BLOCK // 8)
        assert (whole == np.stack([encode(row, name) for row in values.T[::2]])).all()
        assert encode(np.float32(1), name).shape == ()


@pytest.mark.parametrize("name", CFLOATS)
def test_out_of_range_clamps_and_nan_becomes_the_largest(name):
    fmt = FORMATS[name]
    values = np.array([np.inf, fmt.largest() * 1.5, -np.inf, np.nan, -np.nan], np.float32)
    lowest = -fmt.largest() if fmt.sign else 0.0
    expected = [fmt.largest(), fmt.largest(), lowest, fmt.largest(), fmt.largest()]
    assert round_to(values, name).tolist() == expected
    _, flags = encode_with_flags(values, name)
    below = Flag.OVERFLOW if fmt.sign else Flag.INVALID
    assert flags.tolist() == [Flag.OVERFLOW, Flag.OVERFLOW, below, Flag.INVALID, Flag.INVALID]


def test_flags_tell_denormal_underflow_and_overflow_apart():
    fmt = FORMATS["CF8_143"]
    step = fmt.smallest_denormal()
    half = 16.0  # half a step at the top of the range
    values = np.float32([0, 1, step, step * 1.25, step / 4, 480 + half / 2, 480 + half, 480])
    codes, flags = encode_with_flags(values, fmt)
    both = Flag.DENORMAL | Flag.UNDERFLOW
    assert flags.tolist() == [0, 0, Flag.DENORMAL, both, Flag.UNDERFLOW, 0, Flag.OVERFLOW, 0]
    assert (codes == encode(values, fmt)).all()
    assert encode_with_flags(np.float32([-1, -0.0]), "CF16_UHP")[1].tolist() == [Flag.INVALID, 0]
    assert encode_with_flags(np.float32([3.4e38, np.inf, np.nan]), "BF16")[1].tolist() == [
        Flag.OVERFLOW, 0, 0,
    ]  # fmt: skip


def test_integers_round_to_even_and_saturate():
    values = np.float32([0.5, 1.5, -0.5, -2.5, 126.6, 1e9, -1e9, np.inf, -np.inf, np.nan])
    assert encode(values, "INT8").tolist() == [0, 2, 0, -2, 127, 127, -128, 127, -128, 0]
    assert encode(np.float32([3e9, -3e9]), "INT32").tolist() == [2**31 - 1, -(2**31)]
    assert encode(np.array([2**40, -(2**40), 7]), "INT16").tolist() == [32767, -32768, 7]
    assert encode(np.array([2**64 - 1], np.uint64), "INT32").tolist() == [2**31 - 1]
    assert decode(np.int8([-3]), "INT8").dtype == np.int32
    flags = encode_with_flags(np.float32([127.4, 127.6, np.nan]), "INT8")[1]
    assert flags.tolist() == [0, Flag.OVERFLOW, Flag.INVALID]


@pytest.mark.parametrize("name", NARROW + ["INT8"])
def test_stochastic_rounding_is_unbiased_and_picks_neighbours(name):
    value = {"INT8": 3.3}.get(name, 1 + 0.3 * FORMATS[name].epsilon)
    values = np.full(1 << 16, value, np.float32)
    random = random_bits(1, 0, name, 0, values.size)
    rounded = round_to(values, name, rounding="stochastic", random=random).astype(np.float64)
    low = np.floor(value) if name == "INT8" else 1.0
    step = 1.0 if name == "INT8" else FORMATS[name].epsilon
    assert set(np.unique(rounded)) == {low, low + step}
    assert abs((rounded.mean() - low) / step - 0.3) < 0.01
    exact = np.full(1 << 10, low, np.float32)
    most = np.full(1 << 10, 2**32 - 1, np.uint32)
    assert (round_to(exact, name, rounding="stochastic", random=most) == low).all()


@pytest.mark.parametrize("denormal", ["gradual", "literal"])
def test_stochastic_rounding_of_denormals_is_unbiased(denormal):
    fmt = FORMATS["CF8_143"]
    for value in (2.3 * fmt.smallest_denormal(), 0.9 * fmt.smallest_normal()):
        values = np.full(1 << 16, value, np.float32)
        random = random_bits(2, 0, 0, 0, values.size)
        rounded = round_to(values, fmt, rounding="stochastic", random=random, denormal=denormal)
        assert len(np.unique(rounded)) == 2
        assert abs(rounded.astype(np.float64).mean() / value - 1) < 0.01


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(BIASES),
    st.lists(st.floats(width=32, allow_nan=False), min_size=2, max_size=30),
    st.sampled_from(["gradual", "literal"]),
)
def test_rounding_keeps_order_and_repeats_itself(pick, values, denormal):
    name, bias = pick
    values = np.sort(np.float32(values))
    once = round_to(values, name, bias=bias, denormal=denormal)
    assert (np.diff(once) >= 0).all()
    again = round_to(once, name, bias=bias, denormal=denormal)
    assert (again == once).all()
    fmt = FORMATS[name]
    normal = (np.abs(values) >= fmt.smallest_normal(bias)) & (np.abs(values) <= fmt.largest(bias))
    normal &= (values > 0) | (fmt.sign == 1)
    error = np.abs(once.astype(np.float64) - values)[normal]
    assert (error <= np.abs(values[normal]) * fmt.epsilon / 2).all()


def test_names_are_found_and_wrong_ones_explained():
    assert find_format("CFloat8_1_4_3") is FORMATS["CF8_143"]
    assert all(find_format(row.long_name) is row for row in FORMATS.values())
    with pytest.raises(InputError, match="no number format is called 'bf16'") as error:
        encode(np.zeros(1), "bf16")
    assert "BF16" in str(error.value)


@pytest.mark.parametrize(
    "call, text",
    [
        (lambda x: encode(x, "CF8_143", bias=64), "cannot have bias 64"),
        (lambda x: encode(x, "CF16_UHP", bias=30), "cannot have bias 30"),
        (lambda x: decode(x, "BF16", bias=3), "cannot have bias 3"),
        (lambda x: encode(x, "BF16", rounding="up"), "unknown rounding 'up'"),
        (lambda x: encode(x, "CF8_143", denormal="flush"), "unknown denormal mode 'flush'"),
        (lambda x: encode(x, "BF16", rounding="stochastic"), "needs random bits"),
        (
            lambda x: encode(x, "BF16", rounding="stochastic", random=np.zeros(9, np.uint32)),
            "do not match the values",
        ),
    ],
)
def test_wrong_options_are_explained(call, text):
    with pytest.raises(InputError, match=text):
        call(np.zeros(4, np.float32))
