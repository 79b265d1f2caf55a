"""Pipelines: text and back, order, what is checked between passes, and every error by its words."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import ClassVar

import pytest
from xdsl.dialects.builtin import ModuleOp

from dojocc.dialects.context import DojoContext
from dojocc.dialects.forms import FORMS, allows
from dojocc.dialects.printing import parse_module
from dojocc.passes import pipeline
from dojocc.passes.base import SAME, Pass
from dojocc.passes.canonicalise import Canonicalise
from dojocc.passes.decompose import Decompose
from dojocc.passes.errors import PassBroken, PipelineError
from dojocc.passes.fuse import Fuse
from dojocc.passes.pipeline import (
    PIPELINE,
    check_order,
    default_passes,
    parse_passes,
    pipeline_text,
    run_pipeline,
)
from dojocc.passes.precision import Precision
from dojocc.passes.rewriting import bodies

TEXT = """
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = nn.gelu %x {approximate = "none", loc = "node 'G' (Gelu)"} : tensor<4xf32>
  func.return %y : tensor<4xf32>
}
"""


@dataclass(frozen=True)
class Lossy(Pass):
    """A wrong pass: it does not hand locations on."""

    name: ClassVar[str] = "lossy"
    takes: ClassVar[str] = "nn"
    leaves: ClassVar[str] = SAME

    def apply(self, ctx: DojoContext, op: ModuleOp) -> None:
        for block in bodies(op):
            for inner in block.ops:
                inner.attributes.clear()


@dataclass(frozen=True)
class Boasting(Pass):
    """A wrong pass: it promises a form and changes nothing."""

    name: ClassVar[str] = "boasting"
    takes: ClassVar[str] = "nn"
    leaves: ClassVar[str] = "nn-core"

    def apply(self, ctx: DojoContext, op: ModuleOp) -> None:
        return None


def module() -> tuple[DojoContext, ModuleOp]:
    ctx = DojoContext()
    return ctx, parse_module(ctx, TEXT)


def test_the_pipeline_of_the_compiler_is_in_order() -> None:
    check_order(default_passes(PIPELINE))
    assert PIPELINE[0].make.takes == "nn"
    assert PIPELINE[-1].make.leaves == "disa"
    assert all(step.why for step in PIPELINE)


def test_text_and_back() -> None:
    passes = (Canonicalise(), Fuse(operands=7), Precision(to="fp32"))
    text = pipeline_text(passes)
    assert text == 'canonicalise,fuse{operands=7},precision{to="fp32"}'
    assert parse_passes(text) == passes
    assert parse_passes("precision{to=fp32}") == (Precision(to="fp32"),)
    assert parse_passes("") == ()


def test_options_of_the_default_passes() -> None:
    last = default_passes(options={"precision": {"to": "fp32"}})
    assert Precision(to="fp32") in last


@pytest.mark.parametrize(
    "text, words",
    [
        ("canonicalize,fuze", "no pass is called 'canonicalize', 'fuze'"),
        ("canonicalize", "nearest: canonicalise"),
        ("zzzzzz", "there are allocate, "),
        ("fuse{width=3}", "pass 'fuse' does not take these options"),
        ("fuse{ops=many}", "Incompatible types"),
        ("fuse ops", "cannot read the pipeline 'fuse ops'"),
        ("fuse{ops=", "cannot read the pipeline"),
    ],
)
def test_text_that_is_refused(text: str, words: str) -> None:
    with pytest.raises(PipelineError) as caught:
        parse_passes(text)
    assert words in str(caught.value)
    assert caught.value.exit_code == 2


def test_order_that_is_refused() -> None:
    with pytest.raises(PipelineError) as caught:
        check_order((Canonicalise(), Decompose(), Canonicalise(), Precision()))
    assert str(caught.value).startswith(
        "pass 'precision' takes form 'nn-fused', but 'canonicalise' leaves 'nn-core'"
    )


def test_a_pass_that_loses_locations_is_named() -> None:
    with pytest.raises(
        PassBroken, match="pass 'lossy' left a module that does not verify"
    ) as found:
        run_pipeline(*module(), (Lossy(),))
    assert "carry no location" in str(found.value)
    assert found.value.exit_code == 70


def test_a_pass_that_leaves_another_form_is_named() -> None:
    with pytest.raises(PassBroken, match="pass 'boasting' promises form 'nn-core'") as found:
        run_pipeline(*module(), (Boasting(),))
    assert "nn.gelu at node 'G' (Gelu)" in str(found.value)


def test_callbacks_and_timing() -> None:
    seen: list[str] = []
    timing: dict[str, float] = {}
    ticks = iter(range(100))
    run_pipeline(
        *module(),
        (Canonicalise(), Decompose(), Canonicalise()),
        after=lambda each, _: seen.append(each.name),
        timing=timing,
        clock=lambda: float(next(ticks)),
    )
    assert seen == ["canonicalise", "decompose", "canonicalise"]
    assert timing == {"canonicalise": 2.0, "decompose": 1.0}


def test_outside_passes_come_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("boasting", f"{__name__}:Boasting", pipeline.ENTRY_POINTS)
    monkeypatch.setattr(EntryPoint, "load", lambda self: Boasting)
    monkeypatch.setattr(pipeline, "entry_points", lambda group: [point])
    assert parse_passes("boasting,fuse") == (Boasting(), Fuse())


def test_an_outside_pass_cannot_take_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("fuse", "other.package:Fuse", pipeline.ENTRY_POINTS)
    monkeypatch.setattr(pipeline, "entry_points", lambda group: [point])
    with pytest.raises(PipelineError, match="two passes are called 'fuse'") as found:
        parse_passes("fuse")
    assert "other.package:Fuse" in str(found.value)


def test_forms_know_their_general_cases() -> None:
    assert allows("nn", "nn-fused") and allows("nn-core", "nn-fused")
    assert not allows("nn-core", "nn")
    assert all(other in FORMS for form in FORMS.values() for other in form.special_case_of)
