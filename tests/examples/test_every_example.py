"""Every example runs alone, and ends well only if its own comparison holds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("[0-9]*.py"))
SHOWS = {
    "00_tour.py": ["nn, reference", "mesh, reference", "tile, reference", "equal bit for bit"],
    "01_onnx_cnn.py": ["LeNet in fp32", "LeNet in bf16", "mmac"],
    "02_transformer_block.py": ["transformer (tiny)", "gpt (tiny)", "cycles predicted"],
    "03_assembly_kernel.py": ["mmac m0, v1, v2", "equal bit for bit"],
    "04_pytorch.py": ["fp32: logits", "bf16: pooled", "torch.compile", "used by '1' (Strange)"],
    "05_jax.py": ["weights.in", "fp32: scores", "bf16: states"],
    "06_training.py": ["a step:", "mean_0, variance_0", "step  40  loss", "guessing loses"],
}
NEEDS = {"04_pytorch.py": "torch", "05_jax.py": "jax"}


def run(path: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, path],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
        timeout=120,
    )


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_example(path: Path, tmp_path: Path) -> None:
    if path.name in NEEDS:
        name = NEEDS[path.name]
        pytest.importorskip(name, reason=f"{name} is not installed: pip install 'dojocc[{name}]'")
    result = run(path, tmp_path)
    assert result.returncode == 0, result.stderr
    for text in SHOWS[path.name]:
        assert text in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_kernel_is_noticed(tmp_path: Path) -> None:
    """The comparison can fail: a kernel that skips a step of the sum ends with an error."""
    folder = tmp_path / "examples"
    folder.mkdir()
    for name in ("show.py", "03_assembly_kernel.py", "matmul_relu.s"):
        text = (ROOT / "examples" / name).read_text()
        (folder / name).write_text(text.replace("loop L0, 8", "loop L0, 7"))
    (tmp_path / "dojocc").symlink_to(ROOT / "dojocc")
    result = run(folder / "03_assembly_kernel.py", tmp_path)
    assert result.returncode == 1 and "the outputs differ" in result.stderr
