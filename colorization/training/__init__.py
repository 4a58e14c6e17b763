"""Training: adversarial steps, phases, callbacks, checkpoints and run directories."""
