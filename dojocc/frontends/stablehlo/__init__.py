"""The StableHLO frontend: text, or what JAX exports, to the nn dialect."""

from dojocc.frontends.stablehlo.importer import import_stablehlo
from dojocc.frontends.stablehlo.source import StableText, text_of_jax

__all__ = ["StableText", "import_stablehlo", "text_of_jax"]
