"""Every number format: codes and values, and storage in SRAM (tests/engines: in streams)."""

from __future__ import annotations

import numpy as np
import pytest

from dojocc.runtime.formats import FORMATS, decode, encode, find_format, round_to
from dojocc.runtime.layout import DimShard, Layout, whole

every_format = pytest.mark.parametrize("name", list(FORMATS))
SAMPLES = 4096  # codes tried of formats with more than 16 bits


def some_codes(name: str) -> np.ndarray:
    """All codes of a format, or many drawn at random; none that is NaN."""
    row = FORMATS[name]
    if row.bits <= 16:
        codes = np.arange(1 << row.bits, dtype=np.uint32).astype(f"u{row.bytes}").view(row.dtype)
    else:
        draw = np.random.default_rng(0)
        codes = draw.integers(0, 1 << row.bits, SAMPLES, np.uint64).astype(np.uint32)
        codes = codes.view(row.dtype)
    return codes[~np.isnan(decode(codes, name))]


@every_format
def test_names_and_sizes_agree(name: str) -> None:
    row = FORMATS[name]
    assert find_format(name) is find_format(row.long_name) is row
    assert row.dtype.itemsize == row.bytes and row.value_dtype.itemsize == 4
    assert row.origin == "published"


@every_format
@pytest.mark.parametrize("end", ["lowest bias", "default bias", "highest bias"])
def test_codes_survive_the_trip_to_values(name: str, end: str) -> None:
    row, codes = FORMATS[name], some_codes(name)
    bias = {"lowest bias": row.biases[0], "highest bias": row.biases[-1]}.get(end)
    back = encode(decode(codes, name, bias=bias), name, bias=bias)
    assert back.dtype == row.dtype
    np.testing.assert_array_equal(back, codes)


@every_format
def test_rounding_is_idempotent_and_keeps_the_extremes(name: str) -> None:
    row = FORMATS[name]
    wide = np.random.default_rng(1).normal(0, 50, 1000).astype(row.value_dtype)
    once = round_to(wide, name)
    np.testing.assert_array_equal(round_to(once, name), once)
    if row.kind != "int":
        ends = np.float32([row.largest(), row.smallest_normal(), row.smallest_denormal()])
        np.testing.assert_array_equal(round_to(ends, name), ends)


@every_format
def test_sram_holds_it(name: str) -> None:
    """A tensor with a halo, spread over 2 x 3 nodes, written and read."""
    row = FORMATS[name]
    rows = DimShard(("row",), 3, -1, 5, 6)
    layout = Layout((6, 20), (rows, whole(20, 32)), name, (2, 3))
    values = decode(some_codes(name)[:: max(1, len(some_codes(name)) // 120)][:120], name)
    values = values.reshape(6, 20)
    sram = np.zeros((6, 64 + layout.bytes), np.uint8)
    layout.write(values, sram, 64)
    assert layout.bytes == 6 * 32 * row.bytes
    np.testing.assert_array_equal(layout.read(sram, 64), values)
