"""Where StableHLO comes from: text, or an object of JAX that can print it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dojocc.runtime.errors import UsageError

MARKS = (b"stablehlo.", b"chlo.", b"mhlo.num_partitions")


@dataclass(frozen=True)
class StableText:
    """A module's text and what to call it in messages."""

    text: str
    name: str


def is_stablehlo(content: bytes) -> bool:
    """True where ops of the dialect (or JAX's marks on a module) stand in a text."""
    return any(mark in content for mark in MARKS)


def text_of_jax(model: Any) -> StableText | None:
    """The text of a jax.export.Exported or a lowered function; None for other objects.

    JAX is not imported: only an object of it can come here.
    """
    kind = type(model)
    if not kind.__module__.startswith(("jax.", "jax._src.")):
        return None
    if kind.__name__ == "Exported":
        return StableText(model.mlir_module(), f"the exported function {model.fun_name}")
    if kind.__name__ == "Lowered":
        return StableText(model.as_text(), "the lowered function")
    raise UsageError(
        "this object of JAX cannot be compiled",
        where=f"{kind.__module__}.{kind.__qualname__}",
        help="give jax.export.export(jax.jit(f))(*shapes), or jax.jit(f).lower(*shapes)",
    )
