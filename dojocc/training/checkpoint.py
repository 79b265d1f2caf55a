"""Checkpoints: all that a run needs to go on bit by bit, as one safetensors file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from dojocc.runtime.files import write_atomically
from dojocc.training.errors import CheckpointError
from dojocc.training.plan import Row

FORM = "dojocc.checkpoint/1"
KEY = "dojocc"


def write_checkpoint(
    path: str | Path, tensors: Mapping[str, np.ndarray], facts: Mapping[str, Any]
) -> None:
    """Put a checkpoint at `path`, whole or not at all: a full disk leaves the old one as it was."""
    text = json.dumps({"form": FORM, **facts}, sort_keys=True)
    write_atomically(path, save(dict(tensors), {KEY: text}))


def read_checkpoint(
    path: str | Path, rows: tuple[Row, ...]
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The tensors of `rows` and the facts; raises where the file is another run's."""
    try:
        with safe_open(str(path), framework="numpy") as file:
            facts = json.loads((file.metadata() or {}).get(KEY, "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError) as error:
        raise CheckpointError(f"cannot read checkpoint {path}", where=str(error)) from error
    if facts.get("form") != FORM:
        raise CheckpointError(
            f"{path} is no checkpoint of this version",
            numbers=f"it says {facts.get('form', 'nothing')!r}, not {FORM!r}",
        )
    check(str(path), tensors, rows)
    return {row.name: tensors[row.name] for row in rows}, facts


def check(path: str, tensors: Mapping[str, np.ndarray], rows: tuple[Row, ...]) -> None:
    """Every tensor of the step is there, with its shape, and no other."""
    help = "go on with the model and the optimizer the checkpoint was made with"
    for row in rows:
        if row.name not in tensors:
            raise CheckpointError(
                f"checkpoint {path} does not hold tensor '{row.name}'",
                numbers=f"the step needs {list(row.shape)}",
                help=help,
            )
        if tensors[row.name].shape != row.shape:
            raise CheckpointError(
                f"tensor '{row.name}' of checkpoint {path} has another shape",
                numbers=f"the step needs {list(row.shape)}, "
                f"the checkpoint has {list(tensors[row.name].shape)}",
                help=help,
            )
    extra = sorted(set(tensors) - {row.name for row in rows})
    if extra:
        more = f" and {len(extra) - 4} more" if len(extra) > 4 else ""
        raise CheckpointError(
            f"checkpoint {path} holds tensors the step has not",
            numbers=f"{', '.join(extra[:4])}{more}",
            help=help,
        )
