"""The machine: formats, targets, instruction set, program file, engines, mesh and timing. NumPy only."""
