"""The pipeline: one ordered tuple of passes, its string form, and the checked run of it.

`PIPELINE` reads like a table of contents. `run_pipeline` checks that each pass takes what the last
left, that the module has the form it should have, and that it verifies.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import Any, NamedTuple

from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.arg_spec import ArgSpec, parse_pipeline
from xdsl.utils.exceptions import ArgSpecParseError

from dojocc.dialects.context import DojoContext
from dojocc.dialects.forms import FORMS, allows, violations
from dojocc.dialects.location import without_location
from dojocc.dialects.verify import InvalidModule, Known, verify_module
from dojocc.passes.allocate import Allocate
from dojocc.passes.base import Pass
from dojocc.passes.batch_statistics import BatchStatistics
from dojocc.passes.canonicalise import Canonicalise
from dojocc.passes.channels_last import ChannelsLast
from dojocc.passes.choose_stores import ChooseStores
from dojocc.passes.chunk import Chunk
from dojocc.passes.cut_depth import CutDepth
from dojocc.passes.decompose import Decompose
from dojocc.passes.descend import Descend
from dojocc.passes.differentiate import Differentiate
from dojocc.passes.errors import PassBroken, PipelineError
from dojocc.passes.expose_parameters import ExposeParameters
from dojocc.passes.fold import Fold
from dojocc.passes.fold_batch_norm import FoldBatchNorm
from dojocc.passes.fuse import Fuse
from dojocc.passes.infer_shapes import InferShapes
from dojocc.passes.precision import Precision
from dojocc.passes.prefetch import Prefetch
from dojocc.passes.recognise import Recognise
from dojocc.passes.relay import Relays
from dojocc.passes.round_stores import RoundStores
from dojocc.passes.route import Route
from dojocc.passes.select import Select
from dojocc.passes.shard import Shard
from dojocc.passes.slice_strides import SliceStrides
from dojocc.passes.split_takes import SplitTakes
from dojocc.passes.tile import Tile

ENTRY_POINTS = "dojocc.passes"
EXPONENT = re.compile(r"-?\d+(\.\d+)?e[-+]?\d+")


class Step(NamedTuple):
    """One line of the table of contents: a pass and why it stands here."""

    make: type[Pass]
    why: str


NN_PIPELINE: tuple[Step, ...] = (
    Step(InferShapes, "later passes trust every type"),
    Step(Canonicalise, "fewer spellings of one thing for the passes below to know"),
    Step(Fold, "shape arithmetic and weights become constants"),
    Step(Recognise, "spelled-out layer norms and softmaxes become one op"),
    Step(Decompose, "what has no kernel of its own becomes ops that have one"),
    Step(FoldBatchNorm, "a scale and offset after a convolution go into its weights"),
    Step(ChannelsLast, "the matrix unit eats channels-last rows"),
    Step(Canonicalise, "transposes that now meet cancel"),
    Step(Fold, "constants that were re-laid are computed once, here"),
    Step(SplitTakes, "tables too tall for a node become blocks that can be shared out"),
    Step(Fuse, "one region per kernel"),
    Step(Precision, "says where values are rounded"),
    Step(SliceStrides, "a strided 1x1 convolution needs a part of its input only"),
    Step(CutDepth, "products whose panels no node holds become sums of thinner ones"),
)

PIPELINE: tuple[Step, ...] = (
    *NN_PIPELINE,
    Step(Shard, "says which node holds which part of every tensor"),
    Step(Chunk, "what a product reads arrives while the part that is there is multiplied"),
    Step(Tile, "buffers, kernels and transfers"),
    Step(Relays, "what many nodes read is passed on from node to node"),
    Step(Prefetch, "what the next kernel reads arrives while this one computes"),
    Step(Allocate, "addresses, by liveness"),
    Step(Route, "transfer lists, semaphores, arrival counts"),
    Step(Select, "instructions"),
)

TRAINING: tuple[Step, ...] = (
    Step(InferShapes, "later passes trust every type"),
    Step(ExposeParameters, "what is trained comes in anew each step"),
    Step(BatchStatistics, "batch norms in training look at their batch"),
    Step(ChooseStores, "what products read and are sent back may be stored in a narrow format"),
    Step(Differentiate, "the loss and its gradients, on the model as it was written"),
    Step(RoundStores, "narrow formats, of gradients too"),
    Step(Descend, "the optimizer: from here on a step is a model like any other"),
)
"""What makes a training step of a model, ahead of PIPELINE."""

Callback = Callable[[Pass, ModuleOp], None]


def available_passes() -> dict[str, type[Pass]]:
    """Every pass by name: those of the pipelines and those of outside packages."""
    passes = {step.make.name: step.make for step in (*PIPELINE, *TRAINING)}
    for point in entry_points(group=ENTRY_POINTS):
        if point.name in passes:
            raise PipelineError(
                f"two passes are called '{point.name}'",
                where=f"entry point {point.value}",
                help="rename the outside one",
            )
        passes[point.name] = point.load()
    return passes


def default_passes(
    steps: Iterable[Step] = PIPELINE, options: dict[str, dict[str, object]] | None = None
) -> tuple[Pass, ...]:
    """The passes of `steps`; `options` by pass name, as {"precision": {"to": "fp32"}}."""
    chosen = options or {}
    return tuple(step.make(**chosen.get(step.make.name, {})) for step in steps)


def parse_passes(text: str) -> tuple[Pass, ...]:
    """'a,b{x=1}' -> passes. Unknown names are reported all at once."""
    try:
        specs = tuple(parse_pipeline(text))
    except ArgSpecParseError as error:
        raise PipelineError(
            f"cannot read the pipeline '{text}'",
            where="\n" + str(error).split("\n", 1)[-1],
            help="write 'pass-a,pass-b{option=value other=value}'",
        ) from error
    known = available_passes()
    unknown = [spec.name for spec in specs if spec.name not in known]
    if unknown:
        close = [name for word in unknown for name in get_close_matches(word, known, 1)]
        raise PipelineError(
            f"no pass is called {', '.join(repr(name) for name in unknown)}",
            where=f"pipeline '{text}'",
            help=f"nearest: {', '.join(close)}"
            if close
            else f"there are {', '.join(sorted(known))}",
        )
    return tuple(_configured(known[spec.name], spec) for spec in specs)


def _configured(make: type[Pass], spec: ArgSpec) -> Pass:
    rows = spec.parameters.items()
    values = {name: tuple(map(_number, found)) for name, found in rows}
    try:
        return make.from_spec(ArgSpec(spec.name, values))
    except ValueError as error:
        raise PipelineError(
            f"pass '{spec.name}' does not take these options", where=str(spec), help=str(error)
        ) from error


def _number(value: Any) -> Any:
    """A number with an exponent, such as 1e-08, which xDSL prints and reads as a word."""
    return float(value) if isinstance(value, str) and EXPONENT.fullmatch(value) else value


def pipeline_text(passes: Iterable[Pass]) -> str:
    """The string that `parse_passes` turns into the same passes."""
    return ",".join(str(each.spec()) for each in passes)


def check_order(passes: Sequence[Pass]) -> None:
    """Each pass must take what the ones before leave; PipelineError names two that do not meet."""
    form: str | None = None
    before = "the input"
    for each in passes:
        if form is not None and not allows(each.takes, form):
            raise PipelineError(
                f"pass '{each.name}' takes form '{each.takes}', but {before} leaves '{form}'",
                where=f"pipeline '{pipeline_text(passes)}'",
                help="order the passes as dojocc.passes.pipeline.PIPELINE does",
            )
        given = each.takes if form is None else form
        form = each.form_after(given)
        before = f"'{each.name}'"


def run_pipeline(
    ctx: DojoContext,
    module: ModuleOp,
    passes: Sequence[Pass],
    after: Callback | None = None,
    timing: dict[str, float] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> None:
    """Run the passes in order, checking form and verifier after each.

    `after(pass, module)` is called behind every pass; `timing` collects seconds by pass name.
    """
    check_order(passes)
    if passes:
        _check_input(module, passes[0])
    form = passes[0].takes if passes else ""
    located = not without_location(module)  # hand-written IR may lack locations; passes add no gaps
    known: Known = {}
    for each in passes:
        start = clock()
        each.apply(ctx, module)
        form = each.form_after(form)
        _check_output(module, each, form, located, known)
        if timing is not None:
            timing[each.name] = timing.get(each.name, 0.0) + clock() - start
        if after is not None:
            after(each, module)


def _check_input(module: ModuleOp, first: Pass) -> None:
    found = violations(module, first.takes)
    if found:
        raise PipelineError(
            f"pass '{first.name}' takes form '{first.takes}', which the module does not have",
            where=found[0],
            numbers=f"{len(found)} ops are not of that form",
            help=f"the form allows {FORMS[first.takes].summary}",
        )


def _check_output(module: ModuleOp, last: Pass, form: str, located: bool, known: Known) -> None:
    try:
        verify_module(module, located, known)
    except InvalidModule as error:
        raise PassBroken(
            f"pass '{last.name}' left a module that does not verify: {error.what}",
            where=error.where,
            numbers=error.numbers,
        ) from error
    found = violations(module, form)
    if found:
        raise PassBroken(
            f"pass '{last.name}' promises form '{form}' but left something else",
            where=found[0],
            numbers=f"{len(found)} ops are not of that form",
        )
