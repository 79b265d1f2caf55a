"""Yield: the share of random fault maps on which a model compiles and gives the same numbers."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from dojocc.cli.choices import add_choices, options_of
from dojocc.cli.run import read_npz
from dojocc.cli.shared import add_json, print_json, progress, table
from dojocc.report.yield_curve import Step, Trial, curve, healthy, yield_trials
from dojocc.runtime.errors import InputError, UsageError
from dojocc.runtime.mesh.faults import FaultModel

EXAMPLE = "dojocc yield model.onnx --target d1-die --trials 50 --nodes 0..20 --links 0..10"
BAR = 20  # characters of a full bar


def add_arguments(parser: argparse.ArgumentParser) -> None:
    standard = FaultModel()
    parser.add_argument("model")
    parser.add_argument("--trials", type=int, default=50, metavar="N", help="fault maps (50)")
    parser.add_argument(
        "--nodes", default="0..20", metavar="LOW..HIGH", help="further dead nodes of a map (0..20)"
    )
    parser.add_argument(
        "--density", type=float, metavar="SHARE", help="mean share of dead nodes, for --nodes"
    )
    parser.add_argument(
        "--links", default="0..10", metavar="LOW..HIGH", help="dead links of a map (0..10)"
    )
    parser.add_argument(
        "--clustering",
        type=float,
        default=standard.clustering,
        metavar="P",
        help=f"how often a fault is next to an earlier one ({standard.clustering})",
    )
    parser.add_argument("--input", metavar="IN.npz", help="inputs to compare on (random ones)")
    parser.add_argument(
        "--no-verify",
        action="store_true",
        help="check the routes of each program only, not all that `dojocc verify` checks",
    )
    add_choices(parser)
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print the curve; exit code 1 when a program is unsound or gives other numbers."""
    if arguments.trials < 1:
        raise UsageError("--trials must be at least 1", numbers=f"have {arguments.trials}")
    faults = FaultModel(
        nodes=bounds("--nodes", arguments.nodes),
        links=bounds("--links", arguments.links),
        clustering=arguments.clustering,
        density=arguments.density,
    )
    options = options_of(arguments)
    whole = healthy(
        arguments.model, options, read_npz(arguments.input) if arguments.input else None
    )
    with progress("yield") as tell:
        trials = yield_trials(
            arguments.model,
            options,
            faults,
            arguments.trials,
            whole,
            lambda number: tell("fault map", number, arguments.trials),
            not arguments.no_verify,
        )
    steps = curve(trials)
    if arguments.json:
        print_json("dojocc.yield/1", values(faults, whole.cycles, trials, steps))
    else:
        print(text(trials, steps, whole.cycles))
    wrong = [each for each in trials if each.outcome == "differs"]
    if wrong:
        raise InputError(
            "a program gives other numbers than the fault-free one",
            where=f"map {wrong[0].number} of seed {arguments.seed}",
            numbers=f"{len(wrong)} of {len(trials)} maps, relative error {wrong[0].error:.2e}",
        )
    unsound = [each for each in trials if each.outcome == "unsound"]
    if unsound:
        raise InputError(
            "the verifier finds faults in a program",
            where=f"map {unsound[0].number} of seed {arguments.seed}",
            numbers=f"{len(unsound)} of {len(trials)} maps; {unsound[0].reason}",
        )
    return 0


def bounds(flag: str, text: str) -> tuple[int, int]:
    """`3..7`, or one number for both."""
    low, _, high = text.partition("..")
    if not low.isdecimal() or not (high or low).isdecimal():
        raise UsageError(f"{flag} {text} is not understood", help=f"write {flag} 0..20")
    return int(low), int(high or low)


def values(
    faults: FaultModel, cycles: int, trials: list[Trial], steps: list[Step]
) -> dict[str, object]:
    return {
        "defect_model": asdict(faults),
        "fault_free_cycles": cycles,
        "trials": [asdict(each) for each in trials],
        "curve": [asdict(each) | {"yield": each.fine / each.trials} for each in steps],
        "yield": sum(each.fine for each in steps) / len(trials),
    }


def text(trials: list[Trial], steps: list[Step], cycles: int) -> str:
    """The curve, the totals, and why maps were refused."""
    rows: list[tuple[str, ...]] = [("dead nodes", "maps", "fine", "yield", "", "cycles")]
    for each in steps:
        share = each.fine / each.trials
        slower = "" if each.slower is None else f"{each.slower:.3f} x"
        bar = "#" * round(BAR * share)
        span = f"{each.low}" if each.low == each.high else f"{each.low}-{each.high}"
        rows.append((span, str(each.trials), str(each.fine), f"{share:.0%}", bar, slower))
    fine = [each for each in trials if each.outcome == "same"]
    exact = sum(each.error == 0 for each in fine)
    lines = [
        table(rows, right=(1, 2, 3, 5)),
        "",
        f"{len(fine)} of {len(trials)} maps fine, {exact} of them with every bit the same;"
        f" fault-free {cycles:,} cycles",
    ]
    lines += [
        f"map {each.number}: {each.dead_nodes} nodes, {each.dead_links} links: {each.reason}"
        for each in trials
        if each.outcome in ("refused", "unsound")
    ]
    return "\n".join(lines)
