"""Averaged weights: the exponential moving average that the optimizer keeps."""

import contextlib


@contextlib.contextmanager
def averaged_weights(network, optimizer):
    """Lends a network the average of its weights, and gives its own back.

    Args:
        network: The network that `optimizer` trains.
        optimizer: Keras optimizer; without `use_ema` nothing changes.

    Yields:
        The network.
    """
    own = [variable.numpy() for variable in network.trainable_variables]
    optimizer.finalize_variable_values(network.trainable_variables)
    try:
        yield network
    finally:
        for variable, value in zip(network.trainable_variables, own, strict=True):
            variable.assign(value)
