"""The stablehlo and chlo dialects, as far as they are imported: ops by name, their properties.

Only read: a frontend turns them into nn at once. Each op takes any operands, results and regions;
both the generic form and the pretty form that JAX prints are parsed (stablehlo_syntax.py).
"""

from __future__ import annotations

from typing import Any

from xdsl.ir import Attribute, Data, Dialect, Operation
from xdsl.irdl import (
    IRDLOperation,
    irdl_attr_definition,
    irdl_op_definition,
    opt_prop_def,
    traits_def,
    var_operand_def,
    var_region_def,
    var_result_def,
)
from xdsl.parser import AttrParser, Parser
from xdsl.printer import Printer
from xdsl.traits import IsTerminator

from dojocc.dialects.stablehlo_syntax import parse_pretty, raw_body

PLAIN = (
    *(
        "abs add and atan2 bitcast_convert cbrt ceil clamp convert cosine count_leading_zeros"
    ).split(),
    *("divide exponential exponential_minus_one floor imag is_finite log log_plus_one").split(),
    *("logistic maximum minimum multiply negate not optimization_barrier or popcnt power").split(),
    *("real remainder reshape round_nearest_afz round_nearest_even rsqrt select").split(),
    *("shift_left shift_right_arithmetic shift_right_logical sign sine sqrt subtract tan").split(),
    *("tanh xor dynamic_update_slice tuple get_tuple_element create_token after_all").split(),
)
"""Ops without properties that matter."""
PROPERTIES: dict[str, tuple[str, ...]] = {
    **{name: () for name in PLAIN},
    "broadcast_in_dim": ("broadcast_dimensions",),
    "case": (),
    "compare": ("comparison_direction", "compare_type"),
    "composite": ("name", "composite_attributes", "decomposition", "version"),
    "concatenate": ("dimension",),
    "constant": ("value",),
    "convolution": (
        *("window_strides", "padding", "lhs_dilation", "rhs_dilation", "window_reversal"),
        *("dimension_numbers", "feature_group_count", "batch_group_count", "precision_config"),
        *("dim_numbers", "window"),
    ),
    "custom_call": (
        *("call_target_name", "has_side_effect", "backend_config", "api_version"),
        *("called_computations", "operand_layouts", "result_layouts", "output_operand_aliases"),
    ),
    "dot_general": (
        *("dot_dimension_numbers", "precision_config", "algorithm"),
        *("contracting_dims", "batching_dims", "precision"),
    ),
    "dynamic_slice": ("slice_sizes",),
    "gather": ("dimension_numbers", "slice_sizes", "indices_are_sorted"),
    "if": (),
    "iota": ("iota_dimension",),
    "pad": ("edge_padding_low", "edge_padding_high", "interior_padding"),
    "reduce": ("dimensions", "applies"),
    "reduce_precision": ("exponent_bits", "mantissa_bits", "format"),
    "reduce_window": (
        *("window_dimensions", "window_strides", "base_dilations", "window_dilations"),
        "padding",
    ),
    "reverse": ("dimensions",),
    "rng": ("rng_distribution",),
    "rng_bit_generator": ("rng_algorithm", "algorithm"),
    "scatter": ("scatter_dimension_numbers", "indices_are_sorted", "unique_indices"),
    "select_and_scatter": ("window_dimensions", "window_strides", "padding"),
    "slice": ("start_indices", "limit_indices", "strides"),
    "sort": ("dimension", "is_stable"),
    "transpose": ("permutation",),
    "while": (),
}
CHLO_PROPERTIES: dict[str, tuple[str, ...]] = {
    **{name: () for name in "acos acosh asin asinh atan atanh cosh erf erfc erf_inv".split()},
    **{name: () for name in "is_inf is_neg_inf is_pos_inf lgamma digamma sinh square".split()},
    "top_k": ("k",),
}


ATTRIBUTES = (
    *(
        "dot dot_algorithm conv gather scatter precision comparison_direction comparison_type"
    ).split(),
    *("rng_algorithm rng_distribution custom_call_api_version output_operand_alias").split(),
)


class StableOp(IRDLOperation):
    """Any op of the two dialects."""

    inputs = var_operand_def()
    outputs = var_result_def()
    bodies = var_region_def()

    @classmethod
    def parse(cls, parser: Parser) -> Operation:
        return parse_pretty(cls, parser)


def made(dialect: str, short: str, properties: tuple[str, ...]) -> type[StableOp]:
    """The class of one op."""
    members: dict[str, Any] = {"name": f"{dialect}.{short}", "__module__": __name__}
    members |= {f"{name}_": opt_prop_def(Attribute, prop_name=name) for name in properties}
    if short == "return":
        members["traits"] = traits_def(IsTerminator())
    words = "".join(word.capitalize() for word in short.split("_"))
    return irdl_op_definition(type(f"{words}Op", (StableOp,), members))


class RawAttribute(Data[str]):
    """An attribute of the dialect as its text: what stands between < and >."""

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> str:
        return raw_body(parser)

    def print_parameter(self, printer: Printer) -> None:
        printer.print_string(f"<{self.data}>")


def raw(name: str) -> type[RawAttribute]:
    members = {"name": name, "__module__": __name__}
    return irdl_attr_definition(type("RawAttr", (RawAttribute,), members))


STABLEHLO = Dialect(
    "stablehlo",
    [made("stablehlo", *row) for row in (*PROPERTIES.items(), ("return", ()))],
    [raw(f"stablehlo.{name}") for name in ATTRIBUTES],
)
CHLO = Dialect("chlo", [made("chlo", *row) for row in CHLO_PROPERTIES.items()], [])
