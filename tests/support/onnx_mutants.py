"""Valid ONNX files with something changed: bytes, fields of the protobuf, sizes, names, types.

`mutant(seed)` is a file's bytes. `judged(content)` says what the compiler makes of it: `refused`
(a typed error), `right` (its numbers are those of ONNX Runtime, or of our reference where that
takes no such model), or what it must never be: `wrong`, `crashed`.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import Message
from onnx import ModelProto
from onnx.backend.test.loader import load_model_tests
from xdsl.dialects.builtin import ModuleOp
from zoo_models import zoo

from dojocc.dialects.context import DojoContext
from dojocc.dialects.function import input_rows, main_function
from dojocc.dialects.interpret_nn import run_nn
from dojocc.frontends.read import read_model
from dojocc.options import Options
from dojocc.reducing_checks import distance, failure_of, noisy, place_of, random_inputs
from dojocc.runtime.errors import DojoError

TARGET = Path(__file__).parents[1] / "targets" / "tiny.toml"
NUMBERS = (-(2**63), -(2**31), -5, -1, 0, 1, 2, 3, 7, 100, 2**20, 2**31 - 1, 2**40, 2**63 - 1)
TEXTS = (
    "",
    "x",
    "y",
    "Add",
    "Relu",
    "MatMul",
    "NoSuchOp",
    "a\0b",
    "é",
    "../../etc/passwd",
    "w" * 999,
)
REALS = (0.0, -1.0, 1e-30, 1e30, float("inf"), float("nan"))
SMALL_MODELS = ("mlp", "lenet", "transformer", "gpt", "squeezenet")


@cache
def bases() -> tuple[ModelProto, ...]:
    """Small networks, and single nodes of ONNX's own suite."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = sorted(load_model_tests(kind="node"), key=lambda case: case.name)
    nodes = [case.model for case in cases if case.model is not None]
    networks = [zoo.build(name, "tiny") for name in SMALL_MODELS]
    return (*networks, *nodes)


def mutant(seed: int) -> bytes:
    chance = random.Random(seed)
    models = bases()
    few = chance.random() < 0.3
    model = models[chance.randrange(len(SMALL_MODELS) if few else len(models))]
    if chance.random() < 0.25:
        return changed_bytes(model.SerializeToString(deterministic=True), chance)
    copy = ModelProto()
    copy.CopyFrom(model)
    for _ in range(chance.choice((1, 1, 2, 4))):
        chance.choice(CHANGES)(copy, chance)
    return copy.SerializeToString(deterministic=True)


def changed_bytes(content: bytes, chance: random.Random) -> bytes:
    """Bits flipped, or a span left out, doubled, or filled with noise."""
    data = bytearray(content)
    at = chance.randrange(len(data))
    span = slice(at, at + chance.choice((1, 2, 8, 64)))
    match chance.randrange(5):
        case 0:
            for _ in range(chance.choice((1, 3, 20))):
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        case 1:
            del data[at:]
        case 2:
            del data[span]
        case 3:
            data[at:at] = data[span]
        case _:
            data[span] = chance.randbytes(len(data[span]))
    return bytes(data)


def messages(root: Message) -> list[Message]:
    """All messages of a tree, without the arrays' numbers."""
    found, stack = [], [root]
    while stack:
        message = stack.pop()
        found.append(message)
        for field, value in message.ListFields():
            if field.message_type is not None:
                stack += list(value) if field.is_repeated else [value]
    return found


def any_field(model: ModelProto, chance: random.Random) -> None:
    """Some field of some message: another value, gone, doubled, or one element less."""
    message = chance.choice(messages(model))
    fields = [row for row in message.DESCRIPTOR.fields if row.message_type is None]
    if not fields:
        return
    field = chance.choice(fields)
    value = new_value(field, chance)
    if not field.is_repeated:
        setattr(message, field.name, value)
        return
    held = getattr(message, field.name)
    if len(held) and chance.random() < 0.7:
        held[chance.randrange(len(held))] = value
    elif len(held) and chance.random() < 0.5:
        del held[chance.randrange(len(held))]
    else:
        held.append(value)


def new_value(field: Any, chance: random.Random) -> Any:
    if field.enum_type is not None:
        return chance.choice([row.number for row in field.enum_type.values])
    if field.cpp_type == field.CPPTYPE_STRING:
        text = chance.choice(TEXTS)
        return text.encode() if field.type == field.TYPE_BYTES else text
    if field.cpp_type in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
        return chance.choice(REALS)
    number = chance.choice(NUMBERS)
    if field.cpp_type in (field.CPPTYPE_INT32, field.CPPTYPE_UINT32, field.CPPTYPE_BOOL):
        number = max(min(number, 2**31 - 1), -(2**31))
    if field.cpp_type in (field.CPPTYPE_UINT32, field.CPPTYPE_UINT64):
        number = abs(number) % 2**31
    return bool(number) if field.cpp_type == field.CPPTYPE_BOOL else number


def left_out(model: ModelProto, chance: random.Random) -> None:
    """A part that is a message of its own is gone, or there twice."""
    places = [
        (message, field)
        for message in messages(model)
        for field, value in message.ListFields()
        if field.message_type is not None and field.is_repeated and len(value)
    ]
    if not places:
        return
    message, field = chance.choice(places)
    held = getattr(message, field.name)
    number = chance.randrange(len(held))
    if chance.random() < 0.5:
        del held[number]
    else:
        held.add().CopyFrom(held[number])


def names(model: ModelProto, chance: random.Random) -> None:
    """A name for another one: doubled outputs, cycles, nodes in the wrong order."""
    nodes = list(model.graph.node)
    known = [name for node in nodes for name in (*node.input, *node.output)]
    node = chance.choice(nodes) if nodes else None
    if node is None or not known:
        return
    held = chance.choice((node.input, node.output))
    if len(held):
        held[chance.randrange(len(held))] = chance.choice(known)


def sizes(model: ModelProto, chance: random.Random) -> None:
    """A size of an input, or of an initialiser, that does not go with its numbers."""
    infos = [*model.graph.input, *model.graph.output]
    dims: list[Any] = [dim for info in infos for dim in info.type.tensor_type.shape.dim]
    if dims and chance.random() < 0.6:
        chance.choice(dims).dim_value = chance.choice(NUMBERS)
        return
    tensors = [row for row in model.graph.initializer if len(row.dims)]
    if tensors:
        tensor = chance.choice(tensors)
        tensor.dims[chance.randrange(len(tensor.dims))] = chance.choice(NUMBERS)


def attributes(model: ModelProto, chance: random.Random) -> None:
    """An attribute of another type or with other numbers, or one more."""
    nodes = [node for node in model.graph.node if node.attribute]
    if not nodes:
        return
    node = chance.choice(nodes)
    row = chance.choice(list(node.attribute))
    value: Any = chance.choice((chance.choice(NUMBERS), chance.choice(REALS), "text", [], [1, -1]))
    if value == []:
        row.ClearField("ints")
        row.ClearField("floats")
        return
    row.CopyFrom(onnx.helper.make_attribute(row.name, value))


CHANGES: tuple[Callable[[ModelProto, random.Random], None], ...] = (
    any_field,
    any_field,
    left_out,
    names,
    sizes,
    attributes,
)


def judged(content: bytes) -> tuple[str, str]:
    """What becomes of a file, and the words for it."""
    context = DojoContext()
    options = Options(str(TARGET), "fp32")
    try:
        module = read_model(content, context)
    except DojoError as error:
        return "refused", error.what
    except Exception as error:
        return "crashed", place_of(error)
    arrays = inputs_of(module)
    failure = failure_of(module, context, options, inputs=arrays)
    if failure is not None and failure.sort != "numbers":
        word = "refused" if failure.sort == "refused" else "crashed"
        return word, failure.place if word == "refused" else failure.text[-900:]
    if failure is not None:
        return "wrong", f"{failure.place}: {failure.text}"
    return runtime_says(content, module, context, arrays)


NUMPY = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(int16)": np.int16,
    "tensor(int8)": np.int8,
    "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
}


def inputs_of(module: ModuleOp) -> dict[str, np.ndarray]:
    """Random inputs; what ONNX declares unsigned is not below 0."""
    arrays = random_inputs(module)
    for name, row in zip(arrays, input_rows(main_function(module)), strict=True):
        if "uint" in str(row.get("nn.source_type")):
            arrays[name] = np.abs(arrays[name])
    return arrays


def runtime_says(
    content: bytes, module: ModuleOp, context: DojoContext, arrays: dict[str, np.ndarray]
) -> tuple[str, str]:
    """Our reference's numbers held to ONNX Runtime's, where that runs the model at all."""
    try:
        quiet = onnxruntime.SessionOptions()
        quiet.log_severity_level, quiet.intra_op_num_threads = 4, 1
        session = onnxruntime.InferenceSession(content, quiet, providers=["CPUExecutionProvider"])
        feeds = {row.name: arrays[row.name].astype(NUMPY[row.type]) for row in session.get_inputs()}
        theirs = session.run(None, feeds)
        declared = {row.name: tuple(row.shape) for row in session.get_outputs()}
        # Small floats come as codes, which are no numbers.
        names = ["" if row.type not in NUMPY else row.name for row in session.get_outputs()]
    except Exception as error:
        return "right", f"by our own reference; ONNX Runtime: {type(error).__name__}"
    ours = run_nn(context, module, arrays)
    for name, array in zip(names, theirs, strict=True):
        if not name:
            continue
        found = ours[name]
        array = np.asarray(array, found.dtype) if isinstance(array, np.ndarray) else None
        if array is None or array.shape != declared[name]:  # it breaks its own promise
            continue
        if array.shape != found.shape:
            return "wrong", f"{name}: shape {found.shape}, ONNX Runtime has {array.shape}"
        off = distance(found.astype(np.float32), array.astype(np.float32))
        shaken = noisy(context, module, arrays, 1e-6, 0)[name].astype(np.float32)
        size = float(np.linalg.norm(array.astype(np.float64)[np.isfinite(array)]))
        if not off <= 1e-3 * size + 100 * distance(shaken, found.astype(np.float32)) + 1e-6:
            return "wrong", f"{name}: {found.reshape(-1)[:6]}, ONNX Runtime {array.reshape(-1)[:6]}"
    return "right", "by ONNX Runtime"
