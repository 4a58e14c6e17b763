"""The precision in which networks are built."""

import contextlib

import keras

_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


@contextlib.contextmanager
def precision(name):
    """Builds layers in a precision; Keras' own policy is the same afterward as before.

    Args:
        name: `"float32"`, `"bfloat16"` or `"float16"`; of the last two, weights stay float32.
    """
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(_POLICIES[name])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
