"""What the nn passes make of whole models: how many kernels, with what in them."""

from __future__ import annotations

from collections import Counter

import numpy as np
from xdsl.dialects.builtin import ModuleOp, bf16
from zoo_models import zoo

from dojocc.dialects.context import DojoContext
from dojocc.dialects.nn import ConvolutionOp, FusedOp
from dojocc.frontends.onnx.importer import import_onnx
from dojocc.passes.fuse_groups import computes
from dojocc.passes.pipeline import NN_PIPELINE, default_passes, run_pipeline
from dojocc.passes.rewriting import bodies, element, shape


def compiled(name: str, size: str = "tiny") -> ModuleOp:
    ctx = DojoContext()
    module = import_onnx(zoo.build(name, size), ctx)
    run_pipeline(ctx, module, default_passes(NN_PIPELINE))
    return module


def kernels(module: ModuleOp) -> list[FusedOp]:
    return [op for block in bodies(module) for op in block.ops if isinstance(op, FusedOp)]


def names(fused: FusedOp) -> list[str]:
    """The computing ops of a region, in order."""
    return [op.name.removeprefix("nn.") for op in fused.inner_ops if computes(op)]


def movements(module: ModuleOp) -> list[str]:
    """Movement ops between regions, by name."""
    found = (op.name for block in bodies(module) for op in block.ops)
    inside = {"nn.fused", "nn.constant", "func.return"}
    return [name.removeprefix("nn.") for name in found if name not in inside]


def test_resnet_is_one_kernel_for_each_convolution() -> None:
    module = compiled("resnet50", "paper")
    found = Counter(" ".join(names(fused)) for fused in kernels(module))
    assert found == {
        "convolution add": 4,  # shortcuts
        "convolution add maximum": 33,
        "convolution add add maximum": 16,  # the residual sum and its relu
        "reduce_window": 1,
        "reduce": 1,
        "dot_general add": 1,
    }


def test_resnet_moves_nothing_but_its_input_and_what_strides_skip() -> None:
    module = compiled("resnet50", "paper")
    assert Counter(movements(module)) == {"transpose": 1, "slice": 3}


def test_convolutions_read_bf16_weights_in_hwio() -> None:
    for fused in kernels(compiled("squeezenet")):
        root = fused.root()
        if not isinstance(root, ConvolutionOp):
            continue
        assert root.p.layout == "nhwc"
        weights = fused.operands[root.operands[1].index]  # pyright: ignore[reportAttributeAccessIssue]
        assert element(weights) == bf16
        assert shape(weights)[-1] == shape(fused.results[0])[-1]


def test_a_transformer_block_is_products_norms_and_softmax() -> None:
    for name in ("transformer", "transformer_decomposed"):
        found = [names(fused) for fused in kernels(compiled(name))]
        roots = Counter(ops[0] for ops in found)
        assert roots == {"dot_general": 8, "softmax": 1, "layer_norm": 2}, name
        assert ["dot_general", "multiply"] in found  # scores and their scale
        assert sum("erf" in ops for ops in found) == 1  # GELU behind its product


def test_the_causal_mask_joins_the_scores() -> None:
    found = [names(fused) for fused in kernels(compiled("gpt"))]
    assert ["dot_general", "multiply", "select"] in found
    assert ["take", "add"] in found


def test_regions_hold_at_most_one_root_and_stay_within_the_limits() -> None:
    single = ("contraction", "window", "reduction", "row", "indexing")
    for name in zoo.MODELS:
        for fused in kernels(compiled(name)):
            roots = [op for op in fused.inner_ops if getattr(op, "FUSIBLE", "") in single]
            assert len(roots) <= 1
            assert len(fused.operands) <= 10 and len(names(fused)) <= 24


def test_weights_that_are_not_read_are_forgotten() -> None:
    ctx = DojoContext()
    module = import_onnx(zoo.build("resnet50", "tiny"), ctx)
    before = sum(array.size for array in ctx.resources.values())
    run_pipeline(ctx, module, default_passes(NN_PIPELINE))
    after = sum(array.size for array in ctx.resources.values())
    assert after <= before
    assert all(np.isfinite(array).all() for array in ctx.resources.values())
