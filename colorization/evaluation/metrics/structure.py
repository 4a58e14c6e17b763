"""How much alike two pictures are in structure.

Law of the file: pictures are uint8 or float arrays of 8-bit sRGB levels, `(height, width, 3)`.
"""

import numpy as np

RADIUS, SIGMA = 5, 1.5
MIN_SIZE = 2 * RADIUS + 1
_STABILIZERS = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_TAPS = np.exp(-np.square(np.arange(RADIUS + 1)) / (2 * SIGMA**2))
_TAPS = (_TAPS / (2 * _TAPS.sum() - _TAPS[0])).astype(np.float32)


def ssim(truth, picture):
    """Structural similarity of color pictures, in windows of 11 x 11 under a Gaussian of 1.5.

    The mean over the three channels and over all windows that lie inside, as scikit-image's
    `gaussian_weights=True, sigma=1.5, use_sample_covariance=False`; not SSIM of gray levels.

    Args:
        truth: Array of shape `(height, width, 3)`, levels in `[0, 255]`, at least 11 on a side.
        picture: Array of the same shape.

    Returns:
        1 for equal pictures, else less.

    Raises:
        ValueError: If a side is shorter than 11.

    Source: Wang et al., "Image quality assessment: from error visibility to structural
    similarity", 2004.
    """
    if min(np.shape(truth)[:2]) < MIN_SIZE:
        raise ValueError(
            f"`ssim` needs at least {MIN_SIZE} pixels on a side. Received: shape={np.shape(truth)}."
        )
    # About a middle level, since the variances are differences of squares in 32 bits.
    x, y = (np.asarray(image, np.float32) - 128 for image in (truth, picture))
    windows = _blur(np.concatenate([x, y, x * x + y * y, x * y], axis=-1))
    mean_x, mean_y, squares, products = np.split(windows, 4, axis=-1)
    covariance = products - mean_x * mean_y
    variances = squares - mean_x**2 - mean_y**2
    mean_x, mean_y = mean_x + 128, mean_y + 128
    first, second = _STABILIZERS
    likeness = (2 * mean_x * mean_y + first) * (2 * covariance + second)
    likeness /= (mean_x**2 + mean_y**2 + first) * (variances + second)
    return float(likeness.mean(dtype=np.float64))


def _blur(image):
    """Gaussian means of the windows that lie inside, along rows and then along columns."""
    for axis in (0, 1):
        size = image.shape[axis] - 2 * RADIUS
        window = [slice(None)] * image.ndim

        def shifted(offset, axis=axis, size=size, window=window, image=image):
            window[axis] = slice(RADIUS + offset, RADIUS + offset + size)
            return image[tuple(window)]

        blurred = shifted(0) * _TAPS[0]
        for offset in range(1, RADIUS + 1):
            blurred += (shifted(-offset) + shifted(offset)) * _TAPS[offset]
        image = blurred
    return image
