"""`dojocc COMMAND ...`: finds the command's file, runs it, and answers with an exit code.

0 fine, 1 input rejected or outputs differ, 2 usage, 3 the machine stopped, 70 internal error. Only
the chosen command's file is imported, so that `dojocc --help` is quick.
"""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NoReturn

from dojocc import __version__
from dojocc.allocator import keep_freed_memory
from dojocc.cli.failure import INTERNAL, print_error, report_internal
from dojocc.runtime.errors import DojoError

COMMANDS: dict[str, str] = {
    "compile": "a model to a program, or to any level on the way",
    "run": "a program on inputs, or its predicted cycles",
    "train": "a model on data, as one program run step after step",
    "check": "what of a model is supported, and whether it fits; writes nothing",
    "opt": "passes of your choice on a model or an IR file",
    "asm": "an assembly file to a program",
    "objdump": "a program to assembly",
    "verify": "a program file checked by itself: memory, routes, order",
    "explain": "what became of an op of the model",
    "targets": "the machines: list, show, new, validate",
    "profile": "predicted cycles, what they are made of, and how far to trust them",
    "pack": "the SRAM planner by itself",
    "plan": "how many machines a stream of frames takes, and what binds",
    "reduce": "a model that fails to the smallest that fails alike",
    "yield": "on how many random fault maps a model still works, and how fast",
    "demo": "compile ResNet-50 or another network, run it, and check the outputs",
    "doctor": "what this installation has and lacks",
    "completion": "completions for bash, zsh or fish",
}
HELP_FLAGS = ("-h", "--help")
USAGE, INTERRUPTED = 2, 130


class Parser(argparse.ArgumentParser):
    """argparse, with examples kept as written and our way of saying what is wrong."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(*args, **kwargs)

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: error: {message}", file=sys.stderr)
        print(f"  help: {self.prog} --help", file=sys.stderr)
        self.exit(USAGE)


def command_parser(name: str, prog: str | None = None) -> tuple[Parser, Any]:
    """The parser of one command and its module, which has EXAMPLE, add_arguments and execute."""
    module = import_module(f"dojocc.cli.{name}")
    parser = Parser(
        prog=prog or f"dojocc {name}",
        description=module.__doc__,
        epilog="example:\n" + "\n".join(f"  {line}" for line in module.EXAMPLE.splitlines()),
    )
    module.add_arguments(parser)
    return parser, module


def overview() -> str:
    width = max(map(len, COMMANDS)) + 2
    rows = [f"  {name:<{width}}{text}" for name, text in COMMANDS.items()]
    return "\n".join(
        [
            "usage: dojocc COMMAND ... | dojocc --version | dojocc COMMAND --help",
            "",
            "Compiles model graphs to instruction streams for Dojo, and runs them.",
            "",
            *rows,
            "",
            "example:",
            "  dojocc compile model.onnx -o model.dojo",
            "  dojocc run model.dojo --input in.npz --output out.npz",
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of `dojocc ARGV`."""
    if argv is None:
        keep_freed_memory()
    words = list(sys.argv[1:] if argv is None else argv)
    return guarded(words, lambda: answer(words))


def answer(words: list[str]) -> int:
    """Help and version, or the command that the first word names."""
    if not words or words[0] in HELP_FLAGS:
        print(overview(), file=sys.stdout if words else sys.stderr)
        return 0 if words else USAGE
    if words[0] == "--version":
        print(f"dojocc {__version__}")
        return 0
    if words[0] not in COMMANDS:
        near = difflib.get_close_matches(words[0], COMMANDS, 1, 0.5)
        help = f"did you mean 'dojocc {near[0]}'?" if near else "dojocc --help lists the commands"
        print(f"dojocc: error: there is no command {words[0]!r}\n  help: {help}", file=sys.stderr)
        return USAGE
    return run_command(words[0], words[1:])


def opt_main(argv: Sequence[str] | None = None) -> int:
    """`dojocc-opt`: the command `opt` by itself."""
    if argv is None:
        keep_freed_memory()
    words = list(sys.argv[1:] if argv is None else argv)
    return guarded(["opt", *words], lambda: run_command("opt", words, prog="dojocc-opt"))


def run_command(name: str, words: list[str], prog: str | None = None) -> int:
    parser, module = command_parser(name, prog)
    return module.execute(parser.parse_args(words))


def guarded(words: list[str], action: Callable[[], int]) -> int:
    """Do it; whatever it raises becomes a message and an exit code."""
    debug = os.environ.get("DOJOCC_DEBUG", "") not in ("", "0")
    try:
        code = until_exit(action)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Nobody reads on: fine. Python's own flush at exit must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("dojocc: interrupted", file=sys.stderr)
        return INTERRUPTED
    except DojoError as error:
        if debug:
            raise
        if error.exit_code == INTERNAL:
            return report_internal(error, words)
        print_error(error)
        return error.exit_code
    except Exception as error:
        if debug:
            raise
        return report_internal(error, words)


def until_exit(action: Callable[[], int]) -> int:
    """The action's code, or the one argparse leaves with after --help or a usage error."""
    try:
        return action()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0


if __name__ == "__main__":
    sys.exit(main())
