"""Values from nothing: constants, ranges; and checks that leave nothing to run."""

from __future__ import annotations

import numpy as np
from xdsl.ir import SSAValue

from dojocc.dialects.types import dtype_of
from dojocc.frontends.build import NotSupported
from dojocc.frontends.torch.node import Node, handles

NUMBERS = {"zeros": 0, "ones": 1, "empty": 0}
FORMS = ("{}", "{}_like", "new_{}")


@handles(*(form.format(name) for name in NUMBERS for form in FORMS), "empty_permuted")
def filled(node: Node) -> SSAValue:
    """Memory that holds anything holds zeros here."""
    name = next(name for name in NUMBERS if name in node.op)
    return node.full(NUMBERS[name])


@handles("full", "full_like", "new_full", "fill")
def full(node: Node) -> SSAValue:
    name = "value" if node.op == "fill" else "fill_value"
    if node.is_tensor(name):
        value = node.b.convert(node.x(name), node.element_type)
        return node.b.broadcast(value, node.result.shape)
    return node.full(node.number(name))


@handles("scalar_tensor")
def scalar(node: Node) -> SSAValue:
    return node.full(node.number("s"))


def range_array(node: Node) -> np.ndarray:
    if node.op == "linspace":
        return np.linspace(node.number("start"), node.number("end"), node.number("steps"))
    start, step = node.number("start", 0), node.number("step", 1)
    return start + np.arange(node.result.shape[0]) * step


@handles("arange", "linspace")
def counting(node: Node) -> SSAValue:
    array = range_array(node).astype(dtype_of(node.element_type))
    return node.b.constant(array, node.source.name)


@handles("eye")
def identity_matrix(node: Node) -> SSAValue:
    rows, columns = node.result.shape
    array = np.eye(rows, columns).astype(dtype_of(node.element_type))
    return node.b.constant(array, node.source.name)


@handles("tril_indices", "triu_indices")
def triangle_places(node: Node) -> SSAValue:
    find = np.tril_indices if node.op.startswith("tril") else np.triu_indices
    places = find(node.number("row"), node.number("offset", 0), node.number("col"))
    return node.b.constant(np.array(places, np.int32), node.source.name)


CHECKS = (
    *("_assert_tensor_metadata", "_assert_async", "_assert_scalar", "sym_constrain_range"),
    *(
        "sym_constrain_range_for_size",
        "_functional_assert_async",
        "_functional_sym_constrain_range",
    ),
)


@handles(*CHECKS)
def check(node: Node) -> None:
    """What it checks was checked by the export, whose sizes are fixed."""


@handles("rand", "randn", "rand_like", "randn_like", "randint", "randint_like", "bernoulli")
def random(node: Node) -> SSAValue:
    raise NotSupported("random numbers: pass them in as an input")
