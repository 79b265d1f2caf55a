"""What the nn passes share: walking function bodies, asking about values, replacing ops."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Operation, SSAValue

from dojocc.dialects.location import get_location
from dojocc.dialects.op import NNOp, OpList
from dojocc.passes.errors import PassBroken

JOIN = " + "
SWEEPS = 1000  # a chain of products may take one a step
Rule = Callable[[NNOp, OpList], SSAValue | None]


def functions(module: ModuleOp) -> list[FuncOp]:
    """The functions of a module that have a body, in order."""
    return [op for op in module.ops if isinstance(op, FuncOp) and op.body.blocks]


def bodies(module: ModuleOp) -> list[Block]:
    """The block of every function with a body."""
    return [function.body.block for function in functions(module)]


def nn_ops(block: Block) -> Iterator[NNOp]:
    """The nn ops of a block as it was at the start; ops erased meanwhile are left out."""
    for op in list(block.ops):
        if isinstance(op, NNOp) and op.parent is block:
            yield op


def returned(block: Block) -> tuple[SSAValue, ...]:
    """What the function gives back."""
    last = block.last_op
    return tuple(last.operands) if isinstance(last, ReturnOp) else ()


def shape(value: SSAValue) -> tuple[int, ...]:
    """The sizes of a tensor value."""
    assert isinstance(value.type, TensorType)
    return tuple(value.type.get_shape())


def element(value: SSAValue) -> Attribute:
    """The element type of a tensor value."""
    assert isinstance(value.type, TensorType)
    return value.type.element_type


def made_by(value: SSAValue, *names: str) -> NNOp | None:
    """The nn op that makes a value, if it has one of these short names (any, if none given)."""
    owner = value.owner
    if not isinstance(owner, NNOp) or (names and owner.short_name not in names):
        return None
    return owner


def users(value: SSAValue) -> list[Operation]:
    """The distinct ops that use a value."""
    return list(dict.fromkeys(use.operation for use in value.uses))


def used_once(value: SSAValue) -> bool:
    """True where exactly one operand reads the value."""
    return value.has_one_use()


def is_elementwise(op: Operation) -> bool:
    """An op whose result element i depends on operand elements i alone."""
    return isinstance(op, NNOp) and op.FUSIBLE == "elementwise"


def replace(op: NNOp, b: OpList, *values: SSAValue) -> None:
    """Put the list's ops before `op`, let `values` stand for its results, and erase it."""
    block = op.parent
    assert block is not None
    if b.ops:
        block.insert_ops_before(b.ops, op)
        b.ops = []
    for result, value in zip(op.results, values, strict=True):
        if value.name_hint is None and result.name_hint is not None and value.owner is not block:
            value.name_hint = result.name_hint
        result.replace_all_uses_with(value)
    block.erase_op(op)


def remove_dead(block: Block) -> bool:
    """Erase nn ops nothing uses, users first; every nn op is free of side effects."""
    changed = False
    for op in reversed(list(block.ops)):
        if isinstance(op, NNOp) and all(not result.uses for result in op.results):
            if op.FUSIBLE == "structure" and not op.results:
                continue  # a terminator
            block.erase_op(op)
            changed = True
    return changed


def joined_location(ops: Iterable[Operation], limit: int = 3) -> str | None:
    """One location for an op made of several; those that were joined before are not named twice."""
    texts = [text for text in map(get_location, ops) if text]
    parts = list(dict.fromkeys(part for text in texts for part in text.split(JOIN)))
    if not parts:
        return None
    more = f" and {len(parts) - limit} more" if len(parts) > limit else ""
    return JOIN.join(parts[:limit]) + more


def apply_rules(block: Block, rules: Mapping[str, Sequence[Rule]]) -> bool:
    """One sweep: each op is offered to the rules of its short name and of its FUSIBLE class."""
    changed = False
    for op in nn_ops(block):
        for rule in (*rules.get(op.short_name, ()), *rules.get(f"*{op.FUSIBLE}", ())):
            b = OpList.like(op)
            value = rule(op, b)
            if value is not None:
                replace(op, b, value)
                changed = True
                break
    return changed


def rewrite(block: Block, rules: Mapping[str, Sequence[Rule]], name: str) -> None:
    """Sweeps of the rules of pass `name` until nothing changes; PassBroken if they do not end."""
    for _ in range(SWEEPS):
        if not apply_rules(block, rules):
            return
        remove_dead(block)
    raise PassBroken(f"{name}: the rules do not come to an end", numbers=f"{SWEEPS} sweeps")


def inverse(permutation: Sequence[int]) -> tuple[int, ...]:
    """The permutation that undoes one."""
    result = [0] * len(permutation)
    for place, source in enumerate(permutation):
        result[source] = place
    return tuple(result)


def permuted(values: Sequence[int], permutation: Sequence[int]) -> tuple[int, ...]:
    """`values` in the order a transpose with this permutation puts its dims."""
    return tuple(values[source] for source in permutation)
