"""Programs whose exchanges are all relayed: the same at every level, and sound."""

from __future__ import annotations

import pytest
from program_levels import TARGETS, Lowered, assert_same, lower_module, sources

from dojocc.compiler import chosen_passes
from dojocc.dialects.context import DojoContext
from dojocc.dialects.tile import ExchangeOp
from dojocc.options import Options
from dojocc.passes.pipeline import PIPELINE
from dojocc.passes.solve import relay_choice, relay_estimate
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


def same_at_every_level(found: Lowered) -> None:
    assert any(isinstance(op, ExchangeOp) and op.relay for op in found.tile.module.walk())
    wanted = found.on_mesh()
    assert_same(found.on_tiles(), wanted, "the tile module")
    judged, _ = found.engine("reference", "exact")
    assert_same(judged, wanted, "the reference engine")
    exact, _ = found.engine("vector", "exact")
    assert_same(exact, judged, "the vector engine in exact mode")
    assert verify(found.program).findings == []


@pytest.mark.parametrize("target", ["tiny", "tiny-holes"])
@pytest.mark.parametrize("name", NAMES)
def test_every_level_gives_the_same(name: str, target: str) -> None:
    same_at_every_level(relayed(name, target))


@pytest.mark.parametrize("name", ["attention", "feed_forward", "movement"])
def test_every_level_gives_the_same_where_rows_are_gone_along_in_parts(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on long rows, in which few steps save more than short ways."""
    offered, cut = relay_choice.all_plans, []

    def in_parts(groups: relay_choice.Groups) -> list[relay_choice.Plan]:
        plans = offered(groups)
        parted = [plan for plan in plans if plan.parts != (1, 1)]
        cut.extend(parted)
        return parted or plans

    monkeypatch.setattr(relay_estimate, "LONG", 4)
    monkeypatch.setattr(relay_choice, "all_plans", in_parts)
    same_at_every_level(relayed(name, "tiny-row"))
    assert cut


@pytest.mark.parametrize(("level", "relays"), [(2, False), (3, True)])
def test_relays_are_for_the_highest_level(level: int, relays: bool) -> None:
    options = Options(optimize=level)
    assert ("relay" in {each.name for each in chosen_passes(options, PIPELINE, None)}) is relays
