"""Einsum: diagonals, sums and products of two operands at a time."""

from __future__ import annotations

from math import prod

import numpy as np
from xdsl.ir import SSAValue

from dojocc.frontends.build import shape_of
from dojocc.frontends.onnx.node import Node, Refusal, handles

FREE = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@handles("Einsum")
def einsum(node: Node) -> SSAValue:
    """Operands are taken in from left to right; a letter goes as soon as nothing else has it."""
    node.need_float()
    terms, output = parsed(node)
    rows = [diagonal(node, node.weight(i), term) for i, term in enumerate(terms)]
    result, letters = rows[0]
    for number, (value, term) in enumerate(rows):
        later = set(output).union(*(term for _, term in rows[number + 1 :]))
        value, term = summed(node, value, term, later | (set(letters) if number else set()))
        if number == 0:
            result, letters = value, term
            continue
        result, letters = summed(node, result, letters, later | set(term))
        result, letters = product(node, (result, letters), (value, term), later)
    result, letters = summed(node, result, letters, set(output))
    return node.b.transpose(result, [letters.index(letter) for letter in output])


def parsed(node: Node) -> tuple[list[str], str]:
    """A term for each operand and one for the result; an ellipsis becomes letters of its own."""
    equation = node.attr("equation", "").replace(" ", "")
    inputs, arrow, output = equation.partition("->")
    terms = inputs.split(",")
    if len(terms) != node.count:
        raise Refusal(f"equation {equation!r} has {len(terms)} terms for {node.count} operands")
    spare = [letter for letter in FREE if letter not in equation]
    widest = 0
    for number, term in enumerate(terms):
        count = node.rank(number) - len(term.replace("...", "")) if "..." in term else 0
        if count < 0 or "..." not in term and len(term) != node.rank(number):
            raise Refusal(f"term {term!r} for an operand of rank {node.rank(number)}")
        widest = max(widest, count)
        terms[number] = term.replace("...", "".join(spare[:widest][widest - count :]))
    many = "".join(spare[:widest])
    if not arrow:  # then the letters that stand once, in order
        named = inputs.replace("...", "").replace(",", "")
        output = many + "".join(sorted(x for x in set(named) if named.count(x) == 1))
    output = output.replace("...", many)
    if len(set(output)) != len(output) or not set(output) <= set("".join(terms)):
        raise Refusal(f"equation {equation!r}: the result repeats or invents a letter")
    if any("..." in term and node.rank(i) == 0 for i, term in enumerate(terms)):
        raise Refusal(f"equation {equation!r} on a scalar")
    return terms, output


def diagonal(node: Node, x: SSAValue, term: str) -> tuple[SSAValue, str]:
    """Letters that an operand repeats are taken along the diagonal, as known places."""
    letters = "".join(dict.fromkeys(term))
    if len(letters) == len(term):
        return x, term
    shape = shape_of(x)
    places = np.einsum(f"{term}->{letters}", np.arange(prod(shape)).reshape(shape))
    flat = node.b.reshape(x, (prod(shape),))
    return node.b.take(flat, node.b.constant(places.astype(np.int32), "diagonal"), 0), letters


def summed(node: Node, x: SSAValue, term: str, needed: set[str]) -> tuple[SSAValue, str]:
    alone = [i for i, letter in enumerate(term) if letter not in needed]
    kept = "".join(letter for letter in term if letter in needed)
    return node.b.reduce("sum", x, alone, keep=False), kept


def product(
    node: Node, first: tuple[SSAValue, str], second: tuple[SSAValue, str], needed: set[str]
) -> tuple[SSAValue, str]:
    """One dot_general; letters that neither the result nor a later operand has are contracted."""
    (x, left), (y, right) = first, second
    batch = [letter for letter in left if letter in right and letter in needed]
    gone = [letter for letter in left if letter in right and letter not in needed]
    contract, batched = (
        ([left.index(letter) for letter in letters], [right.index(letter) for letter in letters])
        for letters in (gone, batch)
    )
    result = node.b.dot_general(x, y, contract, batched)
    free = [letter for term in (left, right) for letter in term if letter not in batch + gone]
    return result, "".join(batch + free)
