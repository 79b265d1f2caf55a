"""Plan a fleet: for a model, a target and a rate of frames, what binds and how much it takes.

The rate is that of cameras (--cameras, --resolution, --rate), --frames-per-second or
--frames-per-day. The model is compiled and its cycles are modelled; no values are run.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from math import inf, isfinite, prod

from dojocc.cli.choices import add_choices, options_of
from dojocc.cli.shared import add_json, print_json, progress, read_content, table
from dojocc.compiler import compile_model
from dojocc.report.capacity import DAY, Demand, Plan, plan, work_of
from dojocc.runtime.errors import UsageError
from dojocc.runtime.program import Program
from dojocc.runtime.timing import time_program

EXAMPLE = """\
dojocc plan model.onnx --target d1-training-tile --cameras 8 --resolution 1280x960 --rate 36
dojocc plan model.onnx --frames-per-day 160e9"""
BITS = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model")
    parser.add_argument("--cameras", type=float, metavar="N", help="cameras, with --rate")
    parser.add_argument("--rate", type=float, metavar="HZ", help="frames a second of one camera")
    parser.add_argument(
        "--resolution", metavar="WxH", help="pixels of a frame as it comes in (the model's input)"
    )
    parser.add_argument(
        "--bits", type=float, default=BITS, metavar="B", help=f"bits a pixel that comes in ({BITS})"
    )
    parser.add_argument("--frames-per-second", type=float, metavar="F")
    parser.add_argument("--frames-per-day", type=float, metavar="F")
    parser.add_argument(
        "--frames-per-run",
        type=int,
        metavar="N",
        help="frames that one run takes (first dimension of the first input)",
    )
    add_choices(parser)
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    per_second, text = rate_of(arguments)
    size = pixels(arguments.resolution) * positive("--bits", arguments.bits) / 8
    options = options_of(arguments)
    content = read_content(arguments.model)
    with progress("plan") as tell:
        module = compile_model(content, options, stop_at="nn").module
        work = work_of(module, options.precision)
        program = compile_model(content, options, watch=tell).program
    assert program is not None
    frames = frames_of(arguments.frames_per_run, program)
    size = size or sum(port.layout.item * prod(port.shape) for port in program.inputs) / frames
    found = plan(
        program,
        time_program(program),
        work,
        Demand(per_second, size, text),
        frames,
        options.precision,
    )
    if arguments.json:
        print_json("dojocc.plan/1", values(found))
    else:
        print(summary(found))
    return 0


def rate_of(arguments: argparse.Namespace) -> tuple[float, str]:
    """Frames a second, and what was asked for."""
    cameras, rate = arguments.cameras, arguments.rate
    second, day = arguments.frames_per_second, arguments.frames_per_day
    match rate, second, day:
        case float(), None, None:
            count = positive("--cameras", 1 if cameras is None else cameras)
            text = f"{count:,g} cameras of {rate:g} frames a second"
            return count * positive("--rate", rate), text
        case None, float(), None if cameras is None:
            return positive("--frames-per-second", second), f"{second:,g} frames a second"
        case None, None, float() if cameras is None:
            return positive("--frames-per-day", day) / DAY, f"{day:,g} frames a day"
    raise UsageError(
        "say once how many frames come in",
        help="--cameras 8 --rate 36, or --frames-per-second 288, or --frames-per-day 160e9",
    )


def positive(flag: str, value: float) -> float:
    if not (isfinite(value) and value > 0):
        raise UsageError(f"{flag} must be a positive number", numbers=f"have {value}")
    return value


def pixels(text: str | None) -> int:
    """Pixels of a frame; 0 where none is said."""
    if text is None:
        return 0
    words = text.lower().split("x")
    if len(words) != 2 or not all(word.isdecimal() and int(word) for word in words):
        raise UsageError(
            f"--resolution {text} is not understood", help="write --resolution 1280x960"
        )
    return int(words[0]) * int(words[1])


def frames_of(asked: int | None, program: Program) -> int:
    """Frames of one run."""
    if asked is not None:
        return int(positive("--frames-per-run", asked))
    shape = program.inputs[0].shape if program.inputs else ()
    return int(shape[0]) if shape else 1


def values(found: Plan) -> dict[str, object]:
    """The plan as JSON; a rate that nothing bounds is null."""
    rates = {k: None if v == inf else v for k, v in found.frames_per_second.items()}
    return {**asdict(found), "frames_per_second": rates}


def summary(found: Plan) -> str:
    """The plan as text, every assumption at its end."""
    demand = found.demand
    rows = [("frames/s of a training tile, by", "", "")]
    for name, rate in found.frames_per_second.items():
        text = "no bound" if rate == inf else f"{rate:,.1f}"
        rows.append((name, text, "<- least" if rate == found.limit else ""))
    needs = [
        (
            "asked for",
            f"{demand.text}: {demand.per_second:,.1f}/s, {demand.frame_bytes:,.0f} B each",
        ),
        ("binds", found.binds),
        (
            "takes",
            f"{found.machines:,} x {found.target} = {found.tiles:,} training tiles"
            f" = {found.exapods:,.2f} ExaPODs, loaded {found.load:.0%}",
        ),
        ("power", f"{found.watts / 1000:,.0f} kW"),
        ("H100s of the same peak", f"{found.by_peak:,.1f}"),
        (
            "H100s by roofline",
            f"{found.by_roofline:,.2f} at least ({found.by_roofline * found.h100_watts / 1000:,.1f}"
            " kW)",
        ),
    ]
    facts = [(fact.key, fact.origin, fact.note) for fact in found.facts]
    return "\n\n".join(
        (
            table(needs),
            table(rows, right=(1,)),
            "rests on\n" + table(facts),
        )
    )
