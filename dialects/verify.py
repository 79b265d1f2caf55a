"""Verify a module: each op by its own rules, dominance, and that every op says where it comes from.

Errors are short: the op, where it stands, what is wrong. xDSL's own print the whole module.
"""

from __future__ import annotations

from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation
from xdsl.traits import NoTerminator
from xdsl.utils.exceptions import VerifyException

from dojocc.dialects.dominance import dominance_violations
from dojocc.dialects.location import describe, without_location
from dojocc.dialects.op import NNOp
from dojocc.runtime.errors import DojoError

LISTED = 5


class InvalidModule(DojoError):
    """The module breaks a rule of the language: a fault of a pass, or of hand-written IR."""


Known = dict[Operation, tuple[object, ...]]
"""All that the verdict on an op depends on, by ops that were found right."""


def verify_module(module: ModuleOp, locations: bool = True, known: Known | None = None) -> None:
    """Raise InvalidModule unless well formed; with `locations` every op must carry its own.

    `known` remembers ops between runs: those that are as they were are not looked at again.
    """
    _verify_dominance(module)
    _verify_ops(module, {} if known is None else known)
    _verify_returns(module)
    if locations:
        _verify_locations(module)


def label(op: Operation) -> str:
    """`nn.add (%sum)`, as errors name an op."""
    hint = op.results[0].name_hint if op.results else None
    return f"{op.name} (%{hint})" if hint else op.name


def _verify_ops(module: ModuleOp, known: Known) -> None:
    """Each op by itself, outer ones first, so that xDSL wraps no error in another."""
    for op in module.walk():
        facts = _facts(op)
        if facts is not None and known.get(op) == facts:
            continue
        try:
            op.verify(verify_nested_ops=False)
        except (VerifyException, ValueError) as error:
            raise InvalidModule(
                f"{label(op)}: {_first_words(op, error)}", where=describe(op)
            ) from error
        if facts is not None:
            known[op] = facts
        if any(block.last_op is None for region in op.regions for block in region.blocks):
            _verify_empty(op)


def _facts(op: Operation) -> tuple[object, ...] | None:
    """What the rules of an nn op read, none of which looks past the op itself; None for others."""
    if not isinstance(op, NNOp) or op.regions:
        return None
    operands = tuple(op.operands)
    types = tuple(value.type for value in (*operands, *op.results))
    return (
        op.parent,
        operands,
        types,
        tuple(op.properties.items()),
        tuple(op.attributes.items()),
        op.next_op is None,
    )


def _first_words(op: Operation, error: Exception) -> str:
    """The error's own text, without any dump of the module and without the op's name twice."""
    text = str(error.args[0] if error.args else error).strip()
    return text.removeprefix(f"{op.name}: ")


def _verify_empty(op: Operation) -> None:
    if not op.has_trait(NoTerminator):
        raise InvalidModule(f"{label(op)}: holds an empty block", where=describe(op))


def _verify_returns(module: ModuleOp) -> None:
    for op in module.ops:
        if not isinstance(op, FuncOp) or op.is_declaration:
            continue
        last = op.get_return_op()
        if last is None:
            raise InvalidModule(
                f"function @{op.sym_name.data} does not end with func.return", where=describe(op)
            )


def _verify_dominance(module: ModuleOp) -> None:
    found = dominance_violations(module)
    if not found:
        return
    first = found[0]
    more = f"{len(found)} such uses in the module" if len(found) > 1 else None
    raise InvalidModule(
        f"{label(first.op)}: operand {first.operand} is not available: {first.why}",
        where=describe(first.op),
        numbers=more,
    )


def _verify_locations(module: ModuleOp) -> None:
    missing = without_location(module)
    if not missing:
        return
    names = ", ".join(label(op) for op in missing[:LISTED])
    raise InvalidModule(
        f"{len(missing)} ops carry no location: {names}{', ...' if len(missing) > LISTED else ''}",
        help="a pass that makes ops gives them the location of what they stand for",
    )
