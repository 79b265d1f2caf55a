"""Every .mlir file below this folder is one test; the harness itself must be able to fail."""

from __future__ import annotations

from pathlib import Path

import pytest
from filecheck_harness import FOLDER, cases, read_case, run_case

IDENTITY = """// RUN: canonicalise
func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
  %y = nn.reverse %x {dims = [0]} : tensor<2xf32>
  func.return %y : tensor<2xf32>
}
"""


@pytest.mark.parametrize("path", cases(), ids=lambda path: str(path.relative_to(FOLDER)))
def test_case(path: Path) -> None:
    run_case(path)


def write(folder: Path, text: str) -> Path:
    path = folder / "case.mlir"
    path.write_text(text)
    return path


def test_a_line_that_is_not_there_fails(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="nn.softmax"):
        run_case(write(tmp_path, IDENTITY + "// CHECK: nn.softmax\n"))


def test_a_line_that_must_not_be_there_fails(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        run_case(write(tmp_path, IDENTITY + "// CHECK: func\n// CHECK-NOT: nn.reverse\n"))


def test_a_case_without_checks_fails(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="No check strings"):
        run_case(write(tmp_path, IDENTITY))


def test_a_missing_refusal_fails(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="nothing was refused"):
        run_case(write(tmp_path, IDENTITY + "// error: too large\n"))


def test_a_refusal_in_other_words_fails(tmp_path: Path) -> None:
    wrong = IDENTITY.replace("canonicalise", "canonicalize") + "// error: too large\n"
    with pytest.raises(AssertionError, match="no pass is called 'canonicalize'"):
        run_case(write(tmp_path, wrong))


def test_the_first_line_must_say_what_runs(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="first line must be"):
        read_case(write(tmp_path, "func.func @main()\n"))
