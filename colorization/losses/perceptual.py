"""How far apart two pictures are to a network that was trained to know things.

Law of the file: pictures are float sRGB in `[0, 1]` of shape `(batch, height, width, 3)`. Any Keras
backend.
"""

from keras import ops


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
