"""ONNX's backend interface (onnx.backend.base): models and single nodes run as instruction streams.

Shapes, axes and the like must be known when a model is compiled. Where a model takes them as inputs
it is compiled when it is run, with these inputs as constants; all other inputs stay inputs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, helper, numpy_helper
from onnx.backend.base import Backend, BackendRep, namedtupledict

from dojocc.api import compile as compile_program
from dojocc.frontends.onnx import check_support
from dojocc.frontends.onnx.model_file import STANDARD
from dojocc.frontends.onnx.node import NeedsConstants, type_name
from dojocc.runtime.errors import InputError
from dojocc.runtime.program import Program
from dojocc.runtime.target import Target
from dojocc.session import Session

__all__ = [
    "DojoBackend",
    "DojoRep",
    "is_compatible",
    "prepare",
    "run_model",
    "run_node",
    "supports_device",
]

DEVICES = ("CPU", "DOJO")
"""The vectorised interpreter runs on the host; both names mean it."""


class DojoRep(BackendRep):
    """A model made ready: `run` gives the outputs for a list (or dict) of inputs.

    `program` is that of the last run; its `build["remarks"]` names every narrowing.
    """

    def __init__(self, model: ModelProto, target: str | Path | Target, precision: str) -> None:
        self.model = model
        self.target, self.precision = target, precision
        held = {tensor.name for tensor in model.graph.initializer}
        self.inputs = [value for value in model.graph.input if value.name not in held]
        self.program: Program | None = None
        self.bound: set[str] = set()
        self._session: tuple[Any, Session] | None = None

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Outputs in the model's order, in its element types. Raises DojoError."""
        feeds = {name: as_array(name, value) for name, value in self._named(inputs).items()}
        while True:
            try:
                return self._run(feeds)
            except NeedsConstants as error:
                if error.inputs <= self.bound:
                    raise
                self.bound |= error.inputs

    def _named(self, inputs: Any) -> Mapping[str, Any]:
        if isinstance(inputs, Mapping):
            return inputs
        rows = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
        if len(rows) != len(self.inputs):
            raise InputError(
                f"the model has {len(self.inputs)} inputs",
                numbers=f"{len(rows)} are given",
                help=", ".join(value.name for value in self.inputs),
            )
        return {value.name: row for value, row in zip(self.inputs, rows, strict=True)}

    def _run(self, feeds: dict[str, np.ndarray]) -> tuple[Any, ...]:
        graph = self.model.graph
        constants = {n: a for n, a in feeds.items() if n in self.bound or not a.size}
        empty = {value.name: shape for value in graph.output if 0 in (shape := sizes(value))}
        if len(empty) == len(graph.output):
            return self._named_outputs(dict.fromkeys(empty, None), empty)
        session = self._compiled(feeds, constants, empty)
        used = {argument.name for argument in session.get_inputs()}  # nothing may hang on the rest
        given = {n: on_lanes(n, a) for n, a in feeds.items() if n in used}
        names = [value.name for value in graph.output if value.name not in empty]
        return self._named_outputs(dict(zip(names, session.run(None, given), strict=True)), empty)

    def _named_outputs(self, found: Mapping[str, Any], empty: Mapping[str, Any]) -> tuple[Any, ...]:
        """Outputs in the model's order and types; those without elements are made here."""
        rows = []
        for value in self.model.graph.output:
            name = value.name
            rows.append(as_declared(value, np.zeros(empty[name]) if name in empty else found[name]))
        return namedtupledict("Outputs", [value.name for value in self.model.graph.output])(*rows)

    def _compiled(
        self,
        feeds: dict[str, np.ndarray],
        constants: dict[str, np.ndarray],
        empty: Collection[str],
    ) -> Session:
        """The session for these shapes and constants; the last one is kept."""
        rows = [
            (n, a.shape, str(a.dtype), a.tobytes() if n in constants else b"")
            for n, a in feeds.items()
        ]
        if self._session is None or self._session[0] != rows:
            shapes = {n: a.shape for n, a in feeds.items() if n not in constants}
            self.program = compile_program(
                bound(self.model, constants, empty), self.target, self.precision, shapes
            )
            self._session = (rows, Session(self.program))
        return self._session[1]


def as_array(name: str, value: Any) -> np.ndarray:
    """An input as an array; sequences, optionals and strings are refused."""
    if value is None or isinstance(value, list | tuple | dict):
        kind = "an empty optional" if value is None else f"a {type(value).__name__}"
        raise InputError(f"input {name!r} is {kind}; only tensors are supported")
    array = np.asarray(value)
    if array.dtype.kind in "OUSMm":
        raise InputError(f"input {name!r} holds strings or objects; only numbers are supported")
    return array


def on_lanes(name: str, array: np.ndarray) -> np.ndarray:
    """An input in the machine's types: FP32, integers (range-checked by the session) or bool."""
    if array.dtype == np.bool_:
        return array
    if array.dtype.kind == "u" and array.size and int(array.max()) > np.iinfo(np.int32).max:
        raise InputError(
            f"input {name!r} has values beyond the machine's 32-bit integers",
            numbers=f"up to {int(array.max())}",
        )
    if is_integer(array.dtype):
        return array.astype(np.int64)
    with np.errstate(over="ignore"):
        narrow = array.astype(np.float32)
    lost = int((np.isinf(narrow) & np.isfinite(array)).sum()) if array.dtype == np.float64 else 0
    if lost:
        raise InputError(f"input {name!r} has values beyond FP32's range", numbers=f"{lost} values")
    return narrow


def is_integer(dtype: np.dtype) -> bool:
    """True for NumPy's integers and for the narrow ones that ml_dtypes adds."""
    return dtype.kind in "iu" or dtype.name.lstrip("u").startswith("int")


def as_declared(value: onnx.ValueInfoProto, array: np.ndarray) -> np.ndarray:
    """A result in the element type that the model declares."""
    kind = value.type.tensor_type.elem_type
    if not kind:
        return array
    wanted = helper.tensor_dtype_to_np_dtype(kind)
    with np.errstate(all="ignore"):
        return array.astype(wanted, copy=False)


def sizes(value: onnx.ValueInfoProto) -> list[int]:
    """The declared sizes; -1 where one is open."""
    dims = value.type.tensor_type.shape.dim
    return [dim.dim_value if dim.HasField("dim_value") else -1 for dim in dims]


def bound(
    model: ModelProto, constants: Mapping[str, np.ndarray], left_out: Collection[str]
) -> ModelProto:
    """The model with some of its inputs as initialisers and some of its outputs left out."""
    copy = ModelProto()
    copy.CopyFrom(model)
    for name, array in constants.items():
        copy.graph.initializer.append(numpy_helper.from_array(array, name))
    kept = [value for value in model.graph.output if value.name not in left_out]
    del copy.graph.output[:]
    copy.graph.output.extend(kept)
    return copy


class DojoBackend(Backend):
    """onnx.backend.base.Backend for dojocc. Options: `target` (d1-die), `precision` (fp32)."""

    @classmethod
    def is_compatible(cls, model: ModelProto, device: str = "CPU", **kwargs: Any) -> bool:
        """True if every op can be imported, as far as that is known before inputs are."""
        try:
            return cls.supports_device(device) and not check_support(model)
        except NeedsConstants:
            return True
        except InputError:
            return False

    @classmethod
    def prepare(cls, model: ModelProto, device: str = "CPU", **kwargs: Any) -> DojoRep:
        """The model ready to run. Raises InputError for a device or type it does not have."""
        if not cls.supports_device(device):
            raise InputError(f"there is no device {device!r}", help=f"one of {', '.join(DEVICES)}")
        for value in (*model.graph.input, *model.graph.output):
            require_tensor(value)
        target, precision = kwargs.get("target", "d1-die"), kwargs.get("precision", "fp32")
        return DojoRep(model, target, precision)

    @classmethod
    def run_model(
        cls, model: ModelProto, inputs: Any, device: str = "CPU", **kwargs: Any
    ) -> tuple[Any, ...]:
        return cls.prepare(model, device, **kwargs).run(inputs)

    @classmethod
    def run_node(
        cls,
        node: NodeProto,
        inputs: Any,
        device: str = "CPU",
        outputs_info: Sequence[tuple[np.dtype, tuple[int, ...]]] | None = None,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """One node on arrays, in the newest opset or `opset_version`."""
        version = int(kwargs.pop("opset_version", onnx.defs.onnx_opset_version()))
        given = inputs if isinstance(inputs, list | tuple) else [inputs]
        names = [name for name in node.input if name]
        arrays = {n: as_array(n, value) for n, value in zip(names, given, strict=True)}
        infos = [
            helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
            for n, a in arrays.items()
        ]
        outputs = [onnx.ValueInfoProto(name=name) for name in node.output if name]
        for value, row in zip(outputs, outputs_info or (), strict=False):
            value.type.tensor_type.elem_type = helper.np_dtype_to_tensor_dtype(np.dtype(row[0]))
        graph = helper.make_graph([node], node.op_type, infos, outputs)
        domain = "" if node.domain in STANDARD else node.domain
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid(domain, version)])
        typed = onnx.shape_inference.infer_shapes(model)
        return cls.run_model(typed, arrays, device, **kwargs)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        return device.split(":")[0] in DEVICES


def require_tensor(value: onnx.ValueInfoProto) -> None:
    """Refuse sequences, maps, optionals and strings by name."""
    kind = value.type.WhichOneof("value")
    if kind not in ("tensor_type", None):
        text = str(kind).removesuffix("_type").replace("_", " ")
        raise InputError(f"{value.name!r} is of type {text}; only tensors are supported")
    if value.type.tensor_type.elem_type == onnx.TensorProto.STRING:
        raise InputError(
            f"{value.name!r} holds {type_name(onnx.TensorProto.STRING)}s, which are not supported"
        )


prepare = DojoBackend.prepare
run_model = DojoBackend.run_model
run_node = DojoBackend.run_node
supports_device = DojoBackend.supports_device
is_compatible = DojoBackend.is_compatible
