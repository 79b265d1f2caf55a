"""Bad inputs: the text, the exit code, and that no file is left behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cli_run import MODEL, TINY, Answer, dojocc, onnx_model, refused, relu_model, write
from onnx import helper

from dojocc.runtime.program import load

X = np.zeros((4, 8), np.float32)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("program")
    model = write(folder / "model.dojotext", MODEL)
    assert dojocc("compile", model, "-o", folder / "prog.dojo", "--target", TINY).code == 0
    return folder / "prog.dojo"


def compile_bytes(folder: Path, content: bytes, *words: str) -> Answer:
    """The answer to compiling a model file; nothing but the model may be left in the folder."""
    model = write(folder / "model.onnx", content)
    answer = dojocc("compile", model, "-o", folder / "prog.dojo", "--target", TINY, *words)
    if answer.code:
        assert list(folder.iterdir()) == [model]
    return answer


def test_not_an_onnx_file(tmp_path: Path) -> None:
    answer = compile_bytes(tmp_path, b"PK\x03\x04 something else")
    refused(answer, 1, "is not an ONNX model", "zip archive", "19 bytes")


def test_truncated_onnx(tmp_path: Path) -> None:
    answer = compile_bytes(tmp_path, relu_model()[:-20])
    refused(answer, 1, "not a readable ONNX model", "truncated")


def test_no_such_model(tmp_path: Path) -> None:
    answer = dojocc("compile", tmp_path / "none.onnx", "-o", tmp_path / "prog.dojo")
    refused(answer, 1, "there is no file", "none.onnx")
    assert list(tmp_path.iterdir()) == []


def test_unknown_ops_are_listed_at_once_with_the_nearest(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Reluu", ["x"], ["a"], name="first", domain="mine"),
        helper.make_node("Unique", ["a"], ["b"], name="second"),
        helper.make_node("NonMaxSuppression", ["b"], ["y"], name="third"),
    ]
    model = onnx_model(nodes)
    for answer in (compile_bytes(tmp_path, model), check(tmp_path, model)):
        assert answer.code == 1
        text = answer.err + answer.out
        for part in ("Reluu (mine", "first", "nearest supported: Relu", "second", "third"):
            assert part in text
    assert list(tmp_path.iterdir()) == [tmp_path / "model.onnx"]


def check(folder: Path, content: bytes, *words: str) -> Answer:
    model = write(folder / "model.onnx", content)
    return dojocc("check", model, "--target", TINY, *words)


def test_a_dynamic_shape_without_shape(tmp_path: Path) -> None:
    model = relu_model(("batch", 8))
    refused(compile_bytes(tmp_path, model), 1, "dimension 0 ('batch') of 'x'", "--shape x=1x8")
    answer = compile_bytes(tmp_path, model, "--shape", "x=4x8")
    assert answer.code == 0, answer.err
    assert load(tmp_path / "prog.dojo").inputs[0].shape == (4, 8)


def test_check_names_open_shapes_and_unknown_ops_together(tmp_path: Path) -> None:
    model = onnx_model(
        [helper.make_node("NonMaxSuppression", ["x"], ["y"], name="n")], ("batch", 8)
    )
    answer = check(tmp_path, model, "--json")
    assert answer.code == 1
    assert {row["kind"] for row in answer.json()["problems"]} == {"shapes", "op"}


@pytest.mark.parametrize(
    "word, text",
    [
        ("x", "--shape x is not understood"),
        ("x=4xtwo", "--shape x=4xtwo is not understood"),
        ("x=4x9", "given 4x9, the model has 4x8"),
        ("z=4x8", "'z', which is no input"),
    ],
)
def test_a_shape_that_cannot_be(tmp_path: Path, word: str, text: str) -> None:
    answer = compile_bytes(tmp_path, relu_model(), "--shape", word)
    refused(answer, 2 if "understood" in text else 1, text)


def test_nan_in_weights(tmp_path: Path) -> None:
    weights = np.zeros((8, 8), np.float32)
    weights[3, 4] = np.nan
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], name="m")]
    answer = compile_bytes(tmp_path, onnx_model(nodes, weights={"w": weights}))
    refused(answer, 1, "not a finite number: w: 1 NaN", "[3, 4]", "node 'm' (MatMul)")


def test_infinity_in_weights(tmp_path: Path) -> None:
    weights = np.full((8, 8), np.inf, np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], name="m")]
    answer = compile_bytes(tmp_path, onnx_model(nodes, weights={"w": weights}))
    refused(answer, 1, "not a finite number: w: 0 NaN and 64 infinite")


def test_a_model_that_cannot_fit(tmp_path: Path) -> None:
    weights = np.ones((2048, 4096), np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], name="big")]
    model = onnx_model(nodes, (4, 2048), {"w": weights})
    answer = compile_bytes(tmp_path, model)
    refused(answer, 1, "does not fit", "B too much", "'big'", "help:")
    found = check(tmp_path, model, "--json")
    assert found.code == 1
    (row,) = found.json()["problems"]
    assert row["kind"] == "fit" and "B too much" in row["numbers"]


def run(program: Path, folder: Path, **arrays: np.ndarray) -> Answer:
    np.savez(folder / "in.npz", **arrays)  # pyright: ignore[reportArgumentType]
    answer = dojocc("run", program, "--input", folder / "in.npz", "--output", folder / "out.npz")
    assert [path.name for path in folder.iterdir()] == ["in.npz"]
    return answer


def test_wrong_input_name(program: Path, tmp_path: Path) -> None:
    refused(run(program, tmp_path, z=X), 1, "unknown ['z']", "missing ['x']", "['x']")


def test_wrong_input_shape(program: Path, tmp_path: Path) -> None:
    refused(run(program, tmp_path, x=X[:2]), 1, "'x' has the wrong shape", "(4, 8)", "(2, 8)")


def test_wrong_input_type(program: Path, tmp_path: Path) -> None:
    answer = run(program, tmp_path, x=X.astype(np.complex64))
    refused(answer, 1, "'x' has the wrong type", "float32", "complex64", "help:")


def test_inputs_that_are_no_npz(program: Path, tmp_path: Path) -> None:
    bad = write(tmp_path / "in.npz", "nothing of the kind")
    refused(dojocc("run", program, "--input", bad), 1, "cannot read inputs", "numpy.savez")
    np.save(tmp_path / "in.npy", X)
    answer = dojocc("run", program, "--input", tmp_path / "in.npy")
    refused(answer, 1, "cannot read inputs", "one bare array")
    refused(dojocc("run", program), 2, "the program needs inputs", "they are x")


@pytest.mark.parametrize("cut, text", [(10, "is corrupt"), (1000, "truncated")])
def test_truncated_program(program: Path, tmp_path: Path, cut: int, text: str) -> None:
    bad = write(tmp_path / "bad.dojo", program.read_bytes()[:-cut])
    for command in (["run"], ["objdump"], ["profile"], ["explain"]):
        words = [*command, bad, *(["x"] if command == ["explain"] else [])]
        refused(dojocc(*words), 1, "bad.dojo", text, "compile or assemble")


def test_corrupt_program(program: Path, tmp_path: Path) -> None:
    content = bytearray(program.read_bytes())
    content[len(content) // 2] ^= 1
    bad = write(tmp_path / "bad.dojo", bytes(content))
    refused(dojocc("run", bad, "--timing-only"), 1, "bad.dojo", "compile or assemble")


def test_program_of_another_version(program: Path, tmp_path: Path, monkeypatch) -> None:
    bad = tmp_path / "old.dojo"
    sound = load(program)
    monkeypatch.setattr("dojocc.runtime.container.VERSION", 999)
    sound.save(bad)
    monkeypatch.undo()
    refused(dojocc("run", bad, "--timing-only"), 1, "version", "999")


def test_bad_assembly_shows_line_and_caret(tmp_path: Path) -> None:
    text = '.target "d1-die"\n.class grid 1x1 nodes 0\n.thread 0\n  vad v1, v2, v3\n  halt\n'
    source = write(tmp_path / "bad.s", text)
    answer = dojocc("asm", source, "-o", tmp_path / "bad.dojo")
    refused(answer, 1, "vad", "bad.s:4:3", "  vad v1, v2, v3", "^", "vadd")
    assert list(tmp_path.iterdir()) == [source]


def test_bad_target_file(tmp_path: Path) -> None:
    text = 'name = "t"\ninherits = "d1-die"\n[node]\nsram_byte = 100\n'
    bad = write(tmp_path / "t.toml", text)
    for words in (["targets", "validate", bad], ["compile", "x.onnx", "-o", "-", "--target", bad]):
        refused(dojocc(*words), 1, "node.sram_byte", "line 4", "did you mean 'sram_bytes'?")
    answer = dojocc("targets", "show", "d1-dye")
    refused(answer, 1, "no target called 'd1-dye'", "did you mean 'd1-die'?")


@pytest.mark.parametrize("name", ["no/such/folder/p.dojo", "folder"])
def test_unwritable_output(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    model = write(tmp_path / "m.dojotext", MODEL)
    answer = dojocc("compile", model, "-o", tmp_path / name, "--target", TINY)
    refused(answer, 1, "cannot write", name)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["folder", "m.dojotext"]


def test_bad_text_model_shows_line_and_caret(tmp_path: Path) -> None:
    model = write(tmp_path / "m.dojotext", MODEL.replace("relu", "rellu"))
    answer = dojocc("compile", model, "-o", tmp_path / "p.dojo")
    refused(answer, 1, "m.dojotext:2:7", "y = rellu(x * 2 - 1)", "^", "did you mean relu?")


def test_bad_ir_shows_line_and_caret(tmp_path: Path) -> None:
    module = write(tmp_path / "m.mlir", "builtin.module {\n  nn.nothing\n}\n")
    refused(dojocc("opt", module), 1, "m.mlir:3", "nn.nothing is not registered", "^")


def test_unknown_passes_are_listed_at_once(tmp_path: Path) -> None:
    model = write(tmp_path / "m.onnx", relu_model())
    answer = dojocc("opt", model, "-p", "fuze,foldd")
    refused(answer, 2, "'fuze', 'foldd'", "nearest: fuse, fold")


@pytest.mark.parametrize(
    "text, part",
    [
        ("{", "is not JSON"),
        ('{"node": []}', "is not a defect map"),
        ('{"nodes": [[0, "a"]]}', "is not a defect map"),
        ('{"nodes": [[99, 0]]}', "outside the node grid"),
    ],
)
def test_bad_defect_map(tmp_path: Path, text: str, part: str) -> None:
    model = write(tmp_path / "m.dojotext", MODEL)
    defects = write(tmp_path / "d.json", text)
    answer = dojocc("compile", model, "-o", tmp_path / "p.dojo", "--defects", defects)
    refused(answer, 1, part)
    assert not (tmp_path / "p.dojo").exists()


def test_pack_that_does_not_fit(tmp_path: Path) -> None:
    table = write(tmp_path / "b.csv", "id,lower,upper,size\na,0,2,100\nb,1,3,50\n")
    answer = dojocc("pack", table, "--capacity", "120", "-o", tmp_path / "o.csv")
    refused(answer, 1, "too much is live at once", "need 150 B, have 120 B, 30 B too much")
    bad = write(tmp_path / "c.csv", "id,lower,size\n")
    refused(dojocc("pack", bad, "--capacity", "1"), 1, "lacks the column 'upper'")
    assert not (tmp_path / "o.csv").exists()


# At every time at most 8 bytes are live, but no packing takes fewer than 9.
KNOT = """id,lower,upper,size
a,1,4,1
b,2,5,1
c,5,7,1
d,5,7,3
e,0,3,4
f,4,6,4
g,6,7,3
h,0,1,4
i,1,2,3
j,2,3,2
k,3,4,6
l,4,5,3
m,6,7,1
"""


def test_pack_says_whether_the_refusal_is_certain(tmp_path: Path) -> None:
    table = write(tmp_path / "b.csv", KNOT)
    bound = dojocc("pack", table, "--capacity", "99", "--minimise", "--json", "-o", tmp_path / "o")
    found = bound.json()
    assert (found["peak_bytes"], found["lower_bound_bytes"]) == (9, 8)
    refused(dojocc("pack", table, "--capacity", "8"), 1, "a complete search found no packing")
    answer = dojocc("pack", table, "--capacity", "8", "--effort", "0")
    refused(answer, 1, "as far as the planner found")


def test_explain_suggests_names(program: Path) -> None:
    refused(dojocc("explain", program, "modle"), 1, "no op that is named like 'modle'", "ops")
