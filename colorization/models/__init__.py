"""Networks: builders of functional Keras models, on any Keras backend."""

import importlib

_MODULES = dict.fromkeys(("patch", "whole", "features"), "discriminators")


def builder(name):
    """Returns the function that builds a network; a generator's module has the same name."""
    return getattr(importlib.import_module(f"colorization.models.{_MODULES.get(name, name)}"), name)
