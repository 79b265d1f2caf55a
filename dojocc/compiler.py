"""Compiling: model -> frontend -> pipeline -> program, with the options a user may set.

`compile_model` does it all and says how long each pass took; it can stop at any level.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from xdsl.dialects.builtin import ModuleOp

from dojocc import __version__
from dojocc.cache import Cache, key_of
from dojocc.dialects.context import DojoContext
from dojocc.dialects.forms import FORMS, form_of
from dojocc.dialects.function import input_names, main_function
from dojocc.fitting import with_suggestions
from dojocc.frontends.read import opened, read_model
from dojocc.options import LEVELS, Options
from dojocc.passes.allocate import Allocate
from dojocc.passes.base import Pass
from dojocc.passes.emit import emit_program
from dojocc.passes.pipeline import (
    PIPELINE,
    TRAINING,
    Step,
    default_passes,
    pipeline_text,
    run_pipeline,
)
from dojocc.passes.relay import Relays
from dojocc.passes.solve.blocking import ACCUMULATORS
from dojocc.report.mapping import mapping_of
from dojocc.runtime.errors import DoesNotFit, DojoError, UsageError
from dojocc.runtime.program import Program
from dojocc.threads import one_blas_thread

BLOCKS_FROM = 3
"""The -O level from which products are summed in several accumulators side by side: a few percent
fewer cycles (2 to 6 on the zoo), and twice the time to interpret."""
FROM_LEVEL = {"recognise": 1, "fold-batch-norm": 1, "relay": 3}
"""The -O level from which a pass runs; all others always do, as the levels below need them. Relays
take a third of ResNet-50's cycles away, but their steps are more list entries than nodes, and take
several times as long to interpret."""

After = Callable[[Pass, ModuleOp], None]
Watch = Callable[[str, int, int], None]
"""Called before each step with its name, its number from 0, and how many there are."""


@dataclass(eq=False)
class Compilation:
    """What a compile leaves: the module at the level it stopped, and the program if it went on."""

    context: DojoContext
    module: ModuleOp
    program: Program | None = None
    seconds: float = 0.0
    passes: dict[str, float] = field(default_factory=dict)


def compile_model(
    model: Any,
    options: Options,
    stop_at: str | None = None,
    after: After | None = None,
    watch: Watch | None = None,
    steps: Sequence[Step] | None = None,
) -> Compilation:
    """Compile `model`; with `stop_at` (nn, mesh, tile, disa) only to the end of that level.

    `after(pass, module)` is called behind each pass, `watch(name, number, count)` before each step.
    A model that does not fit is planned again with other options, and the error names those that
    then work.
    """
    whole = PIPELINE if options.training is None else (*TRAINING, *PIPELINE)
    wanted = whole if steps is None else steps
    model = opened(model)
    try:
        with one_blas_thread():
            return _compile(model, options, stop_at, after, watch, wanted)
    except DoesNotFit as error:
        planning = up_to_addresses(wanted)

        def fits(other: Options) -> bool:
            try:
                _compile(model, other, "tile", None, None, planning)
            except DojoError:
                return False
            return True

        raise with_suggestions(error, options, fits) from error


def compile_cached(
    model: Any,
    options: Options,
    cache: Cache | None,
    watch: Watch | None = None,
    key: str | None = None,
) -> Compilation:
    """As `compile_model`, from the cache where it has the program. What comes from there has no
    module: only the program and its remarks. `key`: of the model, where it is known, and known not
    to be there."""
    begun = time.perf_counter()
    missing = key is not None
    key = key or (None if cache is None else key_of(model, options))
    if cache is None or key is None:
        return compile_model(model, options, watch=watch)
    kept = None if missing else cache.get(key)
    if kept is None:
        made = compile_model(model, options, watch=watch)
        assert made.program is not None
        note = cache.put(key, made.program)
        if note is not None:
            made.context.remarks.append(f"cache: {note}")
        return made
    context = DojoContext()
    context.target = kept.program.target
    context.remarks.extend(kept.remarks)
    seconds = time.perf_counter() - begun
    return Compilation(context, ModuleOp([]), kept.program, seconds, {"cache": seconds})


def up_to_addresses(steps: Sequence[Step]) -> Sequence[Step]:
    """The steps that decide whether a model fits: up to the one that gives buffers addresses."""
    ends = (number for number, step in enumerate(steps, 1) if step.make is Allocate)
    return steps[: next(ends, len(steps))]


def _compile(
    model: Any,
    options: Options,
    stop_at: str | None,
    after: After | None,
    watch: Watch | None,
    steps: Sequence[Step],
) -> Compilation:
    """One compile, with these options and no others."""
    start = time.perf_counter()
    context = DojoContext()
    context.target = options.machine()
    context.keep_weights = options.training is not None
    passes = chosen_passes(options, steps, stop_at)
    watch = watch or (lambda name, number, count: None)
    watch("import", 0, len(passes) + 2)
    module = read_model(model, context, options.shapes)
    inputs = input_names(main_function(module)) if level_of(form_of(module)) == "nn" else ()
    passes = passes_from(passes, form_of(module))
    names = ["import", *(each.name for each in passes), "emit"]
    result = Compilation(context, module, passes={"import": time.perf_counter() - start})
    mapping: dict[str, str] = {}
    progress = iter(range(1, len(names)))

    def behind(each: Pass, module: ModuleOp) -> None:
        if each.leaves == "mesh":
            mapping.update(mapping_of(module))
        if after is not None:
            after(each, module)
        number = next(progress) + 1
        watch(names[number], number, len(names))

    if passes:
        watch(names[1], 1, len(names))
    run_pipeline(context, module, passes, behind, result.passes)
    if stop_at is None:
        begun = time.perf_counter()
        emitted = emit_program(context, module, record(options, passes, context, mapping))
        result.program = with_inputs_ordered(emitted, inputs)
        result.passes["emit"] = time.perf_counter() - begun
    result.seconds = time.perf_counter() - start
    return result


def with_inputs_ordered(program: Program, names: Sequence[str]) -> Program:
    """Inputs as the model orders them; streams take them in the order of their first use."""
    place = {name: number for number, name in enumerate(names)}
    rows = sorted(program.inputs, key=lambda port: place.get(port.name, len(place)))
    if rows == list(program.inputs):
        return program  # as in most models: all of it need not be checked again
    return replace(program, inputs=tuple(rows))


def chosen_passes(options: Options, steps: Sequence[Step], stop_at: str | None) -> tuple[Pass, ...]:
    """The pipeline's passes for these options, up to the last that leaves the level to stop at."""
    wanted = [step for step in steps if FROM_LEVEL.get(step.make.name, 0) <= options.optimize]
    chosen: dict[str, dict[str, object]] = {
        "precision": {"to": options.precision},
        "shard": {"dram": options.dram},
        "tile": {},
    }
    if options.training is not None:
        chosen |= options.training.passes()
    if any(step.make is Relays for step in wanted):
        chosen["shard"]["relay_worth"] = Relays().worth
    if options.optimize >= BLOCKS_FROM:
        chosen["tile"] = {"accumulators": ACCUMULATORS}
        chosen["shard"]["accumulators"] = ACCUMULATORS
    passes = default_passes(wanted, chosen)
    if stop_at is None:
        return passes
    if stop_at not in LEVELS:
        raise UsageError(f"there is no level {stop_at!r}", help=f"one of {', '.join(LEVELS)}")
    count, form = 0, "nn"
    for number, each in enumerate(passes, 1):
        form = each.form_after(form)
        if LEVELS.index(level_of(form)) <= LEVELS.index(stop_at):
            count = number
    return passes[:count]


def passes_from(passes: tuple[Pass, ...], form: str) -> tuple[Pass, ...]:
    """The passes that a module of this form still needs: a model may be given at a lower level."""
    if level_of(form) == "nn":
        return passes
    taking = (number for number, each in enumerate(passes) if each.takes == form)
    return passes[next(taking, len(passes)) :]


def level_of(form: str) -> str:
    """The level a form is of: nn-core and nn-fused are forms of the level nn."""
    assert form in FORMS, form
    return form.split("-")[0]


def record(
    options: Options, passes: Sequence[Pass], context: DojoContext, mapping: dict[str, str]
) -> dict[str, Any]:
    """The build record: all that decided the program, no time and no place."""
    target = context.target
    assert target is not None
    return {
        "dojocc": __version__,
        "target": target.name,
        "precision": options.precision,
        "optimize": options.optimize,
        "dram": options.dram,
        "seed": options.seed,
        "shapes": {name: list(shape) for name, shape in (options.shapes or {}).items()},
        "defects": {
            "nodes": [list(place) for place in target.defect_nodes],
            "links": [[list(end) for end in link] for link in target.defect_links],
        },
        "passes": pipeline_text(passes),
        "mapping": mapping,
        "choices": context.choices,
        "remarks": list(context.remarks),
    }
