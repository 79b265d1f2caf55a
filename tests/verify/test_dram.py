"""Transfers in DRAM: loads read what images hold, stores have an order."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from program_levels import lower_module
from zoo_models import zoo

from dojocc.dialects.context import DojoContext
from dojocc.frontends.onnx import import_onnx
from dojocc.runtime.lists import DRAM_LOAD, DRAM_STORE, rows_of_entries
from dojocc.runtime.program import Program
from dojocc.runtime.targets import load_target
from dojocc.runtime.verify import verify

SRAM = 16_000


@cache
def program() -> Program:
    """A model whose weights do not all fit a node, so that some come from DRAM."""
    target = load_target("tests/targets/tiny.toml")
    target = replace(target, node=replace(target.node, sram_bytes=SRAM))
    model = zoo.build("bert", "tiny")
    inputs = {
        key: value.astype(np.int32) if value.dtype == np.int64 else value
        for key, value in zoo.inputs(model, 7).items()
    }
    options: dict[str, dict[str, object]] = {
        "shard": {"sram_budget": int(SRAM * 0.93), "dram": True}
    }
    module = import_onnx(model, context := DojoContext(target=target))
    return lower_module(context, module, inputs, "bf16", options).program


def test_loads_of_weights_are_sound() -> None:
    report = verify(program())
    assert report.sound, report.findings[0]
    numbers = np.unique(program().entries["list"][program().entries["kind"] == DRAM_LOAD])
    assert report.checked["lists in DRAM"] == len(numbers) > 0


def test_a_load_that_leaves_its_image_is_found() -> None:
    first, *rest = program().dram
    moved = replace(program(), dram=(replace(first, address=first.address + 64), *rest))
    (found, *_) = [each for each in verify(moved).findings if each.kind == "undefined"]
    assert found.what == "loads bytes of DRAM that no image fills"
    assert found.where.startswith("list ") and "of DIP" in found.numbers


def test_a_store_over_what_others_load_is_a_race() -> None:
    entries = program().entries.copy()
    first = int(np.argmax(entries["kind"] == DRAM_LOAD))
    entries["kind"][first] = DRAM_STORE
    for name in ("", "_stride0", "_stride1"):
        source, goal = f"src{name}", f"dst{name}"
        entries[source][first], entries[goal][first] = entries[goal][first], entries[source][first]
    changed = replace(program(), lists=rows_of_entries(entries))
    texts = [each.what for each in verify(changed).findings if each.kind == "race"]
    assert any("may store to at the same time" in text for text in texts), texts
