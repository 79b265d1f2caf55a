"""choose-stores: says which values of a model that is trained are stored in narrow formats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xdsl.dialects.builtin import ModuleOp, f32
from xdsl.ir import BlockArgument, SSAValue

from dojocc.dialects.context import DojoContext
from dojocc.dialects.function import input_names, main_function
from dojocc.dialects.location import get_location
from dojocc.dialects.nn import StoredAsOp
from dojocc.dialects.nn.rounding import AS_IT_IS, NARROW
from dojocc.dialects.op import NNOp, OpList
from dojocc.passes.base import SAME, Pass
from dojocc.passes.errors import PipelineError
from dojocc.passes.rewriting import element, made_by, nn_ops

PRODUCTS = ("dot_general", "convolution")


@dataclass(frozen=True)
class ChooseStores(Pass):
    """Mark what products read, and what is sent back to them.

    Takes: nn, before differentiate.
    Leaves: nn, with an nn.stored_as behind each marked value.
    How: each operand of a dot_general or convolution is read through one nn.stored_as in `forward`,
      however many products read it, so that the backward pass multiplies by the same rounded
      numbers; each result goes on through one that rounds nothing but what is sent back, in
      `backward`. A marked tensor is named after its input, or after the op that makes it, with a
      number where several ops have one name. Without `forward` and `backward` nothing is marked.
    Fails: PipelineError for a format that does not exist.
    """

    name: ClassVar[str] = "choose-stores"
    takes: ClassVar[str] = "nn"
    leaves: ClassVar[str] = SAME

    forward: str = AS_IT_IS
    backward: str = AS_IT_IS

    def __post_init__(self) -> None:
        for format in (self.forward, self.backward):
            if format not in (*NARROW, AS_IT_IS):
                raise PipelineError(
                    f"choose-stores: there is no format '{format}'",
                    help=f"it is one of {', '.join((*NARROW, AS_IT_IS))}",
                )

    def apply(self, ctx: DojoContext, op: ModuleOp) -> None:
        if self.forward == self.backward == AS_IT_IS:
            return
        function = main_function(op)
        names = Names(input_names(function))
        marked: dict[SSAValue, SSAValue] = {}
        for product in list(nn_ops(function.body.block)):
            if product.short_name not in PRODUCTS or element(product.results[0]) != f32:
                continue
            for number, value in enumerate(list(product.operands)):
                if value not in marked:
                    marked[value] = self.read_through(product, value, names)
                product.operands[number] = marked[value]
            self.sent_back_through(product, names)

    def read_through(self, product: NNOp, value: SSAValue, names: Names) -> SSAValue:
        """The value as products read it; what goes back to it is summed up unrounded."""
        b = OpList.like(product)
        name = names.of(value)
        stored = b("stored_as", value, tensor=name, format=self.forward, backward=AS_IT_IS)
        home = product.parent
        assert home is not None
        home.insert_ops_before(b.ops, product)
        return stored

    def sent_back_through(self, product: NNOp, names: Names) -> None:
        """What follows reads the result through a mark of what is sent back."""
        b = OpList.like(product)
        result = product.results[0]
        name = names.of(result)
        marked = b("stored_as", result, tensor=name, format=AS_IT_IS, backward=self.backward)
        home = product.parent
        assert home is not None
        home.insert_ops_after(b.ops, product)
        result.replace_uses_with_if(marked, lambda use: use.operation is not b.ops[0])


class Names:
    """A name for each value, no two alike."""

    def __init__(self, inputs: list[str]) -> None:
        self.inputs = inputs
        self.given: dict[str, int] = {}

    def of(self, value: SSAValue) -> str:
        behind = made_by(value, "stored_as")
        if isinstance(behind, StoredAsOp):  # a product of a product: the first's result
            value = behind.x
        if isinstance(value, BlockArgument):
            plain = self.inputs[value.index]
        else:
            owner = value.owner
            assert isinstance(owner, NNOp)
            plain = get_location(owner) or owner.short_name
        count = self.given.get(plain, 0)
        self.given[plain] = count + 1
        return f"{plain} #{count + 1}" if count else plain
