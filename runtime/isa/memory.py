"""Memory rows between SRAM and vector registers: converting, raw (matrix operand), indexed.

Addresses and bounds come from an address generator (see address.py); the granules of one access are
f, f+1, ... The engine moves the bytes that `access` states; bodies say what happens to the values.
"""

from __future__ import annotations

from dojocc.runtime.formats import decode, encode
from dojocc.runtime.isa.instr import Access, define, instruction

LOAD = {
    "unit": "load",
    "issue": 1,
    "latency": 6,
    "origin": "ports published (two 64 B loads a cycle); latency assumed",
    "group": "memory",
}
STORE = {
    "unit": "store",
    "issue": 1,
    "latency": 1,
    "origin": "port published (one 64 B store a cycle); latency assumed",
    "group": "memory",
}
INDEXED = "assumed: four lanes a cycle through the gather engine"
LOAD_FORM = ">d:v@rd <a:a@gen <fmt:d@fmt #f:imm8@rb ?p:p@mask"
STORE_FORM = "<v:v@rd <a:a@gen <fmt:d@fmt #f:imm8@rb ?p:p@mask"
RAW_FORM = ">d:v@rd <a:a@gen #f:imm8@rb"
PAD_LOAD = " Lanes out of bounds read the generator's pad value instead."
PAD_STORE = " Lanes out of bounds write the generator's pad value, converted, instead."


def load_lanes(a, fmt, f):
    """Codes `a` that generator and first granule f select, widened from format name `fmt`."""
    return decode(a, fmt)


def store_lanes(v, a, fmt, f):
    """Codes of lanes v in format name `fmt`, for the bytes at `a`."""
    return encode(v, fmt)


def load_raw(a, f):
    """The 64 bytes `a` that generator and first granule f select, as they are."""
    return a


def converting(granules: int, suffix: str, opcode: int, padded: bool) -> None:
    """The load and the store of `granules` granules, 16 / granules elements each."""
    shape = {1: "16 consecutive elements", 16: "16 single elements, a pitch apart"}.get(
        granules, f"{granules} granules of {16 // granules} consecutive elements, a pitch apart"
    )
    name = ("p" if padded else "") + suffix
    for kind, form, body, base, columns in (
        ("load", LOAD_FORM, load_lanes, 0x40, LOAD),
        ("store", STORE_FORM, store_lanes, 0x50, STORE),
    ):
        load = kind == "load"
        doc = (
            f"Load {shape} of format fmt from generator a, first granule f, widened to FP32"
            " or INT32 lanes of d." + PAD_LOAD * padded
            if load
            else f"Store lanes of v as {shape} of format fmt at generator a, first granule f."
            " Values round to nearest even; integers saturate." + PAD_STORE * padded
        )
        access = Access(kind, granules, None, 16 // granules, padded=padded)
        mnemonic = ("vld" if load else "vst") + name
        define(mnemonic, base + opcode, form, doc, body, lanes="raw", access=access, **columns)


def raw(granule_bytes: int, opcode: int, padded: bool) -> None:
    """The load of a matrix operand register in granules of `granule_bytes`."""
    granules = 64 // granule_bytes
    doc = (
        f"Load 64 raw bytes, {granules} granules of {granule_bytes} bytes a pitch apart, into d for"
        " the matrix unit." + " A granule out of bounds reads as zero bytes." * padded
    )
    access = Access("load", granules, granule_bytes, 16 // granules, padded=padded, raw=True)
    mnemonic = f"ldg{'p' if padded else ''}{granule_bytes}"
    define(mnemonic, opcode, RAW_FORM, doc, load_raw, lanes="raw", access=access, **LOAD)


for number, (count, tail) in enumerate(((1, ""), (2, "2"), (4, "4"), (16, "16"))):
    converting(count, tail, number, padded=False)
    converting(count, tail, number + 8, padded=True)
for number, size in enumerate((4, 8, 16)):
    raw(size, 0x60 + number, padded=False)
    raw(size, 0x64 + number, padded=True)

ONE = {"granules": 1, "granule_bytes": None, "lanes_per_granule": 1, "broadcast": True}
BROADCAST = "Load one element of format fmt at generator a, granule f, into all 16 lanes of d."
define(
    "vldb",
    0x44,
    LOAD_FORM,
    BROADCAST,
    load_lanes,
    lanes="raw",
    access=Access("load", **ONE),
    **LOAD,
)
define(
    "vldbp",
    0x4C,
    LOAD_FORM,
    BROADCAST + PAD_LOAD,
    load_lanes,
    lanes="raw",
    access=Access("load", padded=True, **ONE),
    **LOAD,
)


@instruction(
    0x45,
    ">d:v@rd <a:a@gen <fmt:d@fmt <b:v@rb ?p:p@mask",
    lanes="i32",
    access=Access("load", 16, None, 1, indexed=True),
    **{**LOAD, "issue": 4, "latency": 10, "origin": INDEXED},
)
def vgat(a, fmt, b):
    """Gather: lane l of d = the element of format fmt at generator a + b[l] * element size.

    b holds INT32 lanes. In the body, `a` holds the gathered codes and `fmt` the format's name.
    """
    return decode(a, fmt)


@instruction(
    0x55,
    "<v:v@rd <a:a@gen <fmt:d@fmt <b:v@rb ?p:p@mask",
    lanes="raw",
    access=Access("store", 16, None, 1, indexed=True),
    **{**STORE, "issue": 4, "origin": INDEXED},
)
def vsca(v, a, fmt, b):
    """Scatter: the element of format fmt at generator a + b[l] * element size = lane l of v.

    Lanes go in order, so of two lanes with one index the higher wins. The body gives the codes.
    """
    return encode(v, fmt)


@instruction(
    0x46,
    ">d:p@rd <a:a@gen #f:imm8@rb",
    **{**LOAD, "unit": "address", "latency": 2, "origin": "assumed"},
)
def pinb(a, f):
    """d = which of the 16 lanes of a one-granule access at generator a, granule f, are in bounds.

    In the body, `a` holds the generator's in-bounds lanes.
    """
    return a


@instruction(
    0x68,
    ">d:d@rd #code:u8@ra #bias:u6@rb",
    **{**LOAD, "unit": "address", "latency": 2, "origin": "assumed"},
)
def dset(code, bias):
    """Format descriptor d = format number `code`, in the order of the format table, with `bias`.

    Formats with a fixed bias ignore `bias`. At start descriptor i holds format number i with its
    default bias.
    """
    return code, bias
