"""Fault maps: whatever is dead, a model compiles to the same numbers on routes without deadlock, or
is refused with the cut.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from dojocc import zoo
from dojocc.compiler import Options, compile_model
from dojocc.report.yield_curve import healthy, trial, yield_trials
from dojocc.runtime.mesh.faults import FaultMap, FaultModel, random_map
from dojocc.runtime.targets import load_target
from dojocc.runtime.verify import verify

HARD = FaultModel(nodes=(1, 20), links=(0, 10))
CORNERS = FaultMap(((0, 0), (0, 19), (17, 0), (17, 19)), (((0, 1), (1, 1)),))
CLUSTER = FaultMap(tuple((row, col) for row in range(6, 10) for col in range(9, 14)), ())
EDGE = FaultMap(tuple((row, 0) for row in range(3, 15)), ())
HALVED = FaultMap(tuple((row, 11) for row in range(18)), ())


@pytest.mark.parametrize("drawn", [CORNERS, CLUSTER, EDGE, HALVED], ids=lambda each: str(each)[:24])
def test_chosen_maps_give_the_same_numbers(drawn: FaultMap) -> None:
    model, options = zoo.build("mlp", "tiny"), Options()
    made = trial(model, options, drawn, 0, healthy(model, options, None))
    assert made.outcome == "same", made.reason


def test_some_random_maps_give_the_same_numbers() -> None:
    model, options = zoo.build("mlp", "tiny"), Options(seed=2)
    trials = yield_trials(model, options, HARD, 2, healthy(model, options, None))
    assert [each.outcome for each in trials] == ["same"] * 2


@pytest.mark.slow
@pytest.mark.parametrize("clustering", [0.0, 0.3, 0.9])
def test_two_hundred_random_maps_of_a_die(clustering: float) -> None:
    model, options = zoo.build("lenet", "tiny"), Options(seed=int(clustering * 10))
    faults = replace(HARD, clustering=clustering)
    trials = yield_trials(model, options, faults, 67, healthy(model, options, None))
    assert {each.outcome for each in trials} == {"same"}, trials


@pytest.mark.slow
def test_twenty_random_maps_of_a_training_tile_compile_and_verify() -> None:
    target, model = load_target("d1-training-tile"), zoo.build("lenet", "tiny")
    for number in range(20):
        faulty = random_map(target, HARD, 11, number).applied(target)
        program = compile_model(model, Options(target=faulty)).program
        assert program is not None and program.classes[0].grid == (90, 95)
        report = verify(program)
        assert report.sound, report.findings[0]
