"""What is printed behind each pass."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from dojocc.cli.shared import log
from dojocc.dialects.printing import print_module
from dojocc.passes.base import Pass
from dojocc.runtime.errors import UsageError


class Printer:
    """Called behind each pass: prints the IR where asked, and what DOJOCC_LOGS wants to hear."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.every = arguments.print_ir_after_all
        self.wanted = set(arguments.print_ir_after)

    def check(self, names: list[str]) -> None:
        """Every pass to print after must be one that runs."""
        unknown = sorted(self.wanted - set(names))
        if unknown:
            raise UsageError(
                f"--print-ir-after {unknown[0]}: that pass does not run",
                help=f"passes: {', '.join(dict.fromkeys(names))}",
            )

    def __call__(self, each: Pass, module: Any) -> None:
        log(each.name, f"{sum(1 for _ in module.walk())} ops, form {each.form_after('as before')}")
        if self.every or each.name in self.wanted:
            print(f"// after {each.name}", file=sys.stderr)
            sys.stderr.write(print_module(module))
