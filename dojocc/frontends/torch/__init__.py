"""The PyTorch frontend: `export.py` makes a `TorchGraph`, `import_torch` turns it into nn."""

from dojocc.frontends.torch.graph import TorchGraph
from dojocc.frontends.torch.importer import import_torch

__all__ = ["TorchGraph", "import_torch"]
