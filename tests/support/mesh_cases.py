"""Small fused-form modules for the tests of sharding, and the mesh form run beside the nn form."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from xdsl.dialects.builtin import ModuleOp, TensorType, bf16, f32
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Attribute, Block, Region, SSAValue

from dojocc.dialects.context import DojoContext
from dojocc.dialects.function import make_function
from dojocc.dialects.interpret_mesh import run_mesh
from dojocc.dialects.interpret_nn import run_nn
from dojocc.dialects.nn.fused import FusedOp, YieldOp
from dojocc.dialects.numerics import MACHINE, PLAIN
from dojocc.dialects.op import OpList
from dojocc.dialects.types import tensor
from dojocc.passes.shard import Shard
from dojocc.runtime.targets import load_target

TINY = "tests/targets/tiny.toml"


class Model:
    """A function under construction; `element` is the type of values between kernels."""

    def __init__(
        self, inputs: Sequence[Sequence[int]], element: Attribute = bf16, target: str = TINY
    ) -> None:
        self.context = DojoContext(target=load_target(target))
        self.element = element
        self.block = Block(arg_types=[tensor(shape, element) for shape in inputs])
        self.random = np.random.default_rng(7)

    @property
    def inputs(self) -> Sequence[SSAValue]:
        return self.block.args

    def move(self, op: str, *operands: SSAValue, **properties) -> SSAValue:
        """A movement op, or a constant."""
        b = OpList(f"node '{op}'")
        value = b(op, *operands, **properties)
        self.block.add_ops(b.ops)
        return value

    def weight(self, name: str, shape: Sequence[int], data: bool = True) -> SSAValue:
        if data:
            self.context.resources[name] = self.random.standard_normal(shape, np.float32)
        return self.move("constant", resource=name, shape=shape, element_type=self.element)

    def kernel(
        self,
        name: str,
        operands: Sequence[SSAValue],
        build: Callable[..., SSAValue],
        element: Attribute | None = None,
    ) -> SSAValue:
        """A fused op whose region `build(b, *arguments)` fills."""
        types = [FusedOp.inner_type(value.type) for value in operands]  # pyright: ignore
        block = Block(arg_types=types)
        b = OpList(name)
        value = build(b, *block.args)
        block.add_ops([*b.ops, YieldOp.create(operands=[value])])
        result = tensor(value.type.get_shape(), element or self.element)  # pyright: ignore
        fused = FusedOp.make(operands, [result], Region(block), name)
        self.block.add_op(fused)
        return fused.results[0]

    def convolve(
        self,
        name: str,
        x: SSAValue,
        w: SSAValue,
        stride: int = 1,
        pad: int = 0,
        dilate: int = 1,
        groups: int = 1,
    ) -> SSAValue:
        return self.kernel(
            name,
            [x, w],
            lambda b, a, c: b(
                "convolution",
                a,
                c,
                strides=[stride] * 2,
                padding=[pad] * 4,
                lhs_dilation=[1, 1],
                rhs_dilation=[dilate] * 2,
                groups=groups,
                layout="nhwc",
            ),
        )

    def product(self, name: str, x: SSAValue, w: SSAValue, batch: int = 0) -> SSAValue:
        """Matrix product over the last dimension of x and the one after w's `batch` dimensions."""
        last = len(x.type.get_shape()) - 1  # pyright: ignore
        dims = list(range(batch))
        return self.kernel(
            name,
            [x, w],
            lambda b, a, c: b(
                "dot_general",
                a,
                c,
                lhs_batch=dims,
                rhs_batch=dims,
                lhs_contract=[last],
                rhs_contract=[batch],
            ),
        )

    def finish(self, *results: SSAValue) -> ModuleOp:
        self.block.add_op(ReturnOp(*results))
        names = [f"x{number}" for number in range(len(self.inputs))]
        outputs = [f"y{number}" for number in range(len(results))]
        module = ModuleOp([make_function(Region(self.block), names, outputs, list(results))])
        module.verify()
        return module


def arrays_for(module: ModuleOp, seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    function = next(iter(module.ops))
    types = function.function_type.inputs.data  # pyright: ignore
    return [random.standard_normal(type.get_shape(), np.float32) for type in types]


def shard_and_compare(model: Model, module: ModuleOp, sram_budget: int | None = None) -> None:
    """Shard in place; the mesh form must give the nn form's numbers, to the bit."""
    arrays = arrays_for(module)
    wanted = [run_nn(model.context, module, arrays, order) for order in (PLAIN, MACHINE)]
    Shard(sram_budget).apply(model.context, module)
    module.verify()
    found = [run_mesh(model.context, module, arrays, order) for order in (PLAIN, MACHINE)]
    for want, have in zip(wanted, found, strict=True):
        for name, array in want.items():
            np.testing.assert_array_equal(have[name], array)


def ops(module: ModuleOp, name: str) -> list:
    return [op for op in module.walk() if op.name == name]


def shape_of(value: SSAValue) -> tuple[int, ...]:
    assert isinstance(value.type, TensorType)
    return tuple(value.type.get_shape())


__all__ = ["TINY", "Model", "arrays_for", "bf16", "f32", "ops", "shape_of", "shard_and_compare"]
