"""The target a pass compiles for, or the error that says there is none."""

from __future__ import annotations

from dojocc.dialects.context import DojoContext
from dojocc.runtime.errors import UsageError
from dojocc.runtime.target import Target


def target_of(ctx: DojoContext, name: str) -> Target:
    """The context's target; UsageError that names the pass without one."""
    if ctx.target is None:
        raise UsageError(f"pass '{name}' needs a target", help="give one, as --target d1-die")
    return ctx.target
