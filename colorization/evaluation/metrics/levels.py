"""How near and how colorful a picture is.

Law of the file: pictures are uint8 or float arrays of 8-bit sRGB levels, `(height, width, 3)`.
"""

import numpy as np


def psnr(truth, picture):
    """Peak signal-to-noise ratio over all channels.

    Args:
        truth: Array of shape `(height, width, 3)`, levels in `[0, 255]`.
        picture: Array of the same shape.

    Returns:
        Decibels; infinite for equal pictures.
    """
    error = np.mean(np.square(np.asarray(truth, np.float64) - np.asarray(picture, np.float64)))
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def colorfulness(picture):
    """How colorful people would call a picture: 0 gray, 15 slightly, 33 moderately, 59 highly.

    Args:
        picture: Array of shape `(height, width, 3)`, levels in `[0, 255]`.

    Returns:
        Spread and mean of the opponent channels, signed as in the source.

    Source: Hasler and Suesstrunk, "Measuring colourfulness in natural images", 2003.
    """
    return _spread_and_mean(_opponents(picture))


def colorfulness_absolute(picture):
    """Colorfulness of the opponent channels without their signs, as much code computes it.

    It is no other scale of the same thing: half red, half cyan has no spread here.

    Args:
        picture: Array of shape `(height, width, 3)`, levels in `[0, 255]`.

    Returns:
        Spread and mean of the opponent channels' absolute values.
    """
    return _spread_and_mean(np.abs(_opponents(picture)))


def _opponents(picture):
    red, green, blue = np.moveaxis(np.asarray(picture, np.float64), -1, 0)
    return np.stack([red - green, (red + green) / 2 - blue]).reshape(2, -1)


def _spread_and_mean(opponents):
    spread = np.hypot(*opponents.std(axis=1))
    return float(spread + 0.3 * np.hypot(*opponents.mean(axis=1)))
