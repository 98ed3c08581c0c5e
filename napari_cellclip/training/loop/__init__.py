"""The training loop: steps, optimisation, validation, checkpoints."""
