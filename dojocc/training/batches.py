"""Batches: from arrays in a seeded order, and what a batch must be before a step sees it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from dojocc.runtime.errors import InputError
from dojocc.runtime.philox import random_bits
from dojocc.training.errors import BadBatch
from dojocc.training.plan import Row

Batch = Mapping[str, np.ndarray]


class Numbered(dict[str, np.ndarray]):
    """A batch that knows which samples of the data it holds."""

    def __init__(self, arrays: Batch, samples: np.ndarray) -> None:
        super().__init__(arrays)
        self.samples = samples


def sample_text(number: int, samples: np.ndarray | None) -> str:
    """A bad sample, by its place in the batch, and in the data where that is known."""
    known = "" if samples is None else f" (sample {samples[number]} of the data)"
    return f"sample {number} of the batch{known}"


@dataclass(frozen=True, eq=False)
class ArrayData:
    """Arrays whose first dim counts samples; every epoch goes through all of them in a new order.

    The order depends on the seed and the epoch alone, so a run can go on at any step. Samples that
    do not fill a batch at the end of an epoch wait for another epoch's order.
    """

    arrays: Mapping[str, np.ndarray]
    size: int
    seed: int = 0
    shuffle: bool = True

    def __post_init__(self) -> None:
        counts = {name: len(array) if np.ndim(array) else 0 for name, array in self.arrays.items()}
        if len(set(counts.values())) != 1:
            rows = ", ".join(f"{name} {count}" for name, count in counts.items())
            raise InputError(
                "the arrays of the data hold different numbers of samples", numbers=rows or "none"
            )
        if self.samples < self.size:
            raise InputError(
                "the data are less than a batch",
                numbers=f"{self.samples} samples, a batch takes {self.size}",
                help="compile the model for a smaller batch",
            )

    @property
    def samples(self) -> int:
        return len(next(iter(self.arrays.values())))

    @property
    def batches(self) -> int:
        """Whole batches in an epoch."""
        return self.samples // self.size

    def from_step(self, step: int) -> Iterator[Batch]:
        """Batches without end, from that of step `step` (counted from 0) on."""
        while True:
            epoch, place = divmod(step, self.batches)
            order = self.order(epoch)
            for number in range(place, self.batches):
                chosen = order[number * self.size : (number + 1) * self.size]
                arrays = {name: array[chosen] for name, array in self.arrays.items()}
                yield Numbered(arrays, chosen)
                step += 1

    def order(self, epoch: int) -> np.ndarray:
        """The samples of an epoch, one after another."""
        if not self.shuffle:
            return np.arange(self.samples)
        bits = random_bits(self.seed, epoch, "order of samples", 0, self.samples)
        return np.argsort(bits, kind="stable")


def checked(batch: Batch, data: tuple[Row, ...], classes: int | None) -> dict[str, np.ndarray]:
    """The batch as the step takes it; raises where it must not be trained on.

    `classes`: how many there are, where the last input holds numbers of classes.
    """
    missing = [row.name for row in data if row.name not in batch]
    unknown = sorted(set(batch) - {row.name for row in data})
    if missing or unknown:
        raise BadBatch(
            "the batch does not have the step's inputs",
            numbers=f"missing: {', '.join(missing) or 'none'}; "
            f"unknown: {', '.join(unknown) or 'none'}",
            help=f"the inputs are {', '.join(row.name for row in data)}",
        )
    samples = batch.samples if isinstance(batch, Numbered) else None
    found = {row.name: converted(batch[row.name], row, samples) for row in data}
    if classes is not None:
        check_labels(found[data[-1].name], data[-1].name, classes, samples)
    return found


def converted(array: np.ndarray, row: Row, numbers: np.ndarray | None = None) -> np.ndarray:
    """One array in the step's shape and type, without NaN."""
    array = np.asarray(array)
    if array.shape != row.shape:
        raise BadBatch(
            f"input '{row.name}' of the batch has the wrong shape",
            numbers=f"need {list(row.shape)}, have {list(array.shape)}",
        )
    if row.dtype.kind == "f":
        if array.dtype.kind not in "fiub":
            raise BadBatch(
                f"input '{row.name}' of the batch holds no numbers", numbers=f"type {array.dtype}"
            )
        flat = array.reshape(len(array), -1) if array.ndim else array.reshape(1, 1)
        bad = ~np.isfinite(flat)
        if bad.any():
            samples = np.flatnonzero(bad.any(1))
            place = np.flatnonzero(bad[samples[0]])[0]
            raise BadBatch(
                f"input '{row.name}' has numbers that are not finite",
                where=f"{sample_text(samples[0], numbers)}, element {place}",
                numbers=f"{int(bad.sum())} in {len(samples)} of {len(flat)} samples",
                help="clean the data, or leave these samples out",
            )
        return array.astype(np.float32)
    if array.dtype.kind not in "iub":
        raise BadBatch(
            f"input '{row.name}' of the batch holds no whole numbers",
            numbers=f"type {array.dtype}",
            help="convert it with .astype(numpy.int32)",
        )
    return array.astype(row.dtype)


def check_labels(
    labels: np.ndarray, name: str, classes: int, samples: np.ndarray | None = None
) -> None:
    """Every label is the number of a class."""
    bad = (labels < 0) | (labels >= classes)
    if bad.any():
        place = tuple(int(index) for index in np.argwhere(bad)[0])
        raise BadBatch(
            f"'{name}' holds {int(labels[place])}, which is no class",
            where=sample_text(place[0], samples) + (f", place {place[1:]}" if place[1:] else ""),
            numbers=f"classes are 0 to {classes - 1}; {int(bad.sum())} of {bad.size} are not",
        )
