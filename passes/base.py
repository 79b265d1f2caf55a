"""Pass: the base of every pass, with its contract as class variables and a docstring of four parts.

A pass is a frozen dataclass; its fields are its options and appear in the pipeline string.
"""

from __future__ import annotations

import inspect
import re
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from dojocc.dialects.context import DojoContext

SAME = "same"
"""`leaves` of a pass that keeps whatever form it was given."""

PARTS = ("Takes", "Leaves", "How", "Fails")


@dataclass(frozen=True)
class Pass(ModulePass):
    """A translation step from one form (dialects/forms.py) to another."""

    name: ClassVar[str]
    takes: ClassVar[str]
    leaves: ClassVar[str]

    @abstractmethod
    def apply(self, ctx: DojoContext, op: ModuleOp) -> None:  # type: ignore[override]
        """Rewrite the module in place."""

    def form_after(self, form: str) -> str:
        """The form the module has after this pass, given the one before."""
        return form if self.leaves == SAME else self.leaves

    @classmethod
    def contract(cls) -> dict[str, str]:
        """The docstring's parts: title -> text. A missing part is missing here."""
        text = inspect.cleandoc(cls.__doc__ or "")
        pieces = re.split(rf"^({'|'.join(PARTS)}):", text, flags=re.MULTILINE)
        return {title: body.strip() for title, body in zip(pieces[1::2], pieces[2::2], strict=True)}
