"""Every op of the registry, on every case: text, shape rule, reference, decomposition, cost."""

from __future__ import annotations

import numpy as np
import pytest
from nn_cases import CASES, REGION_OPS, Case
from xdsl.dialects.builtin import ModuleOp, bf16
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Region, SSAValue

from dojocc.dialects.context import DojoContext
from dojocc.dialects.function import input_names, main_function, make_function, result_names
from dojocc.dialects.interpret_nn import run_nn
from dojocc.dialects.nn import NN_OPS, evaluate
from dojocc.dialects.numerics import MACHINE, PLAIN, Numerics
from dojocc.dialects.op import FUSIBLE_CLASSES, OpList
from dojocc.dialects.printing import parse_module, print_module
from dojocc.dialects.types import as_element, dtype_of, same_type
from dojocc.dialects.verify import verify_module

PADDED_FIRST = ("convolution", "reduce_window")  # decompose to a pad and the op itself
cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)


def module_of(case: Case) -> ModuleOp:
    block, op = case.build(location=f"node '{case.op}' (Case)")
    block.add_op(ReturnOp(*op.results))
    names = [f"x{number}" for number in range(len(block.args))]
    return ModuleOp([make_function(Region(block), names, ["y"], op.results)])


def check_close(case: Case, found: np.ndarray, expected: np.ndarray) -> None:
    expected = np.asarray(expected)
    assert found.shape == expected.shape
    if case.exact or found.dtype != np.float32:
        np.testing.assert_array_equal(found, expected.astype(found.dtype))
    else:
        np.testing.assert_allclose(found, expected, rtol=3e-6, atol=2e-6)


def test_every_op_has_cases() -> None:
    counts = {name: 0 for name in NN_OPS if name not in REGION_OPS}
    for case in CASES:
        counts[case.op] += 1
    assert {name: count for name, count in counts.items() if count < 2} == {}


@pytest.mark.parametrize("name", NN_OPS)
def test_every_op_says_what_it_is(name: str) -> None:
    cls = NN_OPS[name]
    assert cls.name == f"nn.{name}"
    assert cls.FUSIBLE in FUSIBLE_CLASSES
    assert cls.GRADIENT in ("rule", "zero", "decompose", "not yet")
    assert (cls.__doc__ or "").strip().endswith(".")


@cases
def test_text_round_trip(case: Case) -> None:
    module = module_of(case)
    verify_module(module)
    text = print_module(module)
    again = parse_module(DojoContext(), text)
    verify_module(again)
    assert print_module(again) == text
    assert text.count("loc = ") == 1
    function = main_function(again)
    assert input_names(function) == [f"x{number}" for number in range(len(case.types))]
    assert result_names(function) == ["y"]


@cases
@pytest.mark.parametrize("numerics", [PLAIN, MACHINE], ids=lambda n: n.name)
def test_reference_agrees_with_oracle(case: Case, numerics: Numerics) -> None:
    module = module_of(case)
    arrays = case.arrays()
    found = run_nn(DojoContext(), module, arrays, numerics)["y"]
    expected = np.asarray(
        case.oracle(*(a.astype(np.float64) if a.dtype == np.float32 else a for a in arrays))
    )
    check_close(case, found, expected)
    result = main_function(module).function_type.outputs.data[0]
    assert result.get_shape() == expected.shape  # pyright: ignore[reportAttributeAccessIssue]
    assert found.dtype == dtype_of(result.element_type)  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("case", [c for c in CASES if c.is_float], ids=lambda case: case.id)
def test_bf16_results_are_rounded_once(case: Case) -> None:
    """The bf16 op is the f32 op on the same values, rounded at the end."""
    _, narrow = case.build(bf16)
    _, wide = case.build()
    arrays = case.arrays(floats=bf16)
    (found,) = narrow.reference(arrays, PLAIN)
    (exact,) = wide.reference(arrays, PLAIN)
    np.testing.assert_array_equal(found, as_element(exact, narrow.result_type.element_type))


@pytest.mark.parametrize(
    "case", [c for c in CASES if NN_OPS[c.op].COMPOSITE], ids=lambda case: case.id
)
def test_decomposition_is_the_reference(case: Case) -> None:
    block, op = case.build()
    b = OpList.like(op)
    value = op.decompose(b)
    if value is None:  # a convolution or window op that needs no pad before it
        assert case.op == "reduce_window" or set(case.props["lhs_dilation"]) == {1}
        return
    assert same_type(value.type, op.result_type)
    assert all(made.attributes["loc"] == op.attributes["loc"] for made in b.ops)
    assert all(made.name != op.name or case.op in PADDED_FIRST for made in b.ops)
    arrays = case.arrays()
    environment: dict[SSAValue, np.ndarray] = dict(zip(block.args, arrays, strict=True))
    for made in b.ops:
        made.verify()
        operands = [environment[operand] for operand in made.operands]
        environment.update(zip(made.results, evaluate(made, operands, PLAIN, {}), strict=True))
    (expected,) = op.reference(arrays, PLAIN)
    np.testing.assert_allclose(environment[value], expected, rtol=1e-6, atol=3e-7)


@cases
def test_cost_counts_work_and_bytes(case: Case) -> None:
    _, op = case.build()
    cost = op.cost()
    sizes = [type.get_shape() for type in (*op.types, *op.result_tensors)]
    assert cost.bytes >= sum(int(np.prod(shape)) for shape in sizes)
    moves_only = op.FUSIBLE in ("movement", "indexing") or case.op == "constant"
    assert cost.flops == 0 if moves_only else cost.flops > 0


def test_matrix_product_counts_two_operations_a_term() -> None:
    case = next(c for c in CASES if c.op == "dot_general")
    _, op = case.build()
    assert op.cost().flops == 2 * 3 * 5 * 4
    assert op.cost().bytes == 4 * (15 + 20 + 12)
