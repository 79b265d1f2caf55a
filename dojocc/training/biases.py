"""Biases of narrow formats: learnt from the largest magnitudes a run has seen, tensor by tensor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import floor, inf, log2
from typing import Any

import numpy as np

from dojocc.passes.round_stores import LARGEST, SATURATED, UNDERFLOWN, scale_name
from dojocc.runtime.formats import Format, find_format

EVERY = 16
"""Steps between two choices of all biases."""
HEADROOM = 2.0
"""How much larger than what was seen a tensor may become without being clamped."""
BACKWARD = "gradient of "
"""How the names of tensors begin that are stored in the backward format."""


@dataclass
class Held:
    """One tensor's format, its bias, and the largest magnitude since that was chosen."""

    format: Format
    bias: int
    largest: float = 0.0

    def choose(self) -> None:
        """The bias with which HEADROOM times the largest magnitude still is in range."""
        if 0.0 < self.largest < inf:
            top = log2(self.format.largest(0) / (self.largest * HEADROOM))
            allowed = self.format.biases
            self.bias = min(max(floor(top), allowed[0]), allowed[-1])
        self.largest = 0.0

    @property
    def scale(self) -> float:
        """What values are multiplied by, so that the default bias does as this one would."""
        return 2.0 ** (self.bias - self.format.bias)


@dataclass
class Biases:
    """All rounded tensors of a step. Before the first step nothing is known of their sizes: the
    trainer runs that step twice, and `learnt` says whether it has."""

    held: dict[str, Held]
    learnt: bool = False
    late: set[str] = field(default_factory=set)

    @staticmethod
    def of(inputs: Iterable[str], forward: str, backward: str) -> Biases:
        """The tensors that have a scale among a step's inputs."""
        prefix = scale_name("")
        names = [name.removeprefix(prefix) for name in inputs if name.startswith(prefix)]
        rows = {
            name: find_format(backward if name.startswith(BACKWARD) else forward) for name in names
        }
        return Biases({name: Held(row, row.bias) for name, row in rows.items()})

    def feeds(self) -> dict[str, np.ndarray]:
        """The scales as inputs."""
        rows = self.held.items()
        return {scale_name(name): np.array(each.scale, np.float32) for name, each in rows}

    def observe(self, values: Mapping[str, np.ndarray]) -> dict[str, dict[str, Any]]:
        """Take in what a step saw; gives what it says of every tensor."""
        found = {}
        for name, each in self.held.items():
            largest, saturated, lost = (
                float(values[f"{what} of {name}"]) for what in (LARGEST, SATURATED, UNDERFLOWN)
            )
            each.largest = max(each.largest, largest)
            if saturated:
                self.late.add(name)
            found[name] = {
                "format": each.format.name,
                "bias": each.bias,
                LARGEST: largest,
                SATURATED: int(saturated),
                UNDERFLOWN: int(lost),
            }
        return found

    def choose(self, step: int) -> None:
        """New biases: each EVERY steps all, between them those of tensors that were clamped."""
        for name, each in self.held.items():
            if step % EVERY == 0 or name in self.late:
                each.choose()
        self.late = set()
        self.learnt = True

    def facts(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        rows = {name: [each.bias, each.largest] for name, each in self.held.items()}
        return {"learnt": self.learnt, "tensors": rows}

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Go on from a checkpoint's facts, of the same tensors."""
        for name, (bias, largest) in facts["tensors"].items():
            self.held[name].bias, self.held[name].largest = int(bias), float(largest)
        self.learnt, self.late = bool(facts["learnt"]), set()
