"""Every .mlir file below this folder is one test; the harness itself must be able to fail."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent
_spec = importlib.util.spec_from_file_location("filecheck_harness", FOLDER / "harness.py")
