"""The machine: formats, targets, instruction set, program file, engines, mesh, timing.

NumPy only.
"""
