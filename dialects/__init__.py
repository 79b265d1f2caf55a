"""The language: xDSL dialects, the op registry, sharding and layout attributes."""
