"""The PyTorch frontend: `export_module` and `read_exported` make a graph, `import_torch` nn."""
