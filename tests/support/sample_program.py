"""A small program with one of everything, for the tests of the program file."""

from pathlib import Path
from typing import Any

import numpy as np

from dojocc.runtime.formats import encode
from dojocc.runtime.layout import DimShard, Layout, whole
from dojocc.runtime.lists import LIST_DTYPE
from dojocc.runtime.program import DramImage, Image, Mark, Port, Program, ProgramClass
from dojocc.runtime.targets import load_target

ROOT = Path(__file__).parents[2]
TINY = ROOT / "tests" / "targets" / "tiny.toml"
LAYOUT = Layout((4, 16), (DimShard(("row",), 2, 0, 2, 2), whole(16)), "BF16", (2, 3))


def list_entry(**fields):
    row = np.zeros(1, LIST_DTYPE)
    row["bytes"] = row["count0"] = row["count1"] = 1
    row["peers"] = row["peer_stride"] = 1
    row["repeat0"] = row["repeat1"] = row["repeat2"] = 1
    row["far_sem"] = row["home_sem"] = 255
    for name, value in fields.items():
        row[name] = value
    return row


def make_program(**changes):
    draw = np.random.default_rng(0)
    values = draw.normal(size=(4, 16)).astype(np.float32)
    code = np.arange(12, dtype=np.uint32)
    fields: dict[str, Any] = dict(
        target=load_target(TINY),
        classes=(
            ProgramClass(
                "grid", np.arange(6), (2, 3), code, (0, 6, -1, -1),
                np.full(12, -1, np.int32), (("kernel", 2, 5),),
            ),
        ),
        images=(
            Image("weights", "grid", 0, LAYOUT, "w"),
            Image("codes", "grid", 64, LAYOUT, "codes"),
        ),
        inputs=(Port("x", "grid", 128, LAYOUT, "float32", (4, 16), "x"),),
        outputs=(Port("y", "grid", 256, LAYOUT, "float32", (4, 16)),),
        tensors={"w": values, "codes": encode(values, "BF16"), "table": np.zeros((0, 3), np.int8)},
        lists=np.concatenate([list_entry(node=1, peer=3), list_entry(list=1, kind=2, dst=64)]),
        marks=(Mark("convolution", "node 'Conv_0' (Conv)"),),
        build={"version": "0.1.0", "options": {"b": [1, None, 2.5], "a": True}},
        dram=(DramImage("spill", 0, 4096, "w"),),
    )  # fmt: skip
    return Program(**(fields | changes))
