"""DojoContext: an xDSL context with our dialects, the target, and the arrays IR text only names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import Builtin
from xdsl.dialects.func import Func
from xdsl.ir import Dialect

from dojocc.dialects.disa import DISA
from dojocc.dialects.mesh_collective import Mesh
from dojocc.dialects.nn import NN
from dojocc.dialects.tile import Tile
from dojocc.runtime.target import Target

DIALECTS: tuple[Dialect, ...] = (Builtin, Func, NN, Mesh, Tile, DISA)


@dataclass
class DojoContext(Context):
    """`resources`: arrays of large constants by key; `remarks`: what passes have to say;
    `choices`: by source location, the mappings weighed for its kernels; `parameters`: what inputs
    that were constants held. With `keep_weights` frontends leave every weight of the model a
    resource by its own name, however small, and compute nothing from weights.
    """

    target: Target | None = None
    resources: dict[str, np.ndarray] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    parameters: dict[str, np.ndarray] = field(default_factory=dict)
    keep_weights: bool = False
    choices: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for dialect in DIALECTS:
            self.load_dialect(dialect)
