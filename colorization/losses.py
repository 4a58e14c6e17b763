"""Losses: pure functions of predictions and targets, on any Keras backend.

Reconstruction: target and prediction are tensors of one shape `(..., channels)`, scaled by the
codec; each loss averages over channels and returns float32 of shape `(...)`.

Classification of quantized chroma: `target` is ab in CIE units, `(batch, height, width, 2)`;
`logits` are `(batch, h, w, num_bins)` at a whole fraction of that size. Source: Zhang, Isola,
Efros, "Colorful Image Colorization", ECCV 2016, equation 2.

Perceptual: pictures are float sRGB in `[0, 1]` of shape `(batch, height, width, 3)`.

Adversarial losses are pairs of functions of logits, which are what a discriminator says before any
sigmoid, of any shape, so that a map of patches and one number for each picture share these
functions. Real logits are to rise, fake ones to fall. Every function returns a float32 scalar: the
mean over all logits.
"""

from keras import ops

from pipelines.color import bins

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


def quantized_crossentropy(class_weights):
    """Builds the cross-entropy of bins against softly encoded chroma, rare colors weighing more.

    Args:
        class_weights: Array of shape `(num_bins,)`, of mean 1 under the prior of the training set
            (`pipelines.color.bins.class_weights`).

    Returns:
        A function `loss(target, logits)` of tensors of shapes `(batch, height, width, 2)`, ab in
        CIE units, and `(batch, h, w, num_bins)`, that returns the weighted cross-entropy of shape
        `(batch, h, w)`, in nats. The target is averaged over the pixels that a logit stands for;
        it raises `ValueError` where these are no whole squares.
    """
    indices, weights = (ops.convert_to_tensor(t) for t in bins.soft_encoding_table())
    class_weights = ops.convert_to_tensor(class_weights, "float32")
    reach, side, num_bins = bins.REACH, 2 * bins.REACH + 1, len(class_weights)

    def loss(target, logits):
        logits = ops.cast(logits, "float32")
        factor = _reduction(target.shape, logits.shape)
        target = ops.average_pool(ops.cast(target, "float32"), factor)
        cell = ops.cast(ops.clip(ops.round(target), -reach, reach), "int32") + reach
        row = cell[..., 0] * side + cell[..., 1]
        nearest, shares = ops.take(indices, row, axis=0), ops.take(weights, row, axis=0)
        # The target is made dense: the gradient of looking up a few logits is slow to scatter.
        first = num_bins * ops.reshape(ops.arange(ops.size(row)), (-1, 1))
        cells = ops.reshape(ops.reshape(nearest, (-1, nearest.shape[-1])) + first, (-1, 1))
        soft = ops.scatter(cells, ops.reshape(shares, (-1,)), (ops.size(logits),))
        entropy = ops.categorical_crossentropy(
            ops.reshape(soft, ops.shape(logits)), logits, from_logits=True
        )
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


def feature_distance(features, target, prediction):
    """Mean absolute difference of feature maps, each weighed alike.

    Args:
        features: Model of RGB levels in `[0, 255]` that returns a feature map or a list of them.
        target: True pictures.
        prediction: Pictures of the same shape.

    Returns:
        float32 scalar, over the mean size of the target's features: 0 for equal pictures, one to
        two for unrelated ones.

    Source: Johnson et al., "Perceptual Losses for Real-Time Style Transfer", 2016, section 3.2,
    with absolute differences.
    """
    pairs = [features(255 * part) for part in (target, prediction)]
    if not isinstance(pairs[0], list | tuple):
        pairs = [[part] for part in pairs]
    terms = []
    for wanted, found in zip(*pairs, strict=True):
        size = ops.maximum(ops.mean(ops.abs(wanted)), 1e-6)
        terms.append(ops.mean(ops.abs(wanted - found)) / size)
    return sum(terms) / len(terms)


def cross_entropy_discriminator(real_logits, fake_logits, real_labels=1.0, fake_labels=0.0):
    """Binary cross-entropy of both answers, halved to slow the discriminator down as pix2pix does.

    Labels, numbers or tensors that broadcast to the logits, say how sure it is meant to be.

    Source: Goodfellow et al., "Generative Adversarial Nets", 2014; Isola et al., 2017, section 3.3;
    labels: Salimans et al., "Improved Techniques for Training GANs", 2016, section 3.4.
    """
    real, fake = _float(real_logits), _float(fake_logits)
    real_loss = real_labels * ops.softplus(-real) + (1 - real_labels) * ops.softplus(real)
    fake_loss = fake_labels * ops.softplus(-fake) + (1 - fake_labels) * ops.softplus(fake)
    return (ops.mean(real_loss) + ops.mean(fake_loss)) / 2


def cross_entropy_generator(fake_logits):
    """Binary cross-entropy of fakes labeled as real: the form that does not saturate.

    Source: Goodfellow et al., "Generative Adversarial Nets", 2014, section 3.
    """
    return ops.mean(ops.softplus(-_float(fake_logits)))


def least_squares_discriminator(real_logits, fake_logits):
    """Half the squared distance of real logits from 1 and of fake ones from 0.

    Source: Mao et al., "Least Squares Generative Adversarial Networks", 2017, equation 9.
    """
    return (ops.mean((_float(real_logits) - 1) ** 2) + ops.mean(_float(fake_logits) ** 2)) / 2


def least_squares_generator(fake_logits):
    """Half the squared distance of fake logits from 1.

    Source: Mao et al., "Least Squares Generative Adversarial Networks", 2017, equation 9.
    """
    return ops.mean((_float(fake_logits) - 1) ** 2) / 2


def hinge_discriminator(real_logits, fake_logits):
    """How far real logits fall short of 1, and fake ones exceed -1.

    Source: Lim and Ye, "Geometric GAN", 2017; Miyato et al., "Spectral Normalization for
    Generative Adversarial Networks", 2018, equation 16.
    """
    return ops.mean(ops.relu(1 - _float(real_logits))) + ops.mean(ops.relu(1 + _float(fake_logits)))


def wasserstein_discriminator(real_logits, fake_logits):
    """How far fake logits exceed real ones: for a critic held to a slope of 1 by other means.

    Source: Arjovsky et al., "Wasserstein Generative Adversarial Networks", 2017.
    """
    return ops.mean(_float(fake_logits)) - ops.mean(_float(real_logits))


def critic_generator(fake_logits):
    """How low the critic puts the fakes; the hinge and Wasserstein losses share it."""
    return -ops.mean(_float(fake_logits))


# Name: (discriminator_loss(real_logits, fake_logits), generator_loss(fake_logits)).
ADVERSARIAL_LOSSES = {
    "cross_entropy": (cross_entropy_discriminator, cross_entropy_generator),
    "least_squares": (least_squares_discriminator, least_squares_generator),
    "hinge": (hinge_discriminator, critic_generator),
    "wasserstein": (wasserstein_discriminator, critic_generator),
}


def _float(logits):
    return ops.cast(logits, "float32")
