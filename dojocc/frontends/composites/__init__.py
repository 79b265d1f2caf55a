"""What several frontends build alike: computations of many nn ops, on nn values and numbers."""
