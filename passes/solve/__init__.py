"""Algorithms on plain data (packing, grids, tiling): no xDSL here, tested by property."""
