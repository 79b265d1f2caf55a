"""The ONNX frontend: `import_onnx` and `check_support`."""

from dojocc.frontends.onnx.findings import Finding
from dojocc.frontends.onnx.importer import check_support, import_onnx

__all__ = ["Finding", "check_support", "import_onnx"]
