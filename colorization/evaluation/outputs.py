"""What a network itself makes of pictures: at the size of its crops, and only rounded to 8 bits.

Chroma is put on the picture's own lightness, as `colorize` does; but RGB is taken as it is, with
the lightness that the network predicted. Pictures are uint8 sRGB of shape
`(num_pictures, size, size, 3)`, or pairs with three more channels for the gray pictures.
"""

import numpy as np
import tensorflow as tf

from colorization.models import layers
from pipelines.color.spaces import lab_to_rgb, rgb_to_lab

# Pictures colored at a time.
_BATCH = 8


def color(network, codec, pictures, draws=None):
    """Colors pictures, uint8 of colors or of pairs, to uint8 of colors.

    `draws` is float32 of shape `(num_pictures, noise_size)`; None is the noise of a plain coloring.
    """
    parts = []
    for start in range(0, len(pictures), _BATCH):
        some = slice(start, start + _BATCH)
        condition, _ = codec.encode(tf.constant(pictures[some]))
        drawn = None if draws is None else tf.constant(draws[some])
        prediction = layers.generate(network, condition, drawn)
        rgb = codec.decode(condition, prediction, rgb_to_lab(pictures[some, ..., -3:])[..., :1])
        parts.append(np.round(np.clip(rgb, 0, 1) * 255).astype(np.uint8))
    return np.concatenate(parts)


def sheet(pictures, *colored):
    """Sets pictures side by side, in rows: in gray, as they were colored, and as they are.

    Each array of colors has a row: `((2 + len(colored)) * size, num_pictures * size, 3)`, uint8.
    """
    lightness = rgb_to_lab(pictures[..., -3:])[..., :1]
    gray = lab_to_rgb(tf.pad(lightness, [(0, 0)] * 3 + [(0, 2)]))
    gray = np.round(np.clip(gray, 0, 1) * 255).astype(np.uint8)
    return np.concatenate([np.hstack(row) for row in (gray, *colored, pictures[..., :3])])
