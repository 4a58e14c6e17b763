"""Losses that hold a prediction to the true picture.

Law of the file: target and prediction are tensors of one shape `(..., channels)`, scaled by the
codec; each loss averages over channels and returns float32 of shape `(...)`. Any Keras backend.
"""

from keras import ops

# One CIE unit of a target scaled by 110.
HUBER_DELTA = 1 / 110


def l1(target, prediction):
    """Absolute difference."""
    return ops.mean(ops.abs(_difference(target, prediction)), axis=-1)


def huber(target, prediction, delta=HUBER_DELTA):
    """Absolute difference, rounded off where it is smaller than `delta`.

    Divided by `delta`, so that its slope beyond is 1 and one weight serves it and `l1` alike.

    Source: Zhang et al., "Real-Time User-Guided Image Colorization", 2017, equation 2 and its code.
    """
    distance = ops.abs(_difference(target, prediction))
    loss = ops.where(distance < delta, distance**2 / (2 * delta), distance - delta / 2)
    return ops.mean(loss, axis=-1)


def mse(target, prediction):
    """Squared difference."""
    return ops.mean(ops.square(_difference(target, prediction)), axis=-1)


RECONSTRUCTION_LOSSES = {"l1": l1, "huber": huber, "mse": mse}


def _difference(target, prediction):
    # Broadcasting would compare every channel with one, and train without complaint.
    if target.shape[-1] != prediction.shape[-1]:
        raise ValueError(
            "A reconstruction loss needs as many channels predicted as there are in the target. "
            f"Received: target.shape={tuple(target.shape)}, "
            f"prediction.shape={tuple(prediction.shape)}. "
            "Build the generator with num_outputs=codec.num_outputs."
        )
    return ops.cast(prediction, "float32") - ops.cast(target, "float32")
