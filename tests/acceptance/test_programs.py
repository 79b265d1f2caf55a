"""Programs of models: the same bytes every time and after every round trip, no larger on more
nodes, and every instruction of a kernel matters."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from acceptance_cases import compiled
from program_levels import Stage, lower_module
from zoo_models import zoo

import dojocc
from dojocc.dialects.context import DojoContext
from dojocc.dialects.printing import parse_module, print_module
from dojocc.frontends.onnx import import_onnx
from dojocc.runtime.engines import run
from dojocc.runtime.errors import DojoError
from dojocc.runtime.isa.asm import assemble_file
from dojocc.runtime.isa.codec import decode, encode
from dojocc.runtime.isa.disasm import disassemble, sidecar_bytes
from dojocc.runtime.isa.instr import BY_OPCODE, Instr
from dojocc.runtime.program import Program, from_bytes, load, to_bytes
from dojocc.runtime.targets import load_target

TINY = "tests/targets/tiny.toml"
ROUND_TRIPS = ("lenet", "gpt")
GROWTH = 1.25
LIVE_UNITS = ("matrix", "vector", "load", "store", "network")
MAY_BE_DONE_ALREADY = ("vli", "vst", "vld2", "ldx", "mzero")
"""A zero where there is one (accumulators start at zero), a bias that is still in its register, a
count of nothing to do."""


@pytest.mark.parametrize("name", ROUND_TRIPS)
def test_saved_loaded_and_saved_again_is_the_same_file(name: str, tmp_path: Path) -> None:
    program = compiled(name, "tiny", "bf16").program
    program.save(tmp_path / "first.dojo")
    load(tmp_path / "first.dojo").save(tmp_path / "second.dojo")
    first = (tmp_path / "first.dojo").read_bytes()
    assert first == (tmp_path / "second.dojo").read_bytes() == to_bytes(program)


@pytest.mark.parametrize("name", ROUND_TRIPS)
def test_assembly_of_a_compiled_model_comes_back(name: str, tmp_path: Path) -> None:
    program = compiled(name, "tiny", "bf16").program
    (tmp_path / "weights.safetensors").write_bytes(sidecar_bytes(program))
    text = disassemble(program, "weights.safetensors")
    (tmp_path / "model.s").write_text(text)
    again = assemble_file(tmp_path / "model.s")
    assert disassemble(again, "weights.safetensors") == text
    assert to_bytes(again) == to_bytes(program)


@pytest.mark.parametrize("level", ("imported", "fused", "mesh", "tile", "disa"))
@pytest.mark.parametrize("name", ROUND_TRIPS)
def test_text_of_every_level_comes_back(name: str, level: str) -> None:
    stage: Stage = getattr(compiled(name, "tiny", "bf16"), level)
    text = print_module(stage.module)
    assert print_module(parse_module(DojoContext(), text)) == text


@pytest.mark.parametrize("precision", ("fp32", "bf16"))
def test_the_seed_of_the_hash_changes_nothing(precision: str, tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    onnx.save(zoo.build("gpt", "tiny"), model)
    files = []
    for seed in ("0", "12345"):
        path = tmp_path / f"{seed}.dojo"
        command = [sys.executable, "-m", "dojocc.cli.main", "compile", str(model), "-o", str(path)]
        environment = os.environ | {"PYTHONHASHSEED": seed}
        subprocess.run(
            [*command, "--precision", precision], env=environment, check=True, capture_output=True
        )
        files.append(path.read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize("name", ("mlp", "transformer", "resnet50"))
def test_code_does_not_grow_with_the_nodes(name: str, tmp_path: Path) -> None:
    """342 nodes need no more instructions than 6, and one class more: the nodes left over."""
    few = compiled(name, "tiny", "bf16", TINY).program
    many = compiled(name, "tiny", "bf16").program
    assert [item.name for item in few.classes] == ["grid"]
    assert [item.name for item in many.classes] == ["grid", "spare"]
    words = [sum(len(item.code) for item in program.classes) for program in (few, many)]
    assert words[1] <= GROWTH * words[0], words


def sites(program: Program) -> list[tuple[int, Instr, int]]:
    """(word, instruction, its words) of class grid, but for what sets up, counts and waits."""
    code, found, word = program.cls("grid").code, [], 0
    while word < len(code):
        instr, after = decode(code, word)
        if BY_OPCODE[int(code[word]) >> 24].unit in LIVE_UNITS:
            found.append((word, instr, after - word))
        word = after
    return found


def without(program: Program, word: int, size: int) -> Program:
    """The program with `nop` in place of one instruction."""
    (nop,) = encode(Instr("nop", ()))
    classes = []
    for item in program.classes:
        code = item.code.copy()
        if item.name == "grid":
            code[word : word + size] = nop
        classes.append(replace(item, code=code))
    return replace(program, classes=tuple(classes))


@pytest.mark.parametrize("precision", ("fp32", "bf16"))
def test_a_run_without_one_of_its_instructions_differs_or_stops(precision: str) -> None:
    """Two dense layers whose sizes fill every block, so that no row or lane is padding."""
    model = zoo.mlp(zoo.Graph(17, 0), 16, (24, 32, 48))
    context = DojoContext(target=load_target(TINY))
    lowered = lower_module(context, import_onnx(model, context), zoo.inputs(model), precision)
    wanted, _ = lowered.engine("vector", "exact")
    places = sites(lowered.program)
    silent = []
    for word, instr, size in places:
        try:
            changed = run(without(lowered.program, word, size), lowered.inputs, mode="exact")
        except DojoError:
            continue
        if all(np.array_equal(changed.outputs[name], wanted[name]) for name in wanted):
            silent.append(instr.mnemonic)
    assert set(silent) <= set(MAY_BE_DONE_ALREADY), f"of {len(places)} instructions: {silent}"
    assert len(silent) < len(places) / 4


@pytest.mark.parametrize("name", ("equal_weights", "movement", "pad_values"))
def test_programs_with_constants_of_rank_0_are_read_back(name: str) -> None:
    program = dojocc.compile(f"tests/programs/{name}.dojotext", target=TINY)
    assert any(tensor.ndim == 0 for tensor in program.tensors.values())
    stored = to_bytes(program)
    assert to_bytes(from_bytes(stored)) == stored
