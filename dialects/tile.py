"""The `tile` dialect: per program class, kernels as loop nests over SRAM buffers, and the schedule
that calls them.

Inside kernels (tile_types, tile_memory, tile_compute): level-numbered loops around loads, vector
and matrix ops, and stores. Values are SSA, but `tile.cell` and `tile.acc_zero` name mutable
registers, so that loops carry no values. Around them (tile_program): buffers, images, inputs,
outputs, exchanges, calls; the order of ops is the schedule.
"""

from __future__ import annotations

from xdsl.ir import Dialect

from dojocc.dialects.tile_access import LEVELS, Access, AccessAttr
from dojocc.dialects.tile_collective import CollectiveOp
from dojocc.dialects.tile_compute import (
    ACCUMULATING,
    AccReadOp,
    AccumulateOp,
    AccZeroOp,
    AssignOp,
    CellOp,
    FmaAccumulateOp,
    MmaOp,
    SplatOp,
    VectorOp,
    vector_result,
)
from dojocc.dialects.tile_memory import (
    GRANULES,
    AccessOp,
    GatherOp,
    InBoundsOp,
    LoadOp,
    LoadRawOp,
    StoreOp,
)
from dojocc.dialects.tile_program import (
    AllocOp,
    CallOp,
    ExchangeOp,
    ImageOp,
    InputOp,
    OutputOp,
    ProgramOp,
)
from dojocc.dialects.tile_types import (
    AccType,
    ForOp,
    KernelOp,
    PredType,
    RawType,
    VecType,
    buffer_format,
)

__all__ = [
    "ACCUMULATING",
    "GRANULES",
    "LEVELS",
    "AccReadOp",
    "AccType",
    "AccZeroOp",
    "Access",
    "AccessAttr",
    "AccessOp",
    "AccumulateOp",
    "AllocOp",
    "AssignOp",
    "CallOp",
    "CellOp",
    "CollectiveOp",
    "ExchangeOp",
    "FmaAccumulateOp",
    "ForOp",
    "GatherOp",
    "ImageOp",
    "InBoundsOp",
    "InputOp",
    "KernelOp",
    "LoadOp",
    "LoadRawOp",
    "MmaOp",
    "OutputOp",
    "PredType",
    "ProgramOp",
    "RawType",
    "SplatOp",
    "StoreOp",
    "Tile",
    "VecType",
    "VectorOp",
    "buffer_format",
    "vector_result",
]

Tile = Dialect(
    "tile",
    [
        KernelOp,
        ForOp,
        LoadOp,
        StoreOp,
        LoadRawOp,
        GatherOp,
        InBoundsOp,
        AccZeroOp,
        MmaOp,
        AccReadOp,
        VectorOp,
        SplatOp,
        CellOp,
        AccumulateOp,
        FmaAccumulateOp,
        AssignOp,
        ProgramOp,
        AllocOp,
        ImageOp,
        InputOp,
        OutputOp,
        ExchangeOp,
        CollectiveOp,
        CallOp,
    ],
    [VecType, RawType, AccType, PredType, AccessAttr],
)
