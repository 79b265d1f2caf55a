"""Every command does what its help says, on files and on streams."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cli_run import MODEL, TINY, dojocc, dojocc_bytes, relu_model, write

from dojocc import __version__
from dojocc.cli.main import COMMANDS, opt_main
from dojocc.runtime.program import from_bytes, load, to_bytes

X = np.arange(32, dtype=np.float32).reshape(4, 8) / 8
Y = np.maximum(X * 2 - 1, 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """model.dojotext, prog.dojo and in.npz."""
    folder = tmp_path_factory.mktemp("cli")
    model = write(folder / "model.dojotext", MODEL)
    answer = dojocc("compile", model, "-o", folder / "prog.dojo", "--target", TINY)
    assert answer.code == 0, answer.err
    np.savez(folder / "in.npz", x=X)
    return folder


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example_of_the_command(name: str) -> None:
    answer = dojocc(name, "--help")
    assert answer.code == 0 and answer.err == ""
    _, example = answer.out.split("example:\n")
    assert f"dojocc {name}" in example


def test_the_package_runs_as_a_module() -> None:
    words = [sys.executable, "-m", "dojocc", "--version"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == f"dojocc {__version__}\n"


def test_overview_names_every_command() -> None:
    answer = dojocc("--help")
    assert answer.code == 0
    assert all(f"  {name} " in answer.out for name in COMMANDS)
    assert dojocc("--version").out == f"dojocc {__version__}\n"
    nothing = dojocc()
    assert (nothing.code, nothing.out) == (2, "") and "usage: dojocc" in nothing.err


def test_run_gives_the_numbers(folder: Path) -> None:
    out = folder / "out.npz"
    answer = dojocc("run", folder / "prog.dojo", "--input", folder / "in.npz", "--output", out)
    assert answer.code == 0 and answer.out == ""
    assert "lifted" in answer.err
    np.testing.assert_allclose(np.load(out)["y"], Y, rtol=2e-2)


@pytest.mark.parametrize("engine", ["vector", "reference"])
@pytest.mark.parametrize("mode", ["fast", "exact"])
def test_run_json(folder: Path, engine: str, mode: str) -> None:
    answer = dojocc(
        "run", folder / "prog.dojo", "--input", folder / "in.npz", "--engine", engine,
        "--mode", mode, "--json",
    )  # fmt: skip
    found = answer.json()
    assert found["schema"] == "dojocc.run/1"
    assert found["seconds"] > 0 and 0 <= found["lifted_share"] <= 1
    assert found["instructions"]["vmax"] > 0
    assert "cycles" not in found
    assert found["outputs"] == {"y": {"shape": [4, 8], "type": "float32"}}


def test_timing_only_needs_no_input(folder: Path) -> None:
    found = dojocc("run", folder / "prog.dojo", "--timing-only", "--json").json()
    assert found["cycles"] >= found["lower_bound_cycles"] > 0
    assert found["instructions"]["vmax"] > 0


def test_trace_covers_every_op(folder: Path) -> None:
    trace = folder / "trace.json"
    assert dojocc("run", folder / "prog.dojo", "--timing-only", "--trace", trace).code == 0
    events = json.loads(trace.read_text())["traceEvents"]
    found = dojocc("profile", folder / "prog.dojo", "--json").json()
    by_op = dict.fromkeys(found["by_op"], 0)
    for event in events:
        if event["ph"] == "X" and event["cat"] != "exchange" and event["tid"] == 0:
            by_op[event["args"]["op"]] += event["args"]["cycles"]
    assert by_op == pytest.approx(found["by_op"], abs=2)


def test_streams_stand_for_files(folder: Path) -> None:
    answer, program = dojocc_bytes(
        "compile", "-", "-o", "-", "--target", TINY, stdin=MODEL.encode()
    )
    assert answer.code == 0
    assert len(from_bytes(program).classes[0].code)
    answer, result = dojocc_bytes(
        "run", folder / "prog.dojo", "--input", "-", "--output", "-",
        stdin=(folder / "in.npz").read_bytes(),
    )  # fmt: skip
    assert answer.code == 0
    np.testing.assert_allclose(np.load(io.BytesIO(result))["y"], Y, rtol=2e-2)


def test_compile_json(folder: Path) -> None:
    answer = dojocc(
        "compile", folder / "model.dojotext", "-o", folder / "j.dojo", "--target", TINY, "--json"
    )
    found = answer.json()
    assert found["schema"] == "dojocc.compile/1"
    assert found["seconds"] >= sum(found["passes"].values()) * 0.9 > 0
    assert {"import", "shard", "emit"} <= set(found["passes"])
    assert found["classes"] == 1 and found["class_names"] == ["grid"]
    assert found["sram_peak_bytes"] >= found["sram_lower_bound_bytes"] > 0


def test_the_same_model_compiles_to_the_same_bytes(folder: Path) -> None:
    for name in ("a.dojo", "b.dojo"):
        dojocc("compile", folder / "model.dojotext", "-o", folder / name, "--target", TINY)
    assert (folder / "a.dojo").read_bytes() == (folder / "b.dojo").read_bytes()


@pytest.mark.parametrize(
    "level, sign",
    [("nn", "nn.fused"), ("mesh", "#mesh.layout"), ("tile", "tile.kernel"), ("disa", "disa.vst")],
)
def test_every_level_can_be_printed(folder: Path, level: str, sign: str) -> None:
    answer = dojocc("compile", folder / "model.dojotext", "--emit", level, "--target", TINY)
    assert answer.code == 0 and sign in answer.out


def test_an_ir_file_keeps_its_arrays(tmp_path: Path) -> None:
    weights = np.random.default_rng(0).normal(size=(8, 8)).astype(np.float32)
    np.savez(tmp_path / "w.npz", w=weights)
    text = 'model m(x: f32[4, 8]) -> (y: f32[4, 8]) { weights "w.npz" w = weight "w" y = x @ w }'
    model = write(tmp_path / "m.dojotext", text)
    options = ("--target", TINY)
    assert dojocc("compile", model, "--emit", "nn", "-o", tmp_path / "m.mlir", *options).code == 0
    assert (tmp_path / "m.safetensors").is_file()
    answer = dojocc("opt", tmp_path / "m.mlir", "-p", "canonicalise", *options)
    assert answer.code == 0 and 'resource = "w"' in answer.out


def test_print_ir_after(folder: Path) -> None:
    words = ("compile", folder / "model.dojotext", "--emit", "mesh", "--target", TINY)
    answer = dojocc(*words, "--print-ir-after", "fuse")
    assert answer.err.count("// after ") == 1 and "nn.fused" in answer.err
    every = dojocc(*words, "--print-ir-after-all")
    assert every.err.count("// after ") > 10
    assert "total" in dojocc(*words, "--timing").err


def test_logs_are_for_those_who_ask(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("compile", folder / "model.dojotext", "--emit", "mesh", "--target", TINY)
    assert "[shard]" not in dojocc(*words).err
    monkeypatch.setenv("DOJOCC_LOGS", "+shard,fuse")
    answer = dojocc(*words)
    assert "[shard]" in answer.err and "[fuse]" in answer.err and "[fold]" not in answer.err


@pytest.mark.parametrize("level", ["0", "1", "2", "3"])
def test_every_optimisation_level_is_right(folder: Path, level: str) -> None:
    program = folder / f"o{level}.dojo"
    words = ("compile", folder / "model.dojotext", "-o", program, "--target", TINY)
    assert dojocc(*words, f"-O{level}", "--precision", "fp32").code == 0
    answer, out = dojocc_bytes("run", program, "--input", folder / "in.npz", "--output", "-")
    assert answer.code == 0
    np.testing.assert_allclose(np.load(io.BytesIO(out))["y"], Y, rtol=1e-6)


def test_opt_runs_the_passes_asked_for(tmp_path: Path) -> None:
    model = write(tmp_path / "m.onnx", relu_model())
    answer = dojocc("opt", model, "-p", "infer-shapes,canonicalise")
    assert answer.code == 0 and "nn.maximum" in answer.out
    again = dojocc("opt", "-", "-p", "canonicalise", stdin=answer.out.encode())
    assert again.out == answer.out
    assert "precision" in dojocc("opt", "--list").out


def test_dojocc_opt_is_the_same_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert opt_main(["--help"]) == 0
    assert "usage: dojocc-opt" in capsys.readouterr().out


def test_asm_and_objdump_give_each_other_back(folder: Path, tmp_path: Path) -> None:
    program = folder / "prog.dojo"
    assert dojocc("objdump", program, "-o", tmp_path / "p.s").code == 0
    assert dojocc("asm", tmp_path / "p.s", "-o", tmp_path / "p.dojo").code == 0
    assert (tmp_path / "p.dojo").read_bytes() == program.read_bytes()
    listing = dojocc("objdump", program, "--listing").out
    assert ".thread 0" in listing and "halt" in listing


def test_verify_says_sound_and_names_faults(folder: Path, tmp_path: Path) -> None:
    answer = dojocc("verify", folder / "prog.dojo")
    assert answer.code == 0 and answer.out == "" and "sound" in answer.err
    facts = json.loads(dojocc("verify", folder / "prog.dojo", "--json").out)
    assert facts["schema"] == "dojocc.verify/1" and facts["sound"] and not facts["findings"]
    program = load(folder / "prog.dojo")
    moved = replace(program.inputs[0], address=program.inputs[0].address + 64)
    replace(program, inputs=(moved,)).save(tmp_path / "bad.dojo")
    answer = dojocc("verify", tmp_path / "bad.dojo")
    assert answer.code == 1 and "where:" in answer.out and "faults" in answer.err


def test_compile_verifies_before_it_writes(folder: Path, tmp_path: Path) -> None:
    written = tmp_path / "p.dojo"
    model = folder / "model.dojotext"
    answer = dojocc("compile", model, "-o", written, "--target", TINY, "--verify")
    assert answer.code == 0 and written.exists()
    answer = dojocc("compile", model, "--emit", "tile", "--target", TINY, "--verify")
    assert answer.code == 2 and "--verify needs a program" in answer.err


def test_objdump_puts_weights_aside(tmp_path: Path) -> None:
    weights = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    np.savez(tmp_path / "w.npz", w=weights)
    text = 'model m(x: f32[4, 64]) -> (y: f32[4, 64]) { weights "w.npz" w = weight "w" y = x @ w }'
    model = write(tmp_path / "m.dojotext", text)
    program = tmp_path / "m.dojo"
    dojocc("compile", model, "-o", program, "--target", TINY)
    beside = tmp_path / "m.safetensors"
    dojocc("objdump", program, "-o", tmp_path / "m.s", "--weights", beside)
    assert "from" in (tmp_path / "m.s").read_text()
    dojocc("asm", tmp_path / "m.s", "-o", tmp_path / "again.dojo")
    assert to_bytes(load(tmp_path / "again.dojo")) == program.read_bytes()
    assembly = tmp_path / "emitted.s"
    dojocc("compile", model, "--emit", "asm", "-o", assembly, "--target", TINY)
    dojocc("asm", assembly, "-o", tmp_path / "third.dojo")
    assert (tmp_path / "third.dojo").read_bytes() == program.read_bytes()


def test_check_says_that_all_is_fine(tmp_path: Path) -> None:
    model = write(tmp_path / "m.onnx", relu_model())
    answer = dojocc("check", model, "--target", TINY)
    assert answer.code == 0 and "fine" in answer.out
    found = dojocc("check", model, "--target", TINY, "--json").json()
    assert found["ok"] and found["problems"] == [] and found["lower_bound_cycles"] >= 0
    assert list(tmp_path.iterdir()) == [model]


def test_explain_finds_an_op_by_its_name(tmp_path: Path) -> None:
    model = write(tmp_path / "m.onnx", relu_model())
    program = tmp_path / "m.dojo"
    dojocc("compile", model, "-o", program, "--target", TINY)
    found = dojocc("explain", program, "r", "--json").json()
    (op,) = found["ops"]
    assert op["op"] == "node 'r' (Relu)"
    assert op["words"]["grid"] > 0 and "grid 2 x 3" in op["mapping"][0]
    assert any("vmax" in kernel["instructions"] for kernel in op["kernels"])
    text = dojocc("explain", program, "r").out
    assert "node 'r' (Relu)" in text and "vmax" in text


def test_explain_shows_the_choice_its_runners_up_and_the_bound(tmp_path: Path) -> None:
    model = write(tmp_path / "m.onnx", relu_model())
    program = tmp_path / "m.dojo"
    dojocc("compile", model, "-o", program, "--target", TINY)
    (op,) = dojocc("explain", program, "r", "--json").json()["ops"]
    (weighed,) = op["kernels_weighed"]
    chosen, *others = weighed["choices"]
    assert others and weighed["bound"] <= chosen["compute"]
    for each in (chosen, *others):
        parts = each["compute"] + each["movement"] + each["sram"]
        assert abs(each["cycles"] - parts) <= 2
        assert each["bytes"] > 0
    text = dojocc("explain", program, "r").out
    assert "lower bound" in text and "runner-up 1" in text
    assert chosen["loops"] in text and f"= compute {chosen['compute']:,} + movement" in text


def test_targets(tmp_path: Path) -> None:
    listed = dojocc("targets", "list", "--json").json()["targets"]
    assert {each["name"]: each["nodes"] for each in listed}["d1-die"] == 354
    shown = dojocc("targets", "show", "d1-die", "--json").json()["values"]
    assert shown["node.sram_bytes"]["value"] == 1310720
    assert shown["node.sram_bytes"]["origin"] == "published"
    text = dojocc("targets", "show", "d1-die").out
    assert "assumed" in text and "1,310,720" in text
    mine = tmp_path / "mine.toml"
    assert dojocc("targets", "new", mine).code == 0
    answer = dojocc("targets", "validate", mine)
    assert answer.code == 0 and "354 nodes" in answer.out
    text = mine.read_text()
    for key in ("sram_bytes = 1310720", "virtual_channels = 4", 'edge = "west"', "dead = [[0, 6]"):
        assert f"\n# {key}" in text
        mine.write_text(text.replace(f"\n# {key}", f"\n{key}"))
        assert dojocc("targets", "validate", mine).code == 0, key
    again = dojocc("targets", "new", mine)
    assert again.code == 1 and "is there already" in again.err


def test_profile_writes_its_page_and_its_trace(folder: Path, tmp_path: Path) -> None:
    page, trace = tmp_path / "p.html", tmp_path / "t.json"
    answer = dojocc("profile", folder / "prog.dojo", "--json", "-o", page, "--trace", trace)
    found = answer.json()
    assert found["schema"] == "dojocc.profile/1"
    assert found["cycles"] >= found["lower_bound_cycles"]
    assert 0 <= found["utilization"]["matrix"] <= 1 and found["error_band"] > 0
    assert "<table>" in page.read_text() and json.loads(trace.read_text())["traceEvents"]
    assert "lower bound" in dojocc("profile", folder / "prog.dojo").out


def test_pack_places_buffers(tmp_path: Path) -> None:
    rows = "id,lower,upper,size\na,0,2,100\nb,1,3,50\nc,2,4,100\n"
    table = write(tmp_path / "b.csv", rows)
    out = tmp_path / "o.csv"
    found = dojocc("pack", table, "--capacity", "150", "-o", out, "--json").json()
    assert found["peak_bytes"] == found["lower_bound_bytes"] == 150
    assert found["gap"] == found["decisions"] == 0 and found["seconds"] > 0
    placed = {row["id"]: row for row in csv.DictReader(io.StringIO(out.read_text()))}
    assert list(placed["a"]) == ["id", "lower", "upper", "size", "offset"]
    low, high = sorted((int(placed["a"]["offset"]), int(placed["b"]["offset"])))
    assert high - low >= int(placed["a" if int(placed["a"]["offset"]) == low else "b"]["size"])


def test_demo_compares_and_reports() -> None:
    answer = dojocc("demo", "--size", "tiny", "--model", "mlp", "--target", TINY, "--json")
    found = answer.json()
    assert answer.code == 0 and found["schema"] == "dojocc.demo/1"
    assert 0 < found["relative_error"] < found["allowed_error"]
    assert found["mmac"] > 0 and found["cycles"] > 0


def test_doctor_runs_a_program() -> None:
    found = dojocc("doctor", "--json").json()
    states = {row["name"]: row["state"] for row in found["findings"]}
    assert found["ok"] and states["first run"] == "ok" and states["xdsl"] == "ok"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_every_command_and_flag(shell: str) -> None:
    text = dojocc("completion", shell).out
    assert all(name in text for name in COMMANDS)
    assert "precision" in text and "d1-die" not in text
