"""What needs PyTorch: modules and exported programs read into a `TorchGraph`.

The export keeps whole every op that has a handler; all others are decomposed by PyTorch's own
rules. In-place ops are made functional by it. Weights are not copied: arrays share the tensors'
memory.
"""

from __future__ import annotations

import operator
import re
import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from dojocc.frontends.optional import framework
from dojocc.frontends.torch import importer
from dojocc.frontends.torch.graph import Dtype, Held, Meta, Reference, TorchGraph, TorchNode
from dojocc.frontends.torch.node import HANDLERS
from dojocc.frontends.torch.signature import output_names
from dojocc.runtime.errors import DojoError, InputError, UnsupportedError, UsageError

assert importer, "importing it enrols the handlers, which say what is kept whole"

WHAT = "a PyTorch model"
MODULE_KEY = "dojocc.module"
"""Where a graph that torch.compile captured keeps the module of a call."""
ROOT = re.compile(r"^L\['\w+'\]")
"""How torch.compile spells the module that it was given."""
ALSO_WIDE = ("float32", "int32", "int64", "float64", "bool", "int8", "uint8", "int16", "float16")


def export_module(
    module: Any,
    inputs: Sequence[Any],
    keywords: Mapping[str, Any] | None = None,
    name: str | None = None,
) -> TorchGraph:
    """An nn.Module's graph for inputs like these; `name` is for messages."""
    torch = framework("torch", WHAT)
    name = name or type(module).__qualname__
    try:
        with torch.no_grad():
            exported = torch.export.export(module, tuple(inputs), dict(keywords or {}))
    except DojoError:
        raise
    except Exception as error:  # the module's own code runs here, and may fail in any way
        raise InputError(
            f"PyTorch cannot export {name}: {type(error).__name__}",
            where=first_line(error),
            help="call it with the same example inputs in PyTorch; torch.export needs control flow "
            "that does not depend on data",
        ) from error
    return read_exported(exported, name)


def first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "no message")


def load_exported(source: str | Path | bytes) -> TorchGraph:
    """The graph of a file that torch.export.save wrote, or of its bytes."""
    name = "model bytes" if isinstance(source, bytes) else str(source)
    torch = framework("torch", f"{name} (an exported PyTorch program)")
    if not isinstance(source, bytes) and not Path(source).is_file():
        raise InputError(f"there is no file {name}")
    try:
        exported = torch.export.load(BytesIO(source) if isinstance(source, bytes) else name)
    except Exception as error:  # whatever a damaged archive makes the loader raise
        raise InputError(
            f"{name} is not an exported PyTorch program",
            where=f"{type(error).__name__}: {first_line(error)}",
            help="write it with torch.export.save(torch.export.export(module, inputs), path)",
        ) from error
    return read_exported(exported, name)


def read_exported(exported: Any, name: str = "the exported program") -> TorchGraph:
    """An ExportedProgram's graph."""
    torch = framework("torch", WHAT)
    refuse_changes(exported, name)
    table = decompositions()
    with torch.no_grad(), warnings.catch_warnings():
        # PyTorch copies its own deprecated classes and warns of it.
        warnings.filterwarnings("ignore", category=FutureWarning, module="copyreg")
        flat = exported.run_decompositions(table)
    refuse_changes(flat, name)
    return Reader(flat, name).graph()


@lru_cache(1)
def decompositions() -> Any:
    """PyTorch's rules for every op but those that have a handler."""
    table = framework("torch", WHAT).export.default_decompositions()
    for op in list(table):
        if handler_key(op) in HANDLERS:
            table.pop(op)
    return table


def handler_key(op: Any) -> str:
    """`aten.linear` for every overload of it."""
    schema = getattr(op, "_schema", None)
    return schema.name.replace("::", ".") if schema is not None else str(op)


def refuse_changes(exported: Any, name: str) -> None:
    """A program may not change its buffers or inputs: streams have no memory between runs."""
    changed = [
        f"{spec.kind.name.split('_')[0].lower()} '{spec.target}'"
        for spec in exported.graph_signature.output_specs
        if spec.kind.name.endswith("MUTATION")
    ]
    if changed:
        raise UnsupportedError(
            f"the program changes {', '.join(changed)}",
            where=name,
            help="make it an input and a result of forward; call module.eval() before exporting",
        )


class Reader:
    """One exported program read; `references` says what each value of its graph stands for."""

    def __init__(self, exported: Any, name: str) -> None:
        self.exported, self.name = exported, name
        self.references: dict[str, Reference] = {}
        self.held: dict[str, Held] = {}
        self.memory: dict[Any, Held] = {}

    def graph(self) -> TorchGraph:
        inputs = self.inputs()
        nodes = [
            self.node(each)
            for each in self.exported.graph.nodes
            if each.op == "call_function" and not self.is_item(each)
        ]
        return TorchGraph(self.name, inputs, self.held, nodes, self.outputs(inputs))

    def inputs(self) -> list[tuple[str, str, Meta]]:
        """The user's inputs; parameters, buffers and constants go to `held`."""
        found = []
        placeholders = {
            each.name: each for each in self.exported.graph.nodes if each.op == "placeholder"
        }
        for spec in self.exported.graph_signature.input_specs:
            name = spec.arg.name
            self.references[name] = Reference(name)
            if spec.kind.name == "USER_INPUT":
                meta = self.meta(placeholders[name].meta.get("val"), f"input '{name}'")
                if meta is not None:  # None and numbers are known to the graph already
                    found.append((name, name, meta))
            elif spec.kind.name in ("PARAMETER", "BUFFER", "CONSTANT_TENSOR"):
                self.held[name] = self.holding(spec.target)
            else:
                what = f"input '{name}' of kind {spec.kind.name.lower()} is not supported"
                raise UnsupportedError(what, where=self.name)
        return found

    def holding(self, target: str) -> Held:
        """A parameter's numbers, shared with the module; tied ones are one."""
        exported = self.exported
        tensor = exported.state_dict.get(target)
        tensor = exported.constants[target] if tensor is None else tensor
        key = (tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype)
        if key not in self.memory or not tensor.numel():
            self.memory[key] = Held(target, array_of(tensor), dtype_name(tensor.dtype))
        return self.memory[key]

    def is_item(self, node: Any) -> bool:
        """One of several results: a reference to its maker, not a call."""
        if node.target is not operator.getitem:
            return False
        self.references[node.name] = Reference(node.args[0].name, node.args[1])
        return True

    def node(self, node: Any) -> TorchNode:
        self.references[node.name] = Reference(node.name)
        path, kind = module_of(node)
        val = node.meta.get("val")
        values = val if isinstance(val, tuple | list) else (val,)
        where = f"node '{node.name}'"
        return TorchNode(
            node.name,
            handler_key(node.target),
            getattr(node.target, "_overloadname", ""),
            self.arguments(node),
            tuple(self.meta(each, where) for each in values),
            path,
            kind,
        )

    def arguments(self, node: Any) -> dict[str, Any]:
        """Every argument of the schema by its name."""
        schema = getattr(node.target, "_schema", None)
        if schema is None:
            return {f"arg{i}": self.argument(each) for i, each in enumerate(node.args)}
        found = {}
        for place, row in enumerate(schema.arguments):
            given = node.args[place] if place < len(node.args) else row.default_value
            found[row.name] = self.argument(node.kwargs.get(row.name, given))
        return found

    def argument(self, value: Any) -> Any:
        """Plain data; devices, layouts and memory formats mean nothing here."""
        if isinstance(value, list | tuple):
            return tuple(self.argument(each) for each in value)
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if hasattr(value, "op") and hasattr(value, "meta"):
            return self.references.get(value.name, Reference(value.name))
        if type(value).__name__ == "dtype":
            return Dtype(dtype_name(value))
        return None

    def meta(self, value: Any, where: str) -> Meta | None:
        """Type and shape of a tensor; sizes must be known."""
        if not hasattr(value, "dtype") or not hasattr(value, "shape"):
            return None
        if not all(isinstance(size, int) for size in value.shape):
            raise UnsupportedError(
                "the program has sizes that are open",
                where=f"{self.name}, {where}",
                numbers=f"shape {list(value.shape)}",
                help="export it without dynamic_shapes: streams are for one shape",
            )
        return Meta(dtype_name(value.dtype), tuple(value.shape))

    def outputs(self, inputs: Sequence[tuple[str, str, Meta]]) -> list[tuple[Any, str]]:
        specs = [
            spec
            for spec in self.exported.graph_signature.output_specs
            if spec.kind.name == "USER_OUTPUT"
        ]
        names = output_names(self.exported.call_spec.out_spec, len(specs))
        taken = {shown for _, shown, _ in inputs}
        found = []
        for spec, name in zip(specs, names, strict=True):
            name = f"{name}_out" if name in taken else name
            value = getattr(spec.arg, "value", None)
            reference = self.references.get(spec.arg.name)
            found.append((reference if reference is not None else value, name))
        return found


def module_of(node: Any) -> tuple[str, str]:
    """(path, class) of the module whose forward made a call."""
    marked = (node.meta.get("custom") or {}).get(MODULE_KEY)
    if marked is not None:
        return marked
    stack = node.meta.get("nn_module_stack") or {}
    rows = [row for row in stack.values() if isinstance(row, tuple)]
    if not rows:
        return "", ""
    path, kind = rows[-1][0], rows[-1][1]
    text = kind if isinstance(kind, str) else kind.__qualname__
    return ROOT.sub("", str(path)).lstrip("."), text.rpartition(".")[2]


def dtype_name(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")


def array_of(tensor: Any) -> np.ndarray:
    """A tensor's numbers, sharing its memory where NumPy has its type."""
    if tensor.is_quantized or tensor.layout is not framework("torch", WHAT).strided:
        raise UnsupportedError("a weight is quantised or sparse; only plain tensors are supported")
    if dtype_name(tensor.dtype) not in ALSO_WIDE and tensor.is_floating_point():
        tensor = tensor.float()
    return tensor.detach().cpu().resolve_conj().resolve_neg().numpy()


def is_module(model: Any) -> bool:
    """An nn.Module, found without importing PyTorch."""
    return any(
        f"{base.__module__}.{base.__qualname__}" == "torch.nn.modules.module.Module"
        for base in type(model).__mro__
    )


def is_exported(model: Any) -> bool:
    kind = type(model)
    return (kind.__module__, kind.__qualname__) == (
        "torch.export.exported_program",
        "ExportedProgram",
    )


def graph_of(model: Any, inputs: Any = None, keywords: Mapping[str, Any] | None = None) -> Any:
    """The graph of a module (with example inputs) or an exported program; other models as is."""
    if is_exported(model) or isinstance(model, TorchGraph):
        if inputs is not None or keywords is not None:
            raise UsageError("an exported program knows its inputs", help="leave examples out")
        return model if isinstance(model, TorchGraph) else read_exported(model)
    if not is_module(model):
        if inputs is not None or keywords is not None:
            raise UsageError("example inputs are for PyTorch modules", help="leave them out")
        return model
    if inputs is None and keywords is None:
        raise UsageError(
            "a PyTorch module needs example inputs: they say shapes and types",
            where=type(model).__qualname__,
            help="compile(module, example_inputs=(tensor, ...)), and example_kwargs={...}",
        )
    if inputs is not None and not isinstance(inputs, list | tuple):
        inputs = (inputs,)
    return export_module(model, inputs or (), keywords)
