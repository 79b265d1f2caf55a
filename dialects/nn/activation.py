"""Activation functions: each is a formula over simpler element-wise ops, written once.

The formula is run on arrays for the reference and on a builder for the decomposition, so that both
round at the same places.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from xdsl.dialects.builtin import TensorType, f32
from xdsl.ir import SSAValue
from xdsl.irdl import prop_def

from dojocc.dialects.nn.elementwise import Unary
from dojocc.dialects.nn.rules import require, require_float, require_word
from dojocc.dialects.numerics import Numerics
from dojocc.dialects.op import OpList, Types, nn_op
from dojocc.dialects.properties import FLOAT, WORD
from dojocc.dialects.types import tensor
from dojocc.dialects.nn.fused import evaluate


class Activation(Unary):
    """An element-wise composite of one operand."""

    COMPOSITE: ClassVar[bool] = True

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        require_float(cls.name, types[0])
        return [tensor(types[0].get_shape(), types[0].element_type)]

    def formula(self, b: OpList, x: SSAValue) -> SSAValue:
        """The value, from simpler ops."""
        raise NotImplementedError(self.name)

    def decompose(self, b: OpList) -> SSAValue | None:
        return self.formula(b, self.x)
