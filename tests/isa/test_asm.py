"""Assembly text of whole programs: round trips, byte for byte, and what mistakes are told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dojocc.runtime.errors import AssemblyError, InputError
from dojocc.runtime.isa import TABLE
from dojocc.runtime.isa.asm import assemble, assemble_file
from dojocc.runtime.isa.codec import encode_all
from dojocc.runtime.isa.disasm import disassemble, listing, sidecar_bytes
from dojocc.runtime.isa.instr import KINDS, Instr
from dojocc.runtime.layout import Layout, whole
from dojocc.runtime.lists import LIST_DTYPE
from dojocc.runtime.program import Image, Mark, Program, ProgramClass, to_bytes
from dojocc.runtime.targets import load_target

HEAD = ".target d1-die\n.class g 1x2 nodes 0..1\n"
SOURCE = """\
.target "d1-die"
.build {"options": {"seed": 3}, "version": "0.1"}
.mark "matmul" "node 'a' # not a comment"
.mark "add"
.tensor "table" int32 [2, 1] = -7 3
.tensor "weights" float32 [2, 2] = 1.0 -0.0 1e-45 inf

.class grid 1x2 nodes 0..1
.thread 0
  .debug 0
  mark 0
  lil x8, 4096
  call "inf kernel"
  call 5
  halt
.thread 1
  .debug -1
  halt
.kernel "inf kernel"
  aclr a0
  .debug 1
  abase a0, x8
  loop L0, 4
    loopx L1, x9
      vld v1, a0, d1, 0
      vadd v1, v1, v1 (p2)
    end
    vli v2, 0.1
    vsel v3, v1, v2, p3
    vst v1, a0, d1, -1 (p1)
  end
  ret
.endkernel "inf kernel"

.class spare 1x3 nodes 2 7 4
.thread 0
  halt
  .word 0x00000000

.image "t" in grid at 0 layout INT32 1x2 (2: row col, 1, 0, 1, 1) (1: -, 0, 0, 1, 16) tensor "table"
.input "x" in grid at 4096 layout BF16 1x2 (8: col, 4, 0, 4, 16) as float32 [8] from "input 0"
.output "y" in grid at 4096 layout BF16 1x2 (8: col, 4, 0, 4, 16) as float32 [8]
.dram "w" dip 0 at 128 tensor "weights"

.list 0, grid
  .push 0, grid 1, src=640, dst=128, bytes=64, count0=4, src_stride0=-64, home_sem=2
  .push 1, spare 0, peers=2, peer_stride=2, src=64, dst=128, bytes=64, far_sem=3
  .push 1, grid 0, dst=96, bytes=32, repeat1=2, node_step1=-1, src_step1=32, dst_step1=-32

.list 7, spare
  .dld 0, dip 0, dst=128, bytes=64
"""


def test_canonical_text_is_a_fixed_point():
    program = assemble(SOURCE)
    assert disassemble(program) == SOURCE
    assert to_bytes(assemble(disassemble(program))) == to_bytes(program)


def test_the_program_is_what_the_text_says():
    program = assemble(SOURCE)
    grid, spare = program.classes
    assert grid.entries == (0, 8, -1, -1) and spare.entries == (0, -1, -1, -1)
    assert grid.kernels == (("inf kernel", 9, 22),)
    assert grid.code[4] == 9 and grid.code[6] == 5
    assert grid.debug.tolist() == [0] * 8 + [-1] + [-1] + [1] * 12
    assert spare.nodes.tolist() == [2, 7, 4] and spare.code.tolist() == [0xF2000000, 0]
    assert program.marks == (Mark("matmul", "node 'a' # not a comment"), Mark("add"))
    assert program.build == {"options": {"seed": 3}, "version": "0.1"}
    assert program.tensors["table"].tolist() == [[-7], [3]]
    assert np.signbit(program.tensors["weights"][0, 1])
    assert program.inputs[0].source == "input 0" and program.outputs[0].source == ""
    assert program.lists["far_sem"].tolist() == [255, 3, 255, 255]
    assert program.lists["peer_cls"].tolist() == [0, 1, 0, 0]
    assert program.lists["peers"].tolist() == [1, 2, 1, 1]
    assert program.lists["peer_stride"].tolist() == [1, 2, 1, 1]
    assert program.lists["src_stride0"].tolist() == [-64, 0, 0, 0]
    assert program.entries["node"].tolist() == [0, 0, 1, 1, 0]
    assert program.entries["src"].tolist() == [32, 640, 0, 64, 0]


def test_labels_formats_and_comments():
    text = HEAD + ".thread 0\n call go ; over\n halt\ngo: vld v1, a0, BF16, 0x10 # hex\n ret\n"
    code = assemble(text).classes[0].code
    instrs = [Instr("call", (3,)), Instr("halt"), Instr("vld", (1, 0, 1, 16)), Instr("ret")]
    assert (code == encode_all(instrs)).all()


def test_listing_shows_every_word():
    text = listing(assemble(SOURCE))
    assert "      1  11080000 00001000    lil x8, 4096\n" in text
    for word in assemble(SOURCE).classes[0].code:
        assert f"{int(word):08x}" in text


@st.composite
def instructions(draw):
    row = TABLE[draw(st.sampled_from(sorted(TABLE)))]
    values = []
    for operand in row.operands:
        kind = KINDS[operand.kind]
        numbers = st.floats(width=32) if operand.kind == "f32" else st.integers(kind.low, kind.high)
        values.append(draw(numbers))
    return Instr(row.mnemonic, tuple(values))


@settings(max_examples=60, deadline=None)
@given(st.lists(instructions(), min_size=1, max_size=12), st.data())
def test_any_code_survives_text(instrs, data):
    code = encode_all(instrs)
    place = st.integers(0, len(code))
    pairs = data.draw(st.lists(st.tuples(place, place).map(sorted), max_size=3))
    kernels = tuple((f"k{n}", low, high) for n, (low, high) in enumerate(pairs))
    marks = data.draw(st.lists(st.integers(-1, 1), min_size=len(code), max_size=len(code)))
    debug = np.array(marks, np.int32)
    entry = data.draw(st.integers(-1, len(code) - 1))
    item = ProgramClass("c", np.array([3]), (1, 1), code, (entry, -1, 0, -1), debug, kernels)
    program = Program(load_target("d1-die"), (item,), marks=(Mark("a"), Mark("b")))
    again = assemble(disassemble(program))
    assert to_bytes(again) == to_bytes(program)
    assert disassemble(again) == disassemble(program)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=20))
def test_any_words_survive_text(words):
    code = np.array(words, np.uint32)
    debug = np.full(len(code), -1, np.int32)
    item = ProgramClass("c", np.array([3]), (1, 1), code, (0, -1, -1, -1), debug)
    program = Program(load_target("d1-die"), (item,))
    assert to_bytes(assemble(disassemble(program))) == to_bytes(program)


TYPES = ("bool", "int8", "uint16", "int64", "uint64", "float16", "float32", "float64")


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("size", [0, 5, 600])
def test_tensors_keep_their_bits(name, size):
    raw = np.random.default_rng(size).integers(0, 256, size * 8, np.uint8)
    array = (raw[:size] > 99) if name == "bool" else raw.view(name)
    program = with_tensor(array.reshape(array.size, 1))
    again = assemble(disassemble(program))
    assert to_bytes(again) == to_bytes(program)


def with_tensor(array: np.ndarray) -> Program:
    item = ProgramClass(
        "c",
        np.array([3]),
        (1, 1),
        encode_all([Instr("halt")]),
        (0, -1, -1, -1),
        np.array([-1], np.int32),
    )
    return Program(load_target("d1-die"), (item,), tensors={"t 1": array})


def test_long_tensors_may_stand_in_a_file_beside(tmp_path):
    program = with_tensor(np.arange(4096, dtype=np.float32))
    (tmp_path / "k.safetensors").write_bytes(sidecar_bytes(program))
    text = disassemble(program, sidecar="k.safetensors")
    assert len(text) < 200
    (tmp_path / "k.s").write_text(text)
    again = assemble_file(tmp_path / "k.s")
    assert to_bytes(again) == to_bytes(program)
    np.savez(tmp_path / "other.npz", weights=np.arange(3))
    line = '.tensor "t" from "other.npz" "weights"\n'
    assert assemble(HEAD + line, str(tmp_path / "x.s")).tensors["t"].tolist() == [0, 1, 2]
    with pytest.raises(AssemblyError, match="other.npz holds no tensor 'weight'"):
        assemble(HEAD + '.tensor "t" from "other.npz" "weight"\n', str(tmp_path / "x.s"))
    with pytest.raises(AssemblyError, match="cannot read none.npz"):
        assemble(HEAD + '.tensor "t" from "none.npz"\n', str(tmp_path / "x.s"))


def test_a_target_of_ones_own_is_written_in_full():
    program = with_tensor(np.zeros(1, np.int32))
    other = Program(program.target.with_dead([(0, 1)]), program.classes)
    text = disassemble(other)
    assert text.startswith(".target {")
    assert to_bytes(assemble(text)) == to_bytes(other)


def test_rows_are_sorted_by_list_and_class():
    text = HEAD + ".list 1, g\n .push 1, g 0, bytes=4\n .push 0, g 1, bytes=8\n"
    text += ".list 0, g\n .pull 1, g 0, bytes=1\n .pull 1, g 0, bytes=2\n"
    lists = assemble(text).lists
    assert lists.dtype == LIST_DTYPE
    assert lists["bytes"].tolist() == [1, 2, 4, 8]
    assert lists["kind"].tolist() == [1, 1, 0, 0]
    assert assemble(text).entries["bytes"].tolist() == [1, 2, 8, 4]


def test_images_reach_the_program():
    text = HEAD + '.tensor "w" float32 [3] = 1 2 3\n'
    text += '.image "w" in g at 64 layout FP32 1x2 (3: -, 0, 0, 3, 16) tensor "w"\n'
    layout = Layout((3,), (whole(3, 16),), "FP32", (1, 2))
    assert assemble(text).images == (Image("w", "g", 64, layout, "w"),)


IMAGE = '.image "i" in g at 0 layout '
MISTAKES = [
    (" vad v1, v2, v3", "there is no instruction 'vad'", 3, 2, "did you mean vadd"),
    (" vadd v1, v2", "wrong number of operands", 3, 2, "write vadd v<d>, v<a>, v<b> (p)"),
    (" vadd v1, v2, v3, v4", "wrong number of operands", 3, 19, "have 4, need 3"),
    (" vadd v1, v2, v32", "v32 is no operand b", 3, 15, "a vector register v0 to v31"),
    (" vadd v1, x2, v3", "x2 is no operand a", 3, 11, "a vector register v0 to v31"),
    (" li x1, 40000", "40000 is no operand n", 3, 9, "-32768 to 32767"),
    (" li x1, 1.5", "1.5 is no operand n", 3, 9, "a whole number"),
    (" vli v1, many", "many is no operand n", 3, 10, "an FP32 number"),
    (" vli v1, 1e39", "1e39 is no operand n", 3, 10, "at most 3.4028235e+38"),
    (" mzero m1 (p2)", "mzero takes no predicate", 3, 12, "write mzero m<d>"),
    (" vadd v1 v2, v3", "syntax error at 'v2,'", 3, 10, "expected '('"),
    (" vadd v1, v2,", "syntax error at the end of the line", 3, 14, "a name"),
    (" call foo", "no kernel or label 'foo'", 3, 7, None),
    (".kernel k\n nop", "kernel k has no end", 3, 9, "close it with .endkernel"),
    (".kernel k\n.endkernel\nk: nop", "k is defined twice in class g", 5, 1, None),
    (".endkernel", "no kernel is open", 3, 1, None),
    ("a: nop\na: nop", "a is defined twice in class g", 4, 1, None),
    (".thread 0\n.thread 0", "two streams for thread 0", 4, 9, None),
    (".thread 4", "4 is out of range", 3, 9, "0 to 3 allowed"),
    (".kernl k", "syntax error at '.kernl'", 3, 1, "did you mean .kernel"),
    (".target d1-die", "the target is named twice", 3, 9, None),
    (".class h 2x2 nodes 2..4", "grid 2x2 does not hold 3 nodes", 3, 10, None),
    ('.tensor "t" flat32 [1] = 1', "no tensor type is called flat32", 3, 13, "float32"),
    ('.tensor "t" int8 [2] = 1', "has 1 values", 3, 13, "2 needed"),
    ('.tensor "t" int8 [1] = 300', "300 is out of range", 3, 24, "-128 to 127 allowed"),
    ('.tensor "t" int32 [1] = hex "zz"', "no bytes of int32", 3, 29, None),
    (".push 0, g 1", "a transfer outside a list", 3, 1, "start one with"),
    (".list 0, g\n.push 0, h 1", "there is no class 'h'", 4, 1, None),
    (".list 0, g\n.push 0, g 1, byte=4", "a transfer has no field byte", 4, 15, "mean bytes"),
    (".build {a}", "no valid JSON table", 3, 8, None),
    (IMAGE + 'FP33 1x2 tensor "t"', "no number format is called FP33", 3, 29, "FP32"),
    (IMAGE + 'FP32 1x2 (4: up, 1, 0, 1, 1) tensor "t"', "up is no grid axis", 3, 42, "row, col"),
]


@pytest.mark.parametrize(("text", "what", "line", "column", "more"), MISTAKES)
def test_mistakes_show_line_and_caret(text, what, line, column, more):
    source = HEAD + text + "\n"
    with pytest.raises(AssemblyError) as caught:
        assemble(source, "kernel.s")
    message = str(caught.value)
    assert what in message
    assert f"kernel.s:{line}:{column}\n" in message
    shown = source.splitlines()[line - 1]
    assert f"\n    {shown}\n    {' ' * (column - 1)}^" in message
    assert more is None or more in message


def test_mistakes_of_the_whole_program():
    with pytest.raises(AssemblyError, match="the program names no target"):
        assemble("")
    with pytest.raises(AssemblyError, match="nop outside a class"):
        assemble("nop")
    with pytest.raises(AssemblyError, match="there is no target called 'd1-di'"):
        assemble(".target d1-di")
    with pytest.raises(AssemblyError, match="names a node outside the target"):
        assemble(".target d1-die\n.class g 1x1 nodes 99999")
    with pytest.raises(InputError, match="cannot read"):
        assemble_file("/nonexistent/kernel.s")
