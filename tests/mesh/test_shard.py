"""The shard pass: layouts follow the ops' maps, movement becomes exchanges, numbers stay."""

from __future__ import annotations

import numpy as np
import pytest
from mesh_cases import Model, bf16, f32, ops, shard_and_compare

from dojocc.dialects.mesh import layout_of
from dojocc.dialects.printing import parse_module, print_module
from dojocc.dialects.types import dense_of
from dojocc.passes.shard import Shard
from dojocc.runtime.errors import DoesNotFit, UsageError


def _dense(value: float):
    return dense_of(np.float32(value))


def whole_dims(value) -> list[bool]:
    layout = layout_of(value)
    return [
        not dim.axes and dim.extent == size
        for dim, size in zip(layout.dims, layout.shape, strict=True)
    ]


@pytest.mark.parametrize(
    ("stride", "pad", "dilate", "width"),
    [(1, 1, 1, 3), (2, 1, 1, 3), (2, 3, 1, 7), (1, 2, 2, 3), (1, 0, 1, 1), (2, 0, 1, 1)],
)
@pytest.mark.parametrize("element", [bf16, f32])
def test_convolutions_get_halos(stride, pad, dilate, width, element) -> None:
    model = Model([(1, 17, 15, 5)], element)
    weight = model.weight("w", (width, width, 5, 24))
    module = model.finish(model.convolve("conv", model.inputs[0], weight, stride, pad, dilate))
    shard_and_compare(model, module)
    (fused,) = ops(module, "nn.fused")
    result, source = layout_of(fused.results[0]), layout_of(fused.operands[0])
    assert any(dim.axes for dim in result.dims)
    for dim in (1, 2):
        if result.dims[dim].axes:
            block = result.dims[dim].extent
            assert source.dims[dim].axes == result.dims[dim].axes
            assert source.dims[dim].step == block * stride
            assert source.dims[dim].offset == -pad
            assert source.dims[dim].extent >= (block - 1) * stride + (width - 1) * dilate + 1
    assert not ops(module, "mesh.exchange")  # the host writes what the kernel wants
    assert whole_dims(fused.operands[0])[3] and whole_dims(fused.operands[1])[2]


def test_physical_sizes_of_a_matrix_convolution() -> None:
    model = Model([(1, 12, 13, 3)])
    module = model.finish(
        model.convolve("c", model.inputs[0], model.weight("w", (3, 3, 3, 24)), 1, 1)
    )
    Shard().apply(model.context, module)
    (fused,) = ops(module, "nn.fused")
    source, weight, result = (layout_of(v) for v in (*fused.operands, fused.results[0]))
    assert source.physical[-1] == 16 and weight.physical[2] == 4
    assert weight.physical[3] % 8 == 0 and weight.physical[3] == weight.dims[3].extent
    assert result.physical[-1] % 16 == 0 and result.physical[-2] % 8 == 0


@pytest.mark.parametrize("element", [bf16, f32])
def test_attention_block(element) -> None:
    model = Model([(1, 10, 32)], element)
    x = model.inputs[0]
    heads = []
    for name in "qkv":
        y = model.product(name, x, model.weight(name, (32, 32)))
        y = model.move("reshape", y, shape=(1, 10, 4, 8))
        order = [0, 2, 3, 1] if name == "k" else [0, 2, 1, 3]
        heads.append(model.move("transpose", y, permutation=order))
    scores = model.product("scores", heads[0], heads[1], batch=2)
    weights = model.kernel("softmax", [scores], lambda b, a: b("softmax", a, axis=3))
    mixed = model.product("mix", weights, heads[2], batch=2)
    mixed = model.move("transpose", mixed, permutation=[0, 2, 1, 3])
    mixed = model.move("reshape", mixed, shape=(1, 10, 32))
    module = model.finish(model.product("out", mixed, model.weight("o", (32, 32))))
    shard_and_compare(model, module)
    softmax = next(op for op in ops(module, "nn.fused") if op.root().name == "nn.softmax")
    assert whole_dims(softmax.operands[0])[3]
    mix = ops(module, "nn.fused")[-2]
    rows = next(op for op in ops(module, "mesh.exchange") if op.result is mix.operands[1])
    if element == bf16:  # ten contraction rows: two more are zero
        assert layout_of(rows.result).physical[2] == 12
        assert tuple(rows.zero_dims.get_values()) == (2, 3)
    text = print_module(module)
    assert print_module(parse_module(model.context, text)) == text


def test_a_chain_of_movement_is_one_exchange() -> None:
    model = Model([(4, 12)], f32)
    y = model.kernel("abs", [model.inputs[0]], lambda b, a: b("abs", a))
    zero = model.move("constant", value=_dense(0.0))
    y = model.move("pad", y, zero, low=[1, 0], high=[0, 3], interior=[0, 1])
    y = model.move("reverse", y, dims=[1])
    y = model.move("slice", y, start=[0, 1], limit=[5, 25], strides=[1, 2])
    y = model.move("concatenate", y, model.inputs[0], dim=0)
    module = model.finish(model.kernel("neg", [y], lambda b, a: b("negate", a)))
    shard_and_compare(model, module)
    (exchange,) = ops(module, "mesh.exchange")
    assert exchange.kind.data == "move" and len(exchange.operands) == 2
    assert exchange.bytes.value.data > 0 and exchange.cycles.value.data > 0


def test_padding_with_another_value_takes_it_from_a_constant() -> None:
    model = Model([(4, 12)], f32)
    two = model.move("constant", value=_dense(2.0))
    y = model.move("pad", model.inputs[0], two, low=[1, 2], high=[1, 0], interior=[0, 0])
    module = model.finish(model.kernel("neg", [y], lambda b, a: b("negate", a)))
    shard_and_compare(model, module)
    assert len(ops(module, "mesh.exchange")[0].operands) == 2


def test_an_input_wanted_in_two_layouts_is_exchanged_from_the_first() -> None:
    model = Model([(64, 64)])
    x = model.inputs[0]
    one, two = (
        model.kernel(name, [x], lambda b, a, axis=axis: b("softmax", a, axis=axis))
        for axis, name in enumerate(("down", "across"))
    )
    module = model.finish(one, two)
    shard_and_compare(model, module)
    first, second = ops(module, "nn.fused")
    assert first.operands[0] is next(iter(module.ops)).body.block.args[0]
    (exchange,) = ops(module, "mesh.exchange")
    assert exchange.operands[0] is first.operands[0] and second.operands[0] is exchange.result


def test_results_may_be_inputs_constants_and_movement() -> None:
    model = Model([(6, 40)], f32)
    moved = model.move("transpose", model.inputs[0], permutation=[1, 0])
    module = model.finish(model.inputs[0], model.weight("w", (6, 48)), moved)
    shard_and_compare(model, module)
    returned = list(next(iter(module.ops)).body.block.last_op.operands)
    assert all(any(dim.axes for dim in layout_of(value).dims) for value in returned)


@pytest.mark.parametrize(("groups", "outputs"), [(24, 24), (3, 48), (2, 6)])
def test_grouped_convolutions(groups, outputs) -> None:
    model = Model([(1, 9, 10, 24)])
    weight = model.weight("w", (3, 3, 24 // groups, outputs))
    y = model.convolve("c", model.inputs[0], weight, 1, 1, groups=groups)
    shard_and_compare(model, model.finish(y))


def test_reductions_residuals_and_takes() -> None:
    model = Model([(1, 12, 12, 16), (20,)], f32)
    x, row = model.inputs
    y = model.kernel(
        "pool",
        [x],
        lambda b, a: b(
            "reduce_window",
            a,
            kind="max",
            window=[1, 3, 3, 1],
            strides=[1, 2, 2, 1],
            padding=[0, 0, 1, 1, 1, 1, 0, 0],
            dilation=[1, 1, 1, 1],
        ),
    )
    scale = model.weight("scale", (16,))
    z = model.kernel(
        "scale",
        [y, scale, y],
        lambda b, a, s, r: b("add", b("multiply", a, b.broadcast(s, (1, 6, 6, 16), (3,))), r),
    )
    mean = model.kernel("mean", [z], lambda b, a: b("reduce", a, kind="mean", dims=[1, 2]))
    softmax = model.kernel("softmax", [row], lambda b, a: b("softmax", a, axis=0))
    shard_and_compare(model, model.finish(mean, z, softmax))


def test_a_small_budget_keeps_constants_spread() -> None:
    model = Model([(8, 64)])
    x = model.inputs[0]
    for number in range(12):
        x = model.product(f"layer {number}", x, model.weight(f"w{number}", (64, 64)))
    module = model.finish(x)
    shard_and_compare(model, module, sram_budget=22_000)
    brought = [
        op for op in ops(module, "mesh.exchange") if op.operands[0].owner.name == "nn.constant"
    ]
    assert brought
    spread = layout_of(brought[0].operands[0])
    assert spread.bytes < layout_of(brought[0].result).bytes


def test_too_large_a_model_is_reported() -> None:
    model = Model([(8, 512)], f32)
    x = model.product("first", model.inputs[0], model.weight("big", (512, 4096)))
    module = model.finish(model.product("second", x, model.weight("small", (4096, 16))))
    before = print_module(module)
    with pytest.raises(DoesNotFit) as error:
        Shard(400_000).apply(model.context, module)
    text = str(error.value)
    assert "does not fit the SRAM of 6 nodes" in text and "B too much" in text
    assert "big 1," in text and "(constant)" in text and "have 400,000" in text
    assert "where: at " in text and "help: dojocc compile plans the model again" in text
    assert print_module(module) == before


def test_the_pass_needs_a_target() -> None:
    model = Model([(8, 16)])
    module = model.finish(model.inputs[0])
    model.context.target = None
    with pytest.raises(UsageError, match="the shard pass needs a target"):
        Shard().apply(model.context, module)


def test_the_same_module_shards_the_same_way() -> None:
    texts = []
    for _ in range(2):
        model = Model([(1, 12, 14, 3)])
        y = model.convolve("a", model.inputs[0], model.weight("w", (3, 3, 3, 32)), 1, 1)
        y = model.convolve("b", y, model.weight("v", (3, 3, 32, 16)), 2, 1)
        module = model.finish(y)
        Shard().apply(model.context, module)
        texts.append(print_module(module))
    assert texts[0] == texts[1]
