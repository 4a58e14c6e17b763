"""Networks: builders of functional Keras models, on any Keras backend."""

import importlib


def builder(name):
    """The function that builds a network: of its name, in a module of its name."""
    return getattr(importlib.import_module(f"colorization.models.{name}"), name)
