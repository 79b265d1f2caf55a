"""A kernel whose operand lacks what it reads is found, statically and by poison."""

from __future__ import annotations

import numpy as np
import pytest
from mesh_cases import Model, arrays_for, f32, ops
from xdsl.rewriter import Rewriter
from xdsl.utils.exceptions import VerifyException

from dojocc.dialects import interpret_mesh
from dojocc.dialects.interpret_mesh import run_mesh
from dojocc.dialects.mesh import layout_of, with_layout
from dojocc.dialects.mesh_verify import verify_layouts
from dojocc.passes.shard import Shard
from dojocc.runtime.errors import InputError
from dojocc.runtime.layout import DimShard, Layout


def without_halo():
    """A sharded convolution whose input lost its halo."""
    model = Model([(1, 12, 12, 16)], f32)
    y = model.convolve("conv", model.inputs[0], model.weight("w", (3, 3, 16, 16)), 1, 1)
    module = model.finish(y)
    Shard().apply(model.context, module)
    (fused,) = ops(module, "nn.fused")
    held = layout_of(fused.operands[0])
    dims = tuple(
        DimShard(dim.axes, dim.step, 0, dim.step, dim.step) if dim.axes else dim
        for dim in held.dims
    )
    assert dims != held.dims
    cut = Layout(held.shape, dims, held.fmt, held.grid)
    value = fused.operands[0]
    Rewriter.replace_value_with_new_type(value, with_layout(value.type, cut))
    return model, module


def test_a_missing_halo_is_named() -> None:
    _, module = without_halo()
    with pytest.raises(
        VerifyException, match=r"nn.fused \(conv\): node 0 needs .* operand 0's dim"
    ):
        verify_layouts(module)


def test_poison_finds_it_without_the_static_check(monkeypatch) -> None:
    model, module = without_halo()
    monkeypatch.setattr(interpret_mesh, "verify_layouts", lambda module: None)
    with pytest.raises(
        InputError, match="nn.fused needs elements that node 0 does not hold"
    ) as error:
        run_mesh(model.context, module, arrays_for(module))
    assert error.value.where == "conv" and "are poison" in str(error.value)


def test_a_value_without_layout_is_found() -> None:
    model = Model([(4, 16)], f32)
    module = model.finish(model.kernel("abs", [model.inputs[0]], lambda b, a: b("abs", a)))
    with pytest.raises(VerifyException, match="has no layout"):
        verify_layouts(module)


def test_replicas_that_disagree_are_found() -> None:
    layout = Layout((4,), (DimShard((), 0, 0, 4, 16),), "FP32", (2, 3))
    parts = interpret_mesh.Parts.cut(np.arange(4, dtype=np.float32), layout)
    parts.boxes[5] = parts.boxes[5] + 1
    with pytest.raises(InputError, match="node 5 disagrees with another holder"):
        parts.joined(np.dtype(np.float32), "here")
