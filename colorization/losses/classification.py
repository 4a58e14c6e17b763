"""Classification of quantized chroma.

Law of the file: `target` is ab in CIE units, `(batch, height, width, 2)`; `logits` are
`(batch, h, w, num_bins)` at a whole fraction of that size. Any Keras backend.

Source: Zhang, Isola, Efros, "Colorful Image Colorization", ECCV 2016, equation 2.
"""

from keras import ops

from pipelines import quantization


def quantized_crossentropy(class_weights):
    """Builds the cross-entropy of bins against softly encoded chroma, rare colors weighing more.

    Args:
        class_weights: Array of shape `(num_bins,)`, of mean 1 under the prior of the training set
            (`pipelines.quantization.class_weights`).

    Returns:
        A function `loss(target, logits)` of tensors of shapes `(batch, height, width, 2)`, ab in
        CIE units, and `(batch, h, w, num_bins)`, that returns the weighted cross-entropy of shape
        `(batch, h, w)`, in nats. The target is averaged over the pixels that a logit stands for;
        it raises `ValueError` where these are no whole squares.
    """
    indices, weights = (ops.convert_to_tensor(t) for t in quantization.soft_encoding_table())
    class_weights = ops.convert_to_tensor(class_weights, "float32")
    reach, side = quantization.REACH, 2 * quantization.REACH + 1

    def loss(target, logits):
        logits = ops.cast(logits, "float32")
        factor = _reduction(target.shape, logits.shape)
        target = ops.average_pool(ops.cast(target, "float32"), factor)
        cell = ops.cast(ops.clip(ops.round(target), -reach, reach), "int32") + reach
        row = cell[..., 0] * side + cell[..., 1]
        nearest, shares = ops.take(indices, row, axis=0), ops.take(weights, row, axis=0)
        chosen = ops.take_along_axis(logits, nearest, axis=-1)
        entropy = ops.logsumexp(logits, axis=-1) - ops.sum(shares * chosen, axis=-1)
        rarity = ops.sum(shares * ops.take(class_weights, nearest, axis=0), axis=-1)
        return rarity * entropy

    loss.__name__ = "quantized_crossentropy"
    return loss


def _reduction(target, logits):
    """Pixels of the target's side that a logit stands for."""
    if None not in (target[1], target[2], logits[1], logits[2]):
        factor = target[1] // logits[1]
        if factor and (logits[1] * factor, logits[2] * factor) == tuple(target[1:3]):
            return factor
    raise ValueError(
        "Logits stand for whole squares of target pixels, and both sizes are known when the loss "
        f"is traced. Received: target of shape {tuple(target)}, logits of shape {tuple(logits)}."
    )
