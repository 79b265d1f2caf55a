"""How an instruction is written down: one decorated function a row, checked when it is made.

The row's form string states operands, roles and bits; the function's body is the meaning on NumPy
arrays (last axis lanes, leading axes nodes and iterations). Everything else is derived from TABLE.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

UNITS = ("scalar", "address", "load", "store", "vector", "matrix", "network", "sync", "control")
ORIGINS = ("published", "derived", "assumed")
ROLES = {">": "write", "<": "read", "=": "both", "#": "imm", "?": "mask"}
LANE_VIEWS = {"f32": np.float32, "i32": np.int32, "raw": np.uint32}
REDUCTIONS = (None, "add", "mul", "max", "min")


class Kind(NamedTuple):
    """What an operand may be: its bits, least and greatest value, the letter before its number."""

    width: int
    low: int
    high: int
    prefix: str
    meaning: str


KINDS = {
    "x": Kind(5, 0, 31, "x", "scalar register"),
    "v": Kind(5, 0, 31, "v", "vector register"),
    "m": Kind(3, 0, 7, "m", "matrix accumulator"),
    "p": Kind(3, 0, 7, "p", "lane predicate"),
    "a": Kind(4, 0, 15, "a", "address generator"),
    "s": Kind(6, 0, 63, "s", "semaphore"),
    "d": Kind(4, 0, 15, "d", "format descriptor"),
    "L": Kind(3, 0, 5, "L", "loop level"),
    "imm8": Kind(8, -(2**7), 2**7 - 1, "", "signed 8-bit number"),
    "imm16": Kind(16, -(2**15), 2**15 - 1, "", "signed 16-bit number"),
    "imm32": Kind(32, -(2**31), 2**31 - 1, "", "signed 32-bit number"),
    "u1": Kind(1, 0, 1, "", "0 or 1"),
    "u2": Kind(2, 0, 3, "", "number 0 to 3"),
    "u6": Kind(6, 0, 63, "", "number 0 to 63"),
    "u8": Kind(8, 0, 2**8 - 1, "", "unsigned 8-bit number"),
    "u16": Kind(16, 0, 2**16 - 1, "", "unsigned 16-bit number"),
    "f32": Kind(32, 0, 0, "", "FP32 number"),
}

# Where a field may stand: (word, lowest bit). `mask` is the top of the rd byte, `gen` and `fmt` the
# two halves of the ra byte, `ext` the word that follows; a bare number is a bit of the first word.
SLOTS = {
    "rd": (0, 16),
    "mask": (0, 21),
    "ra": (0, 8),
    "gen": (0, 12),
    "fmt": (0, 8),
    "rb": (0, 0),
    "imm": (0, 0),
    "ext": (1, 0),
}
OPCODE_LOW, OPCODE_BITS = 24, 0xFF << 24


@dataclass(frozen=True)
class Operand:
    """One operand: its name, kind, bits, and whether the row reads or writes it."""

    name: str
    kind: str
    word: int
    low: int
    width: int
    role: str

    @property
    def bits(self) -> int:
        return ((1 << self.width) - 1) << self.low


@dataclass(frozen=True)
class Access:
    """What a memory row touches: `granules` pieces of `granule_bytes` (None: by format)."""

    kind: str
    granules: int
    granule_bytes: int | None
    lanes_per_granule: int
    padded: bool = False
    broadcast: bool = False
    raw: bool = False
    indexed: bool = False

    def __post_init__(self) -> None:
        lanes = 1 if self.broadcast else 16
        if self.kind not in ("load", "store") or self.granules * self.lanes_per_granule != lanes:
            raise ValueError(f"access must be a load or store of {lanes} lanes: {self}")
        if self.raw != (self.granule_bytes is not None):
            raise ValueError(f"raw accesses, and only they, state their granule's bytes: {self}")


class Effect(NamedTuple):
    """What a row does to machine state when no array holds it: the engine carries it out."""

    kind: str
    args: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Row:
    """One instruction. `implicit` names machine state the body takes after its operands."""

    mnemonic: str
    opcode: int
    operands: tuple[Operand, ...]
    unit: str
    issue: int
    latency: int
    origin: str
    doc: str
    body: Callable[..., Any]
    lanes: str = "f32"
    reduces: str | None = None
    product: bool = False
    access: Access | None = None
    implicit: tuple[str, ...] = ()
    group: str = ""

    def __post_init__(self) -> None:
        check_fields(self)
        check_bits(self)
        check_body(self)

    @cached_property
    def words(self) -> int:
        """Length of the encoding in 32-bit words."""
        return 1 + max((operand.word for operand in self.operands), default=0)

    @cached_property
    def mask(self) -> Operand | None:
        """The optional trailing predicate: lanes where it is false keep the old destination."""
        return self.operands[-1] if self.operands and self.operands[-1].role == "mask" else None

    @cached_property
    def inputs(self) -> tuple[Operand, ...]:
        """The operands the body takes, in order."""
        return tuple(
            operand for operand in self.operands if operand.role in ("read", "both", "imm")
        )

    @cached_property
    def outputs(self) -> tuple[Operand, ...]:
        return tuple(operand for operand in self.operands if operand.role in ("write", "both"))

    def index(self, name: str) -> int:
        """Position of the operand called `name`."""
        return [operand.name for operand in self.operands].index(name)


def check_fields(row: Row) -> None:
    where = f"instruction {row.mnemonic}"
    if row.unit not in UNITS or row.lanes not in LANE_VIEWS or row.reduces not in REDUCTIONS:
        raise ValueError(
            f"{where}: unknown unit {row.unit}, lanes {row.lanes} or reduction {row.reduces}"
        )
    if row.issue < 1 or row.latency < 0:
        raise ValueError(
            f"{where}: issue {row.issue} must be at least 1, latency {row.latency} at least 0"
        )
    if not any(word in row.origin for word in ORIGINS):
        raise ValueError(f"{where}: origin {row.origin!r} must say one of {', '.join(ORIGINS)}")
    if not row.doc:
        raise ValueError(f"{where} has no manual entry (docstring)")
    if not 0 < row.opcode < 256:
        raise ValueError(f"{where}: opcode {row.opcode} must be 1 to 255 (0 traps)")


def check_bits(row: Row) -> None:
    taken = {0: OPCODE_BITS}
    for operand in row.operands:
        before = taken.get(operand.word, 0)
        if operand.low + operand.width > 32 or operand.bits & before:
            raise ValueError(
                f"instruction {row.mnemonic}: bits of operand {operand.name} "
                f"({operand.low}..{operand.low + operand.width - 1}) are taken or outside the word"
            )
        taken[operand.word] = before | operand.bits
    names = [operand.name for operand in row.operands]
    if len(set(names)) != len(names):
        raise ValueError(f"instruction {row.mnemonic}: operand names repeat: {names}")


def check_body(row: Row) -> None:
    wanted = [operand.name for operand in row.inputs] + list(row.implicit)
    actual = list(inspect.signature(row.body).parameters)
    if wanted != actual:
        raise ValueError(
            f"instruction {row.mnemonic}: body takes {actual}, its operands read {wanted}"
        )
    for position, operand in enumerate(row.operands):
        if operand.role == "mask" and (operand.kind != "p" or position != len(row.operands) - 1):
            raise ValueError(
                f"instruction {row.mnemonic}: the mask must be a predicate and come last"
            )
    accumulates = any(operand.name == "d" and operand.role == "both" for operand in row.operands)
    if row.reduces and not accumulates:
        raise ValueError(
            f"instruction {row.mnemonic}: a reduction reads and writes its destination d"
        )
    if row.product and row.reduces != "add":
        raise ValueError(f"instruction {row.mnemonic}: only a sum accumulates products")


def parse_form(form: str) -> tuple[Operand, ...]:
    """`">d:v@rd <a:v@ra"` -> operands: the role (see ROLES), then name:kind@slot."""
    operands = []
    for item in form.split():
        name, _, rest = item[1:].partition(":")
        kind, _, slot = rest.partition("@")
        word, low = SLOTS[slot] if slot in SLOTS else (0, int(slot))
        operands.append(Operand(name, kind, word, low, KINDS[kind].width, ROLES[item[0]]))
    return tuple(operands)


TABLE: dict[str, Row] = {}
BY_OPCODE: dict[int, Row] = {}

Body = Callable[..., Any]


def instruction(opcode: int, form: str, **columns: Any) -> Callable[[Body], Body]:
    """Register the decorated function as the row of its name (a trailing underscore is dropped)."""

    def register(body: Body) -> Body:
        define(body.__name__.rstrip("_"), opcode, form, inspect.getdoc(body) or "", body, **columns)
        return body

    return register


def define(mnemonic: str, opcode: int, form: str, doc: str, body: Body, **columns: Any) -> Row:
    """Add one row to TABLE; used directly where one body serves several shapes of access."""
    quiet = np.errstate(all="ignore")(body)
    row = Row(mnemonic, opcode, parse_form(form), doc=doc, body=quiet, **columns)
    if mnemonic in TABLE:
        raise ValueError(f"instruction {mnemonic} is defined twice")
    if opcode in BY_OPCODE:
        raise ValueError(
            f"opcode 0x{opcode:02x} of {mnemonic} is taken by {BY_OPCODE[opcode].mnemonic}"
        )
    TABLE[mnemonic] = row
    BY_OPCODE[opcode] = row
    return row


@dataclass(frozen=True)
class Instr:
    """One instruction: operand values in the row's order; a missing mask is p0 (all lanes)."""

    mnemonic: str
    operands: tuple[int | float, ...] = ()

    def __post_init__(self) -> None:
        if self.mnemonic not in TABLE:
            raise ValueError(f"no instruction is called {self.mnemonic!r}")
        row = TABLE[self.mnemonic]
        if row.mask is not None and len(self.operands) == len(row.operands) - 1:
            object.__setattr__(self, "operands", (*self.operands, 0))
        if len(self.operands) != len(row.operands):
            names = ", ".join(operand.name for operand in row.operands)
            raise ValueError(
                f"{self.mnemonic} takes {len(row.operands)} operands ({names}), not {self.operands}"
            )

    @property
    def row(self) -> Row:
        return TABLE[self.mnemonic]

    def __getitem__(self, name: str) -> int | float:
        return self.operands[self.row.index(name)]
