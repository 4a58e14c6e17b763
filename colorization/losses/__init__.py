"""Losses: pure functions of predictions and targets, on any Keras backend."""
