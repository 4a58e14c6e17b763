"""Metrics: pure functions of pictures."""
