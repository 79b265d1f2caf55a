"""Weights of a text model: tensors by name from safetensors and npz files beside it."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

SUFFIXES = (".safetensors", ".npz")


class WeightError(Exception):
    """A weight file or tensor that cannot be had; the message says why."""


class WeightFiles:
    """The files a model names, in order; a tensor is found in the first that has it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.arrays: dict[str, tuple[Path, str]] = {}

    def add(self, name: str) -> None:
        path = self.folder / name
        if path.suffix not in SUFFIXES:
            raise WeightError(f"weight files end in {' or '.join(SUFFIXES)}, not {name!r}")
        if not path.is_file():
            raise WeightError(f"there is no weight file {path}")
        for key in names_of(path):
            self.arrays.setdefault(key, (path, key))

    def names(self) -> Iterable[str]:
        return self.arrays

    def get(self, name: str) -> np.ndarray | None:
        if name not in self.arrays:
            return None
        path, key = self.arrays[name]
        try:
            if path.suffix == ".npz":
                with np.load(path, allow_pickle=False) as file:
                    return np.asarray(file[key])
            with safe_open(str(path), framework="numpy") as file:
                return file.get_tensor(key)
        except (SafetensorError, ValueError, TypeError, OSError, zipfile.BadZipFile) as error:
            raise WeightError(f"weight {name!r} of {path} cannot be read: {error}") from error


def names_of(path: Path) -> list[str]:
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                return list(file.files)
        with safe_open(str(path), framework="numpy") as file:
            return list(file.keys())
    except (SafetensorError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise WeightError(f"weight file {path} cannot be read: {error}") from error
