"""Every row of the ISA table: body against plain Python, encoding, text, manual entry."""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pytest
from isa_formulas import LANES, ROWS, SCALARS, f32

from dojocc.runtime.formats import FORMATS, decode, encode
from dojocc.runtime.isa import BY_OPCODE, TABLE
from dojocc.runtime.isa.asm_text import (
    OperandError,
    parse_operand,
    spell_instruction,
    spell_operand,
)
from dojocc.runtime.isa.codec import EncodingError, IllegalInstruction
from dojocc.runtime.isa.codec import decode as decode_word
from dojocc.runtime.isa.codec import encode as encode_instr
from dojocc.runtime.isa.instr import KINDS, LANE_VIEWS, Effect, Instr, Row
from dojocc.runtime.isa.manual import manual

ALL = list(TABLE.values())
names = [row.mnemonic for row in ALL]
# Checked by tests of their own below.
MATRIX = {"mzero", "mmac", "mmact", "mread", "mwrite"}
OTHERS = {
    "apad",
    "ay",
    "ax",
    "astep",
    "dset",
    "pinb",
    "rdid",
    "vcvt",
    "vsr",
    "vrand",
    "vgat",
    "vsca",
}
EFFECTS = {"aclr", "ldx", "mfmt", "push", "pull", "dld", "dst", "nbar", "rbar", "end", "ret", "nop"}
EFFECTS |= {"mark", "halt"}
SPECIAL = {
    "f32": [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        2.5,
        -3.5,
        np.inf,
        -np.inf,
        np.nan,
        1e-45,
        -1e-40,
        3e38,
        -3e38,
    ],
    "i32": [0, 1, -1, 31, 32, 33, 2**31 - 1, -(2**31)],
    "raw": [0, 1, 2**31, 2**32 - 1, 0x7FC00000],
}


def sample(rng: np.random.Generator, view: str, shape: tuple[int, ...]) -> np.ndarray:
    """Random lanes with the awkward values mixed in."""
    dtype = np.dtype(LANE_VIEWS[view])
    if view == "f32":
        scale = np.exp2(rng.uniform(-30, 30, shape))
        values = (rng.standard_normal(shape) * np.where(rng.random(shape) < 0.5, 1, scale)).astype(
            dtype
        )
    else:
        info = np.iinfo(dtype)
        values = rng.integers(info.min, info.max, shape, dtype, endpoint=True)
    special = np.array(SPECIAL[view], np.float64).astype(dtype) if view == "f32" else SPECIAL[view]
    return np.where(rng.random(shape) < 0.3, rng.choice(np.array(special, dtype), shape), values)


def immediate(rng: np.random.Generator, kind: str) -> int | float:
    if kind == "f32":
        return float(
            np.float32(rng.choice([0.1, -0.0, 1e-45, np.inf, -np.inf, rng.standard_normal()]))
        )
    low, high = KINDS[kind].low, KINDS[kind].high
    return int(rng.choice([low, high, rng.integers(low, high, endpoint=True)]))


def arguments(row: Row, rng: np.random.Generator, leading: tuple[int, ...]) -> list:
    """Values for the body: lanes [..., 16], scalars [...], immediates as numbers."""
    values = []
    for operand in row.inputs:
        if operand.role == "imm":
            values.append(immediate(rng, operand.kind))
        elif operand.kind == "v":
            values.append(sample(rng, row.lanes, (*leading, 16)))
        elif operand.kind == "p":
            values.append(rng.random((*leading, 16)) < 0.5)
        else:
            awkward = rng.choice([0, 1, -1, 63, 64, 2**63 - 1, -(2**63)], leading)
            wide = rng.integers(-(2**63), 2**63 - 1, leading, np.int64)
            values.append(np.where(rng.random(leading) < 0.4, awkward, wide))
    return values


def pick(value, index):
    return value[index] if isinstance(value, np.ndarray) else value


def plain(value):
    """A NumPy number as Python's."""
    return value.item() if isinstance(value, np.generic) else value


def ulps(actual: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Distance in FP32 steps."""
    keys = [np.asarray(x, np.float32).view(np.int32).astype(np.int64) for x in (actual, expected)]
    keys = [np.where(key < 0, -(key & 0x7FFFFFFF), key) for key in keys]
    return np.abs(keys[0] - keys[1])


FUNCTIONS = ("vexp2", "vlog2", "vtanh", "verf", "vsin", "vcos", "vrsqrt")  # within one step


def assert_same(row: Row, actual: np.ndarray, expected: np.ndarray) -> None:
    actual = np.asarray(actual)
    assert actual.shape == expected.shape
    if actual.dtype != np.float32:
        assert (actual == expected).all()
        return
    expected = expected.astype(np.float32)
    assert (np.isnan(actual) == np.isnan(expected)).all()
    good = ~np.isnan(actual)
    allowed = 1 if row.mnemonic in FUNCTIONS else 0
    assert (ulps(actual, expected)[good] <= allowed).all()


@pytest.mark.parametrize("mnemonic", names)
def test_a_formula_stands_for_every_row(mnemonic):
    groups = [LANES, ROWS, SCALARS, MATRIX, OTHERS, EFFECTS]
    access = TABLE[mnemonic].access
    moves = access is not None and not access.indexed
    assert sum(mnemonic in group for group in groups) + moves == 1


@pytest.mark.parametrize("mnemonic", [name for name in names if name in LANES])
def test_lanes(mnemonic):
    row, rng = TABLE[mnemonic], np.random.default_rng(7)
    values = arguments(row, rng, (5, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        actual = np.asarray(row.body(*values))
    expected = np.zeros((5, 3, 16), actual.dtype)
    for index in np.ndindex(expected.shape):
        expected[index] = LANES[mnemonic](*(plain(pick(value, index)) for value in values))
    assert_same(row, actual, expected)
    if actual.dtype == np.float32 and mnemonic not in ("vmin", "vmax", "vmina", "vmaxa"):
        assert (np.signbit(actual) == np.signbit(expected))[~np.isnan(expected)].all()


@pytest.mark.parametrize("mnemonic", [name for name in names if name in ROWS])
def test_whole_registers(mnemonic):
    row, rng = TABLE[mnemonic], np.random.default_rng(8)
    values = arguments(row, rng, (6,))
    actual = np.asarray(row.body(*values))
    for node in range(6):
        given = [
            value[node].tolist() if isinstance(value, np.ndarray) else value for value in values
        ]
        expected = np.array(ROWS[mnemonic](*given), actual.dtype)
        assert_same(row, actual[node] if actual.ndim == 2 else actual, expected)


@pytest.mark.parametrize("mnemonic", [name for name in names if name in SCALARS])
def test_scalars(mnemonic):
    row, rng = TABLE[mnemonic], np.random.default_rng(9)
    for _ in range(20):
        values = arguments(row, rng, (8,))
        if row.unit == "sync":
            values = [np.abs(v % 1000) if isinstance(v, np.ndarray) else v for v in values]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            actual = np.broadcast_to(row.body(*values), (8,))
            single = row.body(*(plain(pick(value, 0)) for value in values))
        expected = [SCALARS[mnemonic](*(plain(pick(v, i)) for v in values)) for i in range(8)]
        assert actual.tolist() == expected
        assert int(single) == expected[0]


@pytest.mark.parametrize("mnemonic", ["mmac", "mmact"])
def test_matrix_products_accumulate_k_ascending(mnemonic):
    rng = np.random.default_rng(1)
    a = decode(encode(rng.standard_normal((3, 8, 4)).astype(np.float32), "BF16"), "BF16")
    b = decode(encode(rng.standard_normal((3, 4, 8)).astype(np.float32), "BF16"), "BF16")
    d = rng.standard_normal((3, 8, 8)).astype(np.float32)
    given = b if mnemonic == "mmac" else np.swapaxes(b, 1, 2)
    actual = TABLE[mnemonic].body(d, a, given)
    assert actual.dtype == np.float32
    for node, i, j in np.ndindex(3, 8, 8):
        total = float(d[node, i, j])
        for k in range(4):
            total = f32(total + float(a[node, i, k]) * float(b[node, k, j]))
        assert actual[node, i, j] == total


def test_accumulators_move_two_rows_at_a_time():
    block = np.arange(3 * 64, dtype=np.float32).reshape(3, 8, 8)
    assert (TABLE["mzero"].body() == np.zeros((8, 8))).all()
    rebuilt = np.full((3, 8, 8), np.nan, np.float32)
    for part in range(4):
        lanes = TABLE["mread"].body(block, part)
        assert lanes.tolist() == block.reshape(3, 4, 16)[:, part].tolist()
        before = rebuilt.copy()
        rebuilt = TABLE["mwrite"].body(rebuilt, lanes, part)
        assert not np.shares_memory(before, rebuilt)
    assert (rebuilt == block).all()


@pytest.mark.parametrize("fmt", list(FORMATS))
def test_conversions_go_through_the_format(fmt):
    values = np.array([0.0, 1.0, -2.5, 3.14159, 100.3, 0.01] + [7.7] * 10, np.float32)
    once = TABLE["vcvt"].body(values, fmt)
    assert once.dtype == np.float32
    assert (once == np.asarray(decode(encode(values, fmt), fmt), np.float32)).all()
    assert (TABLE["vcvt"].body(once, fmt) == once).all()
    low = TABLE["vsr"].body(values, fmt, np.zeros(16, np.float32))
    high = TABLE["vsr"].body(values, fmt, np.full(16, 0xFFFFFFFF, np.uint32).view(np.float32))
    assert (np.abs(low) <= np.abs(high)).all() or FORMATS[fmt].kind == "int"
    between = (np.minimum(low, high) <= once) & (once <= np.maximum(low, high))
    assert between.all()


@pytest.mark.parametrize("mnemonic", [r.mnemonic for r in ALL if r.access is not None])
def test_memory_rows_state_what_they_touch(mnemonic):
    row = TABLE[mnemonic]
    access = row.access
    assert access is not None and row.unit == access.kind
    assert access.granules * access.lanes_per_granule == (1 if access.broadcast else 16)
    if access.raw:
        assert access.granules * (access.granule_bytes or 0) == 64
        assert row.body("bytes", 3) == "bytes"
        return
    value = np.array([1.0, -0.4375, 3.0] + [2.0] * 13, np.float32)
    codes = encode(value, "BF16")
    third = {"f": 0, "b": np.arange(16, dtype=np.int32)}[row.inputs[-1].name]
    if access.kind == "load":
        assert (row.body(codes, "BF16", third) == value).all()
    else:
        assert (row.body(value, None, "BF16", third) == codes).all()


def test_field_setters_give_their_fields():
    assert TABLE["apad"].body(0.1) == np.float32(0.1)
    assert TABLE["ay"].body(3, 9) == (3, 9) and TABLE["ax"].body(-1, 4) == (-1, 4)
    assert TABLE["astep"].body(-2, 1) == (-2, 1)
    assert TABLE["dset"].body(5, 12) == (5, 12)
    inside = np.arange(16) < 5
    assert TABLE["pinb"].body(inside, 0) is inside
    identity = np.arange(12).reshape(2, 6)
    assert TABLE["rdid"].body(2, identity).tolist() == [2, 8]


def test_random_bits_are_numpys_philox():
    bits = TABLE["vrand"].body(np.array([0, 5, 16]), np.array([7, 7, 9]))
    words = {}
    for key in (7, 9):  # NumPy counts before it draws, so block 0 follows counter -1
        generator = np.random.Philox(key=key, counter=2**256 - 1)
        words[key] = generator.random_raw(32).view(np.uint32)
    assert (bits[0] == words[7][:16]).all() and (bits[1] == words[7][5:21]).all()
    assert (bits[2] == words[9][16:32]).all()


@pytest.mark.parametrize("mnemonic", sorted(EFFECTS))
def test_effects_describe_themselves(mnemonic):
    row = TABLE[mnemonic]
    result = row.body(*(3 for _ in row.inputs))
    assert isinstance(result, Effect) and result.kind
    if row.inputs:
        assert 3 in result.args


@pytest.mark.parametrize("mnemonic", names)
def test_row_is_documented_and_in_the_manual(mnemonic):
    row = TABLE[mnemonic]
    assert len(row.doc) > 5 and row.doc in manual()
    assert list(inspect.signature(row.body).parameters)[: len(row.inputs)] == [
        o.name for o in row.inputs
    ]


def random_instr(row: Row, rng: np.random.Generator) -> Instr:
    return Instr(row.mnemonic, tuple(immediate(rng, operand.kind) for operand in row.operands))


@pytest.mark.parametrize("mnemonic", names)
def test_encoding_and_text_round_trip(mnemonic):
    row, rng = TABLE[mnemonic], np.random.default_rng(3)
    for _ in range(40):
        instr = random_instr(row, rng)
        words = encode_instr(instr)
        assert len(words) == row.words and words[0] >> 24 == row.opcode
        assert decode_word([0, *words], 1) == (instr, 1 + len(words))
        head, _, tail = spell_instruction(instr).partition(" (")
        texts = [text for text in head.removeprefix(mnemonic).strip().split(", ") if text]
        texts += [tail.rstrip(")")] if tail else []
        pairs = zip(row.operands, texts, strict=False)
        assert Instr(mnemonic, tuple(parse_operand(o, text) for o, text in pairs)) == instr


@pytest.mark.parametrize("mnemonic", names)
def test_words_with_a_foreign_bit_trap(mnemonic):
    row = TABLE[mnemonic]
    used = sum(o.bits for o in row.operands if o.word == 0)
    word = encode_instr(Instr(mnemonic, tuple(0 for _ in row.operands)))[0]
    tail = [0] * (row.words - 1)
    for bit in range(24):
        if not used >> bit & 1:
            with pytest.raises(IllegalInstruction, match="outside its fields"):
                decode_word([word | 1 << bit, *tail])


@pytest.mark.parametrize("mnemonic", names)
def test_operands_out_of_range_are_refused(mnemonic):
    row = TABLE[mnemonic]
    for position, operand in enumerate(row.operands):
        if operand.kind == "f32":
            continue
        values = [0] * len(row.operands)
        values[position] = KINDS[operand.kind].high + 1
        with pytest.raises(EncodingError, match=f"operand {operand.name} cannot be"):
            encode_instr(Instr(mnemonic, tuple(values)))
        with pytest.raises(OperandError):
            parse_operand(operand, spell_operand(operand, values[position]))


def test_unknown_opcodes_and_cut_code_trap():
    free = next(code for code in range(256) if code not in BY_OPCODE)
    with pytest.raises(IllegalInstruction, match="no instruction has opcode"):
        decode_word([free << 24])
    with pytest.raises(IllegalInstruction, match="needs 2 words and the code ends"):
        decode_word(encode_instr(Instr("lil", (1, 5)))[:1])
    with pytest.raises(IllegalInstruction, match="past the end"):
        decode_word([], 0)
    loop = encode_instr(Instr("loop", (0, 1)))[0]
    with pytest.raises(IllegalInstruction, match="operand L is 7, no loop level"):
        decode_word([loop | 7 << 16])
    with pytest.raises(IllegalInstruction, match="NaN operand with payload"):
        decode_word([encode_instr(Instr("vli", (1, 0.0)))[0], 0x7FC00001])
