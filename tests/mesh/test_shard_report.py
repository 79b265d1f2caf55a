"""What the shard pass records of its choices: plain, compact, and true to the plan."""

from __future__ import annotations

import json

from mesh_cases import Model, bf16

from dojocc.passes.shard import Shard
from dojocc.passes.shard_report import SHOWN


def recorded():
    model = Model([(32, 64)], bf16)
    x = model.product("one", model.inputs[0], model.weight("w", (64, 96)))
    y = model.kernel("two", [x], lambda b, a: b("softmax", a, axis=0))
    module = model.finish(y)
    Shard().apply(model.context, module)
    return model.context.choices


def test_every_kernel_has_its_choice_first_and_runners_up() -> None:
    found = recorded()
    rows = [row for kernels in found.values() for row in kernels]
    assert len(rows) == 2
    for row in rows:
        assert 1 < len(row["choices"]) <= SHOWN
        others = [each["cycles"] for each in row["choices"][1:]]
        assert others == sorted(others)
        assert all(row["bound"] <= each["compute"] for each in row["choices"])


def test_parts_add_up_and_the_record_is_plain() -> None:
    found = recorded()
    assert json.loads(json.dumps(found)) == found
    for kernels in found.values():
        for row in kernels:
            for each in row["choices"]:
                parts = each["compute"] + each["movement"] + each["sram"]
                assert abs(each["cycles"] - parts) <= 2
