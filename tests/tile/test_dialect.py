"""The tile dialect: text round trip of every op, and what its verifier refuses."""

from __future__ import annotations

import pytest
from xdsl.utils.exceptions import VerifyException

from dojocc.dialects.context import DojoContext
from dojocc.dialects.printing import parse_module, print_module
from dojocc.dialects.tile import Access
from dojocc.runtime.errors import InputError

BUFFER = "memref<4x16xbf16>"
PADDED = 'strides [32, 0, 2, 0, 0, 0], x_strides [1, 0, 0, 0, 0, 0], x_limit 4, pad "-inf"'
MASK = "x_strides [8, 0, 0, 0, 0, 0], x_limit 32, gstep 16, lstep 1, first 1"
ROWS = "strides [32, 0, 0, 0, 0, 0], pitch 32"
KERNEL = f"""
tile.kernel @k {{
^bb0(%a: {BUFFER}, %b: {BUFFER}, %n: index):
  %one = tile.splat {{value = 1.0 : f32}}
  %many = tile.splat of %n
  tile.for level 0 upto %n {{
    %sum = tile.cell {{init = 0.0 : f32}}
    %acc = tile.acc_zero
    tile.for level 2 times 5 {{
      %v = tile.load %a granules 1 as "BF16" padded x0 %n <{PADDED}> : {BUFFER}
      %g = tile.gather %a at %many as "BF16" <offset -4> : {BUFFER}
      %r = tile.load_raw %a bytes 8 <pitch 8, strides [0, 0, 2, 0, 0, 0]> : {BUFFER}
      tile.mma %acc, %r, %r transposed
      tile.accumulate "vacc" %sum, %v
      tile.fma_accumulate %sum, %v, %g
      %p = tile.vector "vcmplt" %v, %one : !tile.vec, !tile.vec -> !tile.pred
      %s = tile.vector "vsel" %v, %one if %p : !tile.vec, !tile.vec -> !tile.vec
      %c = tile.vector "vcvt" as "BF16" %s : !tile.vec -> !tile.vec
      tile.assign %sum, %c if %p
    }}
    %part = tile.acc_read %acc part 3
    %in = tile.in_bounds %b <{MASK}> : {BUFFER}
    tile.store %part to %b if %in granules 2 as "BF16" <{ROWS}> : {BUFFER}
  }}
}}
"""
PROGRAM = f"""
tile.program @main grid [2, 3] {{
  %x = tile.alloc "x" layout #mesh.layout<BF16, grid 2 x 3, [4, 16]> : {BUFFER}
  %y = tile.alloc "y" layout #mesh.layout<BF16, grid 2 x 3, [4, 16]> address 128 : {BUFFER}
  tile.image %y holds "w" : {BUFFER}
  tile.input %x from "in" "float32" [4, 16] : {BUFFER}
  tile.exchange 0 %x to %y by "seg" zero_fill bytes 10 cycles 20 mark "C" : {BUFFER} to {BUFFER}
  tile.call @k(%x, %y) offsets ["shift", 64] scalars [3] mark "Conv_1" : {BUFFER}, {BUFFER}
  tile.output %y to "out" "float32" [4, 16] : {BUFFER}
}}
"""


def parsed(text: str):
    return parse_module(DojoContext(), text)


def test_text_comes_back_as_it_was() -> None:
    module = parsed(KERNEL + PROGRAM)
    module.verify()
    text = print_module(module)
    again = parsed(text)
    again.verify()
    assert print_module(again) == text
    for word in ('pad "-inf"', "offset -4", "y_limit", 'offsets ["shift"', "times 5", "upto"):
        assert (word in text) == (word in KERNEL + PROGRAM)


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("strides [32, 0, 2, 0, 0, 0], x", "strides [32, 1, 2, 0, 0, 0], x", "no loop is open"),
        ('granules 1 as "BF16"', 'granules 1 as "FP32"', "the buffer holds BF16"),
        ("granules 1 as", "granules 3 as", "granules, not 3"),
        ('"BF16" padded x0 %n', '"BF16" x0 %n', "padded"),
        ("padded x0 %n", "padded y0 %n", "a y operand needs y_strides"),
        ("bytes 8 <", "bytes 5 <", "matrix loads have granules"),
        ("%acc part 3", "%acc part 4", "parts 0..3"),
        ('"vacc" %sum, %v', '"vadd" %sum, %v', "tile.accumulate is one of"),
        ('"vacc" %sum, %v', '"vacc" %one, %v', "changes a tile.cell"),
        ("tile.assign %sum, %c", "tile.assign %v, %c", "changes a tile.cell"),
        ('"vcmplt"', '"vcmplx"', "'vcmplx' is not a vector instruction"),
        ('"vcmplt"', '"vacc"', "'vacc' is not a vector instruction"),
        ('"vcmplt" %v, %one :', '"vadd" %v, %one :', "vadd gives !tile.vec"),
        ('"vsel" %v, %one if %p', '"vsel" %v, %one', "vsel, and only vsel"),
        ('"vcvt" as "BF16"', '"vcvt"', "a format stands exactly"),
        ("%a: memref<4x16xbf16>, %b", "%m: index, %b", "buffers come before"),
        ("scalars [3]", "scalars [3, 4]", "takes 1 scalars, the call has 2"),
        ("@k(%x, %y) offsets", "@other(%x, %y) offsets", "there is no kernel"),
        ('offsets ["shift", 64]', "offsets [64]", "one offset a buffer"),
    ],
)
def test_what_is_wrong_is_refused(old: str, new: str, words: str) -> None:
    text = KERNEL + PROGRAM
    assert text.count(old) >= 1
    text = text.replace(old, new, 1)
    if "%m: index" in new:
        text = "tile.kernel @k {\n^bb0(%m: index, %b: memref<4x16xbf16>):\n}\n"
    with pytest.raises(VerifyException, match=words.replace("(", r"\(")):
        parsed(text).verify()


@pytest.mark.parametrize(
    "inner, words",
    [
        ("level 1 times 5", "levels rise inward"),
        ("level 6 times 5", r"outside 0\.\.5"),
        ("level 2 times 65536", "16 bits, not 65536"),
        ("level 2", "either a count or a trips"),
    ],
)
def test_loops_that_cannot_be(inner: str, words: str) -> None:
    loops = f"tile.for level 1 times 2 {{\n tile.for {inner} {{\n^bb1:\n}}\n}}"
    text = f"tile.kernel @k {{\n^bb0:\n {loops}\n}}"
    with pytest.raises(VerifyException, match=words):
        parsed(text).verify()


def test_a_field_that_an_access_lacks_is_named() -> None:
    with pytest.raises(InputError, match="an access has no field 'pich'"):
        parsed(KERNEL.replace("<pitch 8", "<pich 8"))


def test_an_access_has_six_strides() -> None:
    with pytest.raises(ValueError, match="6 byte strides"):
        Access(strides=(1, 2))
