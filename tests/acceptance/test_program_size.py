"""A program is as long for many nodes as for few: it is the machine that repeats, not the file."""

from __future__ import annotations

import pytest
from zoo_models import zoo

import dojocc
from dojocc.runtime.lists import entry_counts
from dojocc.runtime.program import Program, to_bytes

MACHINES = ("tests/targets/tiny.toml", "d1-die", "d1-training-tile")
"""6, 354 and 8,850 nodes."""


def without_weights(program: Program) -> int:
    """Bytes of the file but for the tensors of the model: code, classes, lists, routes, records."""
    return len(to_bytes(program)) - sum(array.nbytes for array in program.tensors.values())


@pytest.mark.parametrize("name", ["mlp", "lenet", "resnet50"])
def test_the_file_does_not_grow_with_the_nodes(name: str) -> None:
    model = zoo.build(name, "tiny")
    programs = [dojocc.compile(model, target=machine) for machine in MACHINES]
    few, die, tile = map(without_weights, programs)
    assert die < 1.6 * few and tile < 1.5 * die
    assert len(programs[1].lists) + len(programs[2].lists) < 300
    assert sum(len(item.code) for item in programs[2].classes) < 1.5 * sum(
        len(item.code) for item in programs[0].classes
    )
    for program in programs[1:]:
        assert entry_counts(program.lists).sum() == len(program.entries) > 30 * len(program.lists)
