"""Every program of this folder means the same at every level, down to the instruction streams."""

from __future__ import annotations

import pytest
from program_levels import Source, assert_near, assert_same, lower, sources

BOUND = 1e-5
PRECISIONS = ("fp32", "bf16")


def cases() -> list[object]:
    """(program, precision, target) of every run; the slow ones are marked."""
    found = []
    for source in sources():
        targets = ["tiny", *(["tiny-holes"] if source.has("holes") else [])]
        marks = [pytest.mark.slow] if source.has("slow") else []
        for target in targets:
            for precision in PRECISIONS:
                name = f"{source.name}-{precision}-{target}"
                found.append(pytest.param(source, precision, target, id=name, marks=marks))
    return found


@pytest.mark.parametrize(("source", "precision", "target"), cases())
def test_every_level_gives_the_same(source: Source, precision: str, target: str) -> None:
    lowered = lower(source, precision, target)
    plain, wanted = lowered.plain(), lowered.machine_order()
    if precision == "fp32":
        assert_near(wanted, plain, BOUND, "the fused module")
    assert_same(lowered.on_mesh(), wanted, "the mesh module")
    assert_same(lowered.on_tiles(), wanted, "the tile module")
    judged, _ = lowered.engine("reference", "exact")
    assert_same(judged, wanted, "the reference engine")
    exact, counters = lowered.engine("vector", "exact")
    assert_same(exact, judged, "the vector engine in exact mode")
    assert counters.lifted_share > source.lifted, counters.reasons
    fast, counters = lowered.engine("vector", "fast")
    if precision == "fp32":
        assert_near(fast, exact, BOUND, "the vector engine in fast mode")
        assert_near(fast, plain, BOUND, "the machine and the model as imported")
    assert counters.lifted_share > source.lifted, counters.reasons


def test_the_folder_is_full() -> None:
    assert len(sources()) >= 25
