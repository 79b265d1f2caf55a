"""torch.compile(model, backend="dojo"): graphs that PyTorch captures run as instruction streams.

A program is made for every shape a graph is called with. Weights are constants of it; a weight that
has changed since makes a new program. What is not supported runs in PyTorch itself, with a warning
that names it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch  # pyright: ignore[reportMissingImports]
from torch import fx  # pyright: ignore[reportMissingImports]
from torch.fx import traceback  # pyright: ignore[reportMissingImports]

from dojocc.api import compile as compile_program
from dojocc.frontends.torch.export import MODULE_KEY, export_module, module_of
from dojocc.frontends.torch.graph import Meta, Reference, TorchGraph
from dojocc.runtime.errors import DojoError, UnsupportedError, UsageError
from dojocc.runtime.target import Target
from dojocc.session import Session

__all__ = ["DojoWarning", "Settings", "dojo"]

MOST_PROGRAMS = 8
"""Programs kept for one graph, one a shape."""


class DojoWarning(UserWarning):
    """A graph runs in PyTorch, not on Dojo; the message says why."""


@dataclass(frozen=True)
class Settings:
    """The `options` of torch.compile. Without `fallback`, what is not supported is an error."""

    target: str | Path | Target = "d1-die"
    precision: str = "fp32"
    mode: str = "fast"
    fallback: bool = True


def dojo(
    graph: fx.GraphModule,
    example_inputs: Sequence[Any],
    options: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> Callable[..., Any]:
    """The backend: a function that runs the graph. It is compiled when it is called."""
    known = Settings.__dataclass_fields__
    unknown = sorted(set(options or {}) - set(known))
    if unknown:
        raise UsageError(
            f"backend dojo has no option {', '.join(unknown)}", help=f"one of {', '.join(known)}"
        )
    return Runner(graph, Settings(**(options or {})))


class Runner:
    """One captured graph, with a program for each shape it was called with."""

    def __init__(self, graph: fx.GraphModule, settings: Settings) -> None:
        self.graph, self.settings = graph, settings
        self.programs: dict[Any, Compiled | None] = {}

    def __call__(self, *values: Any) -> Any:
        key = tuple(signature(value) for value in values)
        if key not in self.programs:
            while len(self.programs) >= MOST_PROGRAMS:
                self.programs.pop(next(iter(self.programs)))
            self.programs[key] = self.compiled(values)
        compiled = self.programs[key]
        return self.graph(*values) if compiled is None else compiled.run(values)

    def compiled(self, values: Sequence[Any]) -> Compiled | None:
        """The program for these values; None where PyTorch has to run the graph."""
        if not any(node.op.startswith("call") for node in self.graph.graph.nodes):
            return None
        try:
            return Compiled.make(self.graph, values, self.settings)
        except DojoError as error:
            if not self.settings.fallback:
                raise
            warnings.warn(f"this graph runs in PyTorch, not on Dojo: {error}", DojoWarning, 2)
            return None


def is_weight(value: Any) -> bool:
    """A parameter or buffer, which PyTorch hands to a graph as an input."""
    if not isinstance(value, torch.Tensor):
        return False
    return isinstance(value, torch.nn.Parameter) or hasattr(value, "_dynamo_static_input_type")


def signature(value: Any) -> Any:
    """What a program depends on: shape and type of an input, identity and version of a weight."""
    if not isinstance(value, torch.Tensor):
        return value
    if is_weight(value):
        return value.data_ptr(), value._version, tuple(value.shape)
    return tuple(value.shape), value.dtype


class Bound(torch.nn.Module):
    """A graph with its weights inside, so that its inputs are those of the user."""

    def __init__(self, graph: fx.GraphModule, values: Sequence[Any]) -> None:
        super().__init__()
        self.graph = graph
        self.fixed: dict[int, Any] = {}
        names = [node.target for node in graph.graph.nodes if node.op == "placeholder"]
        for place, value in enumerate(values):
            if is_weight(value):
                name = weight_name(str(names[place]))
                self.register_buffer(name, value.detach())
                self.fixed[place] = name
            elif not isinstance(value, torch.Tensor):
                self.fixed[place] = None
        for node in graph.graph.nodes:  # the export knows its own modules, of which there is one
            node.meta["custom"] = {MODULE_KEY: module_of(node)}
        self.values = [None if isinstance(v, torch.Tensor) else v for v in values]

    def forward(self, *inputs: Any) -> Any:
        rest = iter(inputs)
        merged = []
        for place, value in enumerate(self.values):
            name = self.fixed.get(place)
            if place not in self.fixed:
                merged.append(next(rest))
            else:
                merged.append(value if name is None else getattr(self, name))
        with traceback.preserve_node_meta():
            return fx.Interpreter(self.graph).run(*merged)


def weight_name(placeholder: str) -> str:
    """`l_self_modules_fc_parameters_weight_` as `fc_weight`."""
    text = placeholder.lower().removeprefix("l_").removeprefix("self_")
    for word in ("modules_", "parameters_", "buffers_"):
        text = text.replace(word, "")
    return text.strip("_") + "_" if text in ("graph", "fixed", "values") else text.strip("_")


@dataclass(frozen=True)
class Compiled:
    """A session, where its inputs come from and what its results are for PyTorch."""

    session: Session
    inputs: Sequence[tuple[str, int]]
    results: Sequence[Any]
    single: bool

    @classmethod
    def make(cls, graph: fx.GraphModule, values: Sequence[Any], settings: Settings) -> Compiled:
        module = Bound(graph, values)
        free = [place for place in range(len(values)) if place not in module.fixed]
        given = [values[place].detach() for place in free]
        exported = export_module(module, given, name="the captured graph")
        program = compile_program(exported, settings.target, settings.precision)
        places = dict(zip((shown for _, shown, _ in exported.inputs), free, strict=True))
        inputs = [(port.name, places[port.name]) for port in program.inputs]
        results = [result_of(exported, value) for value, _ in exported.outputs]
        single = isinstance(returned(graph), fx.Node)
        return cls(Session(program, mode=settings.mode), inputs, results, single)

    def run(self, values: Sequence[Any]) -> Any:
        if torch.is_grad_enabled() and any(needs_gradient(value) for value in values):
            tensors = [value for value in values if isinstance(value, torch.Tensor)]
            found = ForwardOnly.apply(lambda: self.values(values), *tensors)
        else:
            found = self.values(values)
        return found[0] if self.single else tuple(found)

    def values(self, values: Sequence[Any]) -> tuple[Any, ...]:
        feeds = {name: array_of(values[place]) for name, place in self.inputs}
        arrays = iter(self.session.run(None, feeds))
        rows = ((result, next(arrays)) for result in self.results)
        return tuple(tensor_of(array, result) for result, array in rows)


def returned(graph: fx.GraphModule) -> Any:
    return next(node for node in graph.graph.nodes if node.op == "output").args[0]


def result_of(graph: TorchGraph, value: Any) -> Any:
    """The type and shape of a result that is a tensor; else the number it is."""
    return graph.meta_of(value) if isinstance(value, Reference) else value


def array_of(value: Any) -> Any:
    tensor = value.detach().cpu()
    return tensor.float().numpy() if tensor.dtype == torch.bfloat16 else tensor.numpy()


def tensor_of(array: Any, result: Any) -> Any:
    """A result in PyTorch's own type; numbers are returned as they are."""
    if not isinstance(result, Meta):
        return result
    return torch.from_numpy(array.copy()).to(getattr(torch, result.dtype)).reshape(result.shape)


def needs_gradient(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.requires_grad


class ForwardOnly(torch.autograd.Function):
    """Results that say clearly that they have no gradient, rather than none by accident."""

    @staticmethod
    def forward(ctx: Any, run: Callable[[], tuple[Any, ...]], *tensors: Any) -> tuple[Any, ...]:
        return run()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        raise UnsupportedError(
            "backend dojo runs forward passes only",
            help="call the model under torch.no_grad(), or train with another backend",
        )
