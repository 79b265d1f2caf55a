"""What makes a model fit: other options, each planned up to addresses before it is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from dojocc.options import Options
from dojocc.runtime.errors import DoesNotFit
from dojocc.runtime.targets import list_targets, load_target

NARROW = "bf16"
LARGER = 2
"""Targets tried at most: the next larger ones."""

Fits = Callable[[Options], bool]


def with_suggestions(error: DoesNotFit, options: Options, fits: Fits) -> DoesNotFit:
    """The same report with what helps. `fits` plans the model with other options."""
    tried: list[str] = []
    found: list[str] = []
    for kind in (streamed(options), narrower(options), larger(options), smaller(options)):
        for flags, other in kind:
            if fits(other):
                found.append(flags)
                break
            tried.append(flags)
    if found:
        help = "it fits with " + ", or with ".join(found)
    else:
        help = f"not enough, tried: {', '.join(tried) or 'nothing'}; use a smaller model or input"
    return DoesNotFit(error.what, error.where, error.numbers, help)


def streamed(options: Options) -> Iterator[tuple[str, Options]]:
    """Constants in DRAM, where that was forbidden."""
    if not options.dram:
        yield "--dram", replace(options, dram=True)


def narrower(options: Options) -> Iterator[tuple[str, Options]]:
    """Half the bytes an element."""
    if options.precision != NARROW:
        yield f"--precision {NARROW}", replace(options, precision=NARROW)


def larger(options: Options) -> Iterator[tuple[str, Options]]:
    """The shipped targets with more nodes than the one in use, the smallest first."""
    have = options.machine().positions
    sizes = {name: load_target(name).positions for name in list_targets()}
    found = sorted((size, name) for name, size in sizes.items() if size > have)
    for _, name in found[:LARGER]:
        yield f"--target {name}", replace(options, target=name)


def smaller(options: Options) -> Iterator[tuple[str, Options]]:
    """Half the batch, the first dimension of the shapes that were given, and half of that."""
    shapes = {name: tuple(shape) for name, shape in (options.shapes or {}).items()}
    while shapes and all(shape and shape[0] > 1 for shape in shapes.values()):
        shapes = {name: (shape[0] // 2, *shape[1:]) for name, shape in shapes.items()}
        words = (f"--shape {name}={'x'.join(map(str, shape))}" for name, shape in shapes.items())
        yield " ".join(words), replace(options, shapes=shapes)
