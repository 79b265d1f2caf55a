"""Networks from PyTorch: at the nn level, through streams, saved and loaded, by torch.compile."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_run import dojocc as command

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'dojocc[torch]'")

from torch_models import MODELS, build  # noqa: E402
from torch_run import assert_close, check, lanes, leaves  # noqa: E402

import dojocc  # noqa: E402
from dojocc.dialects.context import DojoContext  # noqa: E402
from dojocc.frontends.torch.export import export_module  # noqa: E402
from dojocc.frontends.torch.importer import import_torch  # noqa: E402
from dojocc.runtime.errors import InputError, UnsupportedError, UsageError  # noqa: E402
from dojocc.torch_backend import DojoWarning  # noqa: E402

BOUNDS = {"fp32": 1e-5, "bf16": 2e-2}
STREAMED = [("pyramid", "fp32"), ("decoder", "fp32"), ("decoder", "bf16"), ("encoder", "bf16")]


def wanted(module: Any, inputs: Any) -> list[Any]:
    with torch.no_grad():
        result = module(*inputs)
    return leaves(list(result.values()) if isinstance(result, dict) else result)


@pytest.mark.parametrize("name", MODELS)
def test_import(name: str) -> None:
    module, inputs = build(name)
    graph = check(Values(module), inputs)
    assert "scaled_dot_product_attention" in str(graph.nodes) or name in ("pyramid", "recurrent")


class Values(torch.nn.Module):
    """A dict of results as a tuple."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, *inputs: Any) -> Any:
        result = self.inner(*inputs)
        return tuple(result.values()) if isinstance(result, dict) else result


@pytest.mark.parametrize("name, precision", STREAMED)
def test_streams(name: str, precision: str) -> None:
    module, inputs = build(name)
    session = dojocc.Session(dojocc.compile(module, example_inputs=inputs, precision=precision))
    feeds = {row.name: value for row, value in zip(session.get_inputs(), inputs, strict=True)}
    for found, want in zip(session.run(None, feeds), wanted(module, inputs), strict=True):
        assert_close(found, want, BOUNDS[precision])


def test_names_of_dicts_and_keywords() -> None:
    class Net(torch.nn.Module):
        def forward(self, x: Any, *, scale: Any = None, shift: float = 1.0) -> Any:
            return {"y": x * scale, "pair": (x + shift, [x - 1])}

    x, scale = torch.randn(3, 4), torch.randn(4)
    program = dojocc.compile(Net(), example_inputs=(x,), example_kwargs={"scale": scale})
    assert [port.name for port in program.inputs] == ["x", "scale"]
    assert [port.name for port in program.outputs] == ["y", "pair.0", "pair.1.0"]


def test_weights_share_memory_and_tied_ones_are_one() -> None:
    module, inputs = build("decoder")
    graph = export_module(module, inputs)
    table = module.tokens.weight.detach().numpy()
    held = [row for row in graph.held.values() if np.shares_memory(row.array, table)]
    assert len(held) == 1 and held[0].name == "tokens.weight"
    context = DojoContext()
    import_torch(graph, context)
    assert np.shares_memory(context.resources["tokens.weight"], table)


def test_exported_program_and_file(tmp_path: Path) -> None:
    module, inputs = build("decoder")
    exported = torch.export.export(module, inputs)
    session = dojocc.Session(dojocc.compile(exported, precision="fp32"))
    (found,) = session.run(None, {"ids": inputs[0]})
    assert_close(found, wanted(module, inputs)[0])
    path = tmp_path / "decoder.pt2"
    torch.export.save(exported, path)
    np.savez(tmp_path / "in.npz", ids=inputs[0].numpy())
    program = str(tmp_path / "p.dojo")
    assert command("compile", str(path), "-o", program, "--precision", "fp32").code == 0
    result = tmp_path / "out.npz"
    assert (
        command("run", program, "--input", str(tmp_path / "in.npz"), "--output", str(result)).code
        == 0
    )
    np.testing.assert_array_equal(np.load(result)["output"], found)


def test_int64_inputs_are_checked() -> None:
    class Net(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return x + 1

    program = dojocc.compile(Net(), example_inputs=torch.arange(4))
    assert program.build["remarks"][0] == "input 'x': int64 becomes int32 lanes"
    with pytest.raises(InputError):
        dojocc.Session(program).run(None, {"x": torch.tensor([1 << 40, 0, 0, 0])})


class Strange(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = torch.nn.ModuleList([torch.nn.Linear(4, 4), torch.nn.Identity()])

    def forward(self, x: Any) -> Any:
        return torch.linalg.det(self.inner[0](x)) + torch.fft.fft(x).real.sum()


def test_unsupported_ops_are_named_with_their_module() -> None:
    with pytest.raises(UnsupportedError) as caught:
        dojocc.compile(torch.nn.Sequential(Strange()), example_inputs=torch.randn(4, 4))
    text = str(caught.value)
    assert "aten._linalg_det, 1 call, used by '0' (Strange): this op is not supported" in text
    assert "aten._fft_r2c" in text


def test_errors_say_what_to_do(tmp_path: Path) -> None:
    module = torch.nn.Linear(4, 4)
    with pytest.raises(UsageError, match="a PyTorch module needs example inputs"):
        dojocc.compile(module)
    with pytest.raises(InputError, match="PyTorch cannot export Linear"):
        dojocc.compile(module, example_inputs=torch.randn(3))
    norm = torch.nn.BatchNorm1d(4)
    with pytest.raises(UnsupportedError, match="the program changes buffer 'running_mean'"):
        dojocc.compile(norm, example_inputs=torch.randn(3, 4))
    size = {"x": {0: torch.export.Dim("n", min=2, max=9)}}
    exported = torch.export.export(
        torch.nn.ReLU(), (torch.randn(3, 4),), dynamic_shapes=(size["x"],)
    )
    with pytest.raises(UnsupportedError, match="the program has sizes that are open"):
        dojocc.compile(exported)
    path = tmp_path / "broken.pt2"
    path.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(InputError, match="is not an exported PyTorch program"):
        dojocc.compile(path)


# torch.compile


def small() -> Any:
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4)
    ).eval()


def test_backend_runs_recompiles_and_follows_weights() -> None:
    torch._dynamo.reset()
    module = small()
    compiled = torch.compile(module, backend="dojo")
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("error", DojoWarning)
        for count in (3, 3, 5, 6):
            x = torch.randn(count, 8)
            found = compiled(x)
            assert isinstance(found, torch.Tensor) and found.dtype == torch.float32
            assert_close(lanes(found), module(x))
        module[0].weight.mul_(2.0)
        assert_close(lanes(compiled(x)), module(x))


def test_backend_falls_back_and_names_the_ops() -> None:
    torch._dynamo.reset()
    module = Strange()
    x = torch.randn(4, 4)
    with torch.no_grad(), pytest.warns(DojoWarning, match="aten._linalg_det, 1 call, used by"):
        torch.testing.assert_close(torch.compile(module, backend="dojo")(x), module(x))
    torch._dynamo.reset()
    strict = torch.compile(module, backend="dojo", options={"fallback": False})
    with torch.no_grad(), pytest.raises(UnsupportedError, match="aten._fft_r2c"):
        strict(x)


def test_backend_runs_forward_only() -> None:
    torch._dynamo.reset()
    result = torch.compile(small(), backend="dojo")(torch.randn(2, 8))
    with pytest.raises(UnsupportedError, match="backend dojo runs forward passes only"):
        result.sum().backward()


def test_backend_options() -> None:
    torch._dynamo.reset()
    wrong = torch.compile(small(), backend="dojo", options={"precison": "bf16"})
    with torch.no_grad(), pytest.raises(Exception, match="backend dojo has no option precison"):
        wrong(torch.randn(2, 8))
    torch._dynamo.reset()
    module, x = small(), torch.randn(2, 8)
    narrow = torch.compile(module, backend="dojo", options={"precision": "bf16"})
    with torch.no_grad():
        assert_close(lanes(narrow(x)), module(x), 2e-2)
