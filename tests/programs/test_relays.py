"""Programs whose exchanges are all relayed: the same at every level, and sound."""

from __future__ import annotations

import pytest
from program_levels import TARGETS, Lowered, assert_same, lower_module, sources

from dojocc.compiler import chosen_passes
from dojocc.dialects.context import DojoContext
from dojocc.dialects.tile import ExchangeOp
from dojocc.options import Options
from dojocc.passes.pipeline import PIPELINE
from dojocc.runtime.targets import load_target
from dojocc.runtime.verify import verify

NAMES = (
    "attention",
    "conv_3d",
    "embedding",
    "feed_forward",
    "long_rows",
    "movement",
    "split_heads",
)
ALWAYS: dict[str, dict[str, object]] = {"relay": {"worth": 1e9}}


def relayed(name: str, target: str) -> Lowered:
    (source,) = (each for each in sources() if each.name == name)
    context = DojoContext(target=load_target(TARGETS / f"{target}.toml"))
    return lower_module(context, source.read(context), source.inputs(), "bf16", ALWAYS)


@pytest.mark.parametrize("target", ["tiny", "tiny-holes"])
@pytest.mark.parametrize("name", NAMES)
def test_every_level_gives_the_same(name: str, target: str) -> None:
    found = relayed(name, target)
    assert any(isinstance(op, ExchangeOp) and op.relay for op in found.tile.module.walk())
    wanted = found.on_mesh()
    assert_same(found.on_tiles(), wanted, "the tile module")
    judged, _ = found.engine("reference", "exact")
    assert_same(judged, wanted, "the reference engine")
    exact, _ = found.engine("vector", "exact")
    assert_same(exact, judged, "the vector engine in exact mode")
    assert verify(found.program).findings == []


@pytest.mark.parametrize(("level", "relays"), [(2, False), (3, True)])
def test_relays_are_for_the_highest_level(level: int, relays: bool) -> None:
    options = Options(optimize=level)
    assert ("relay" in {each.name for each in chosen_passes(options, PIPELINE, None)}) is relays
