"""Nodes fill an exchange's destination with zeros where its segments leave pads unwritten, and no
others do."""

from __future__ import annotations

import numpy as np
import pytest
from program_levels import assert_same, lower, sources

from dojocc.dialects.tile import ExchangeOp
from dojocc.runtime.verify import verify


@pytest.mark.parametrize("name", ["conv_stride", "feed_forward", "long_rows", "movement"])
def test_only_nodes_with_unwritten_pads_clear(name: str) -> None:
    found = lower(next(each for each in sources() if each.name == name), "bf16", "tiny")
    nodes = 6
    for op in found.tile.module.walk():
        if not isinstance(op, ExchangeOp) or op.bare is None:
            continue
        assert op.zero_fill is not None
        table = found.tile.context.resources[op.bare.data]
        assert table.shape == (nodes,) and set(table.tolist()) == {0, 1}
    assert_same(found.on_tiles(), found.on_mesh(), "the tile module")
    assert verify(found.program).findings == []


def test_a_program_has_nodes_that_need_not_clear() -> None:
    """Blocks at an edge are short of a whole one; those inside are not."""
    tables = []
    for source in sources():
        if source.name in ("conv_stride", "feed_forward", "long_rows", "movement", "attention"):
            found = lower(source, "bf16", "tiny")
            tables += [
                found.tile.context.resources[op.bare.data]
                for op in found.tile.module.walk()
                if isinstance(op, ExchangeOp) and op.bare is not None
            ]
    assert tables and all(0 < np.mean(table) < 1 for table in tables)
