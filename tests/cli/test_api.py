"""The Python API: compile from every kind of model, save, load, sessions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from cli_run import MODEL, TINY, relu_model, write

import dojocc
from dojocc.compiler import Options, compile_model
from dojocc.dialects.context import DojoContext
from dojocc.frontends.ir_file import read_ir, write_ir
from dojocc.frontends.read import read_model
from dojocc.runtime.errors import InputError, UsageError
from dojocc.runtime.lists import LIST_DTYPE
from dojocc.runtime.program import to_bytes
from dojocc.runtime.targets import load_target

X = np.linspace(-2, 2, 32, dtype=np.float32).reshape(4, 8)


def outputs(program: dojocc.Program) -> np.ndarray:
    return dojocc.Session(program).run(None, {"x": X})[0]


def test_importing_is_cheap_and_names_are_there() -> None:
    code = "import sys, dojocc; print('numpy' in sys.modules, dojocc.__version__, dir(dojocc))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"False {dojocc.__version__}")
    assert "'compile'" in done.stdout and "'Session'" in done.stdout
    with pytest.raises(AttributeError, match="no attribute 'compil'"):
        _ = dojocc.compil  # pyright: ignore[reportAttributeAccessIssue]


def test_every_kind_of_model_gives_the_same_numbers(tmp_path: Path) -> None:
    content = relu_model()
    path = write(tmp_path / "m.onnx", content)
    models = [path, str(path), content, onnx.load_from_string(content)]
    models.append(read_model(path, DojoContext()))
    text = write(tmp_path / "m.dojotext", MODEL.replace("x * 2 - 1", "x"))
    models += [text, text.read_bytes()]
    for model in models:
        program = dojocc.compile(model, target=TINY, precision="fp32")
        assert np.array_equal(outputs(program), np.maximum(X, 0))


def test_a_module_is_left_as_it_is() -> None:
    module = read_model(relu_model(), DojoContext())
    before = str(module)
    dojocc.compile(module, target=TINY)
    assert str(module) == before


def test_save_and_load(tmp_path: Path) -> None:
    program = dojocc.compile(relu_model(), target=TINY)
    program.save(tmp_path / "p.dojo")
    again = dojocc.load(tmp_path / "p.dojo")
    assert to_bytes(again) == to_bytes(program)
    assert np.array_equal(outputs(again), outputs(program))
    assert again.build["precision"] == "bf16" and "shard" in again.build["passes"]


def test_options_decide_and_are_recorded() -> None:
    dead = {"nodes": [[0, 1]], "links": []}
    program = dojocc.compile(relu_model(), target=load_target(TINY), defects=dead, seed=7)
    assert 1 not in np.concatenate([each.nodes for each in program.classes])
    assert program.build["defects"]["nodes"] == [[0, 1]] and program.build["seed"] == 7
    assert np.allclose(outputs(program), np.maximum(X, 0), rtol=1e-2)


def test_what_cannot_be_asked_for() -> None:
    with pytest.raises(UsageError, match="no precision 'fp64'"):
        dojocc.compile(relu_model(), precision="fp64")
    with pytest.raises(UsageError, match="no optimisation level 4"):
        dojocc.compile(relu_model(), optimize=4)
    with pytest.raises(UsageError, match="this kind of model") as error:
        dojocc.compile(3)
    assert error.value.where == "builtins.int"
    with pytest.raises(UsageError, match="already says the shapes"):
        dojocc.compile(MODEL.encode(), shapes={"x": (4, 8)})
    with pytest.raises(UsageError, match="no level 'machine'"):
        compile_model(relu_model(), Options(target=TINY), stop_at="machine")


def test_session_has_onnx_runtimes_shape() -> None:
    session = dojocc.Session(dojocc.compile(relu_model(), target=TINY))
    (given,), (result,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.shape, given.type) == ("x", (4, 8), "tensor(float)")
    assert (result.name, result.shape) == ("y", (4, 8))
    first = session.run(["y"], {"x": X})[0]
    session.run(None, {"x": -X})
    assert np.array_equal(session.run(None, {"x": X})[0], first)
    assert session.seconds > 0 and session.counters is not None and session.counters.total > 0


def test_session_refuses_and_goes_on() -> None:
    session = dojocc.Session(dojocc.compile(relu_model(), target=TINY))
    with pytest.raises(InputError, match="no output 'z'") as error:
        session.run(["z"], {"x": X})
    assert error.value.numbers == "outputs: y"
    with pytest.raises(InputError, match="wrong shape"):
        session.run(None, {"x": X[0]})
    assert session.run(None, {"x": X})[0].shape == (4, 8)


def test_progress_and_after_see_every_pass() -> None:
    steps: list[tuple[str, int, int]] = []
    seen: list[str] = []
    dojocc.compile(
        relu_model(),
        target=TINY,
        progress=lambda *step: steps.append(step),
        after=lambda each, module: seen.append(each.name),
    )
    names, numbers, counts = zip(*steps, strict=True)
    assert names == ("import", *seen, "emit")
    assert numbers == tuple(range(len(steps))) and set(counts) == {len(steps)}


@pytest.mark.parametrize("level", ["nn", "mesh", "tile", "disa"])
def test_ir_files_of_every_level_read_back(tmp_path: Path, level: str) -> None:
    weights = np.random.default_rng(0).normal(size=(96, 96)).astype(np.float32)
    np.savez(tmp_path / "w.npz", w=weights)
    text = 'model m(x: f32[64, 96]) -> (y: f32[64, 96]) { weights "w.npz" w = weight "w" ' + (
        "y = softmax(relu(x @ w) @ w, axis=0) }"
    )
    model = write(tmp_path / "m.dojotext", text)
    result = compile_model(model, Options(target=TINY), stop_at=level)
    write_ir(tmp_path / "m.mlir", result.module, result.context)
    context = DojoContext()
    assert str(read_ir(tmp_path / "m.mlir", context)) == str(result.module)
    for name, array in context.resources.items():
        assert array.dtype == result.context.resources[name].dtype
        assert np.array_equal(array, result.context.resources[name])
    if level == "disa":
        assert any(array.dtype == LIST_DTYPE for array in context.resources.values())


def test_arrays_that_are_none(tmp_path: Path) -> None:
    write(tmp_path / "m.mlir", "builtin.module {}\n")
    write(tmp_path / "m.safetensors", b"not that")
    with pytest.raises(InputError, match="does not hold the arrays of an IR file"):
        read_ir(tmp_path / "m.mlir", DojoContext())


def test_programs_do_not_depend_on_the_hash_seed(tmp_path: Path) -> None:
    """The same model gives the same bytes in processes with other seeds of the hash."""
    write(tmp_path / "m.onnx", relu_model())
    root = Path(__file__).parents[2]
    code = (
        "import sys, hashlib, dojocc; from dojocc.runtime.program import to_bytes;"
        f"p = dojocc.compile('m.onnx', target={TINY!r});"
        "print(hashlib.sha256(to_bytes(p)).hexdigest())"
    )
    digests = set()
    for seed in ("0", "1"):
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": str(root), "PATH": ""}
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment,
        )
        assert done.returncode == 0, done.stderr
        digests.add(done.stdout)
    assert len(digests) == 1
