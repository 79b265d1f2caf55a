"""Training: the trainer, its data, checkpoints, metrics and learning rates."""
