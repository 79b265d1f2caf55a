"""What the training passes are made of: reverse mode, losses, optimizers, names of tensors."""
