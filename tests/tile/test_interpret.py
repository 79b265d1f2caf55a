"""The reference run of tile modules: schedules, exchanges, and stores that leave their buffer."""

from __future__ import annotations

import numpy as np
import pytest

from dojocc.dialects.context import DojoContext
from dojocc.dialects.interpret_tile import run_tile
from dojocc.dialects.printing import parse_module
from dojocc.passes.solve.exchange import exchange_table, identity
from dojocc.runtime.errors import InputError, MachineStop
from dojocc.runtime.layout import DimShard, Layout, whole

LAYOUT = "#mesh.layout<FP32, grid 2 x 3, [6 by row step 3, 32]>"
OTHER = "#mesh.layout<FP32, grid 2 x 3, [6 by row col step 1, 32]>"
COPY = """
tile.kernel @negate {{
^bb0(%to: memref<3x32xf32>, %from: memref<3x32xf32>, %rows: index):
  tile.for level 0 upto %rows {{
    tile.for level 1 times {blocks} {{
      %v = tile.load %from granules 1 as "FP32" <strides [128, 64, 0, 0, 0, 0]> : memref<3x32xf32>
      %n = tile.vector "vneg" %v : !tile.vec -> !tile.vec
      tile.store %n to %to granules 1 as "FP32" <strides [128, 64, 0, 0, 0, 0]> : memref<3x32xf32>
    }}
  }}
}}
tile.program @main grid [2, 3] {{
  %x = tile.alloc "x" layout {layout} : memref<3x32xf32>
  tile.input %x from "x" "float32" [6, 32] : memref<3x32xf32>
  %y = tile.alloc "y" layout {layout} : memref<3x32xf32>
  tile.call @negate(%y, %x) scalars ["rows"] : memref<3x32xf32>, memref<3x32xf32>
  %z = tile.alloc "z" layout {other} : memref<1x32xf32>
  tile.exchange 0 %y to %z by "seg" bytes 0 cycles 0 : memref<3x32xf32> to memref<1x32xf32>
  tile.output %z to "z" "float32" [6, 32] : memref<1x32xf32>
}}
"""
X = np.arange(192, dtype=np.float32).reshape(6, 32)


def run(blocks: int = 2, rows: tuple[int, ...] = (3,) * 6, name: str = "x") -> np.ndarray:
    last = whole(32)
    source = Layout((6, 32), (DimShard(("row",), 3, 0, 3, 3), last), "FP32", (2, 3))
    target = Layout((6, 32), (DimShard(("row", "col"), 1, 0, 1, 1), last), "FP32", (2, 3))
    table = exchange_table(target, (source,), identity(target))
    text = COPY.format(blocks=blocks, layout=LAYOUT, other=OTHER)
    module = parse_module(DojoContext(), text)
    module.verify()
    resources = {"rows": np.array(rows, np.int32), "seg": table}
    return run_tile(module, {name: X}, resources).outputs["z"]


def test_a_kernel_and_an_exchange() -> None:
    np.testing.assert_array_equal(run(), -X)


def test_trip_counts_differ_by_node() -> None:
    """Nodes of the first row stop after one of their three rows: the others stay unwritten."""
    found = run(rows=(1, 1, 1, 3, 3, 3))
    np.testing.assert_array_equal(found[[0, 3, 4, 5]], -X[[0, 3, 4, 5]])
    assert np.isnan(found[1:3]).all()


def test_a_store_past_the_buffer_stops_the_run() -> None:
    with pytest.raises(MachineStop, match="past the end of its buffer"):
        run(blocks=3)


def test_a_missing_input_is_named() -> None:
    with pytest.raises(InputError, match="no input 'x'"):
        run(name="wrong")
