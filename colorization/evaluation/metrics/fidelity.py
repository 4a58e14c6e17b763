"""How near a picture comes to the truth.

Pictures are arrays of shape `(height, width, 3)`: `rgb` of 8-bit sRGB levels, `lab` of CIE L*a*b*
(D65, 2 degree observer).
"""

import cv2
import numpy as np

AUC_LIMIT = 150
SSIM_WINDOW, SSIM_SIGMA = 11, 1.5
_STABILIZERS = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_DEGREE = np.pi / 180


def psnr(truth, picture):
    """Peak signal-to-noise ratio over all channels of `rgb`: decibels, infinite for equals."""
    error = np.mean(np.square(np.asarray(truth, np.float64) - np.asarray(picture, np.float64)))
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def ssim(truth, picture):
    """Structural similarity of `rgb`, in windows of 11 x 11 under a Gaussian of 1.5.

    The mean over the three channels and over all windows that lie inside, as scikit-image's
    `gaussian_weights=True, sigma=1.5, use_sample_covariance=False`; not SSIM of gray levels. Raises
    `ValueError` if a side is shorter than 11.

    Source: Wang et al., "Image quality assessment: from error visibility to structural similarity",
    2004.
    """
    if min(np.shape(truth)[:2]) < SSIM_WINDOW:
        raise ValueError(
            f"`ssim` needs at least {SSIM_WINDOW} pixels on a side. Received: "
            f"shape={np.shape(truth)}."
        )
    # Around a middle level, since the variances are differences of squares in 32 bits.
    x, y = (np.asarray(image, np.float32) - 128 for image in (truth, picture))
    size, inside = (SSIM_WINDOW, SSIM_WINDOW), slice(SSIM_WINDOW // 2, -(SSIM_WINDOW // 2))
    mean_x, mean_y, squares, products = (
        cv2.GaussianBlur(image, size, SSIM_SIGMA)[inside, inside]
        for image in (x, y, x * x + y * y, x * y)
    )
    covariance = products - mean_x * mean_y
    variances = squares - mean_x**2 - mean_y**2
    mean_x, mean_y = mean_x + 128, mean_y + 128
    first, second = _STABILIZERS
    likeness = (2 * mean_x * mean_y + first) * (2 * covariance + second)
    likeness /= (mean_x**2 + mean_y**2 + first) * (variances + second)
    return float(likeness.mean(dtype=np.float64))


def lightness_drift(truth, picture):
    """Mean absolute difference of L*, which coloring should keep, of two `lab` pictures."""
    return float(np.abs(truth[..., 0] - picture[..., 0]).mean(dtype=np.float64))


def ab_error(truth, picture):
    """Distance in ab at every pixel of two `lab` pictures, in CIE units."""
    return np.hypot(truth[..., 1] - picture[..., 1], truth[..., 2] - picture[..., 2])


def auc(error):
    """Area under the cumulative curve of ab errors, by pixel: its mean is Zhang's AuC.

    The curve says which share of pixels is at most `t` away, for `t` from 0 to `AUC_LIMIT`: the
    share of a pixel is `1 - error / AUC_LIMIT`. Returns percent, for ab distances of any shape.

    Source: Zhang, Isola, Efros, "Colorful Image Colorization", 2016, section 3.1.
    """
    return 100 - np.minimum(error, AUC_LIMIT) * (100 / AUC_LIMIT)


def ciede2000(lab, other):
    """Color difference CIEDE2000 of `lab`, of shape `(..., 3)`, at unit weights: `(...)`.

    It is 0 for equal colors, about 1 where a difference is just seen.

    Source: Sharma, Wu, Dalal, "The CIEDE2000 color-difference formula: implementation notes,
    supplementary test data, and mathematical observations", 2005.
    """
    (light_1, a_1, b_1), (light_2, a_2, b_2) = (
        np.moveaxis(np.asarray(x), -1, 0) for x in (lab, other)
    )
    mean_chroma = (np.hypot(a_1, b_1) + np.hypot(a_2, b_2)) / 2
    stretch = 1 + (1 - _saturation(mean_chroma)) / 2
    a_1, a_2 = a_1 * stretch, a_2 * stretch
    chroma_1, chroma_2 = np.hypot(a_1, b_1), np.hypot(a_2, b_2)
    # From 0 to a whole turn, since opposite hues are averaged by their angles.
    hue_1, hue_2 = (np.mod(np.arctan2(b, a), 2 * np.pi) for a, b in ((a_1, b_1), (a_2, b_2)))
    # The shorter way around; a gray has no hue, and takes the other's.
    turn = hue_2 - hue_1
    turn -= 2 * np.pi * np.sign(turn) * (np.abs(turn) > np.pi)
    grays = chroma_1 * chroma_2 == 0
    turn = np.where(grays, 0, turn)
    hue = np.where(grays, np.where(chroma_1 == 0, hue_2, hue_1), hue_1 + turn / 2)

    light_step, chroma_step = light_2 - light_1, chroma_2 - chroma_1
    hue_step = 2 * np.sqrt(chroma_1 * chroma_2) * np.sin(turn / 2)
    chroma = (chroma_1 + chroma_2) / 2
    from_middle = np.square((light_1 + light_2) / 2 - 50)
    light_step = light_step / (1 + 0.015 * from_middle / np.sqrt(20 + from_middle))
    chroma_step = chroma_step / (1 + 0.045 * chroma)
    weight = 1 - 0.17 * np.cos(hue - 30 * _DEGREE) + 0.24 * np.cos(2 * hue)
    weight += 0.32 * np.cos(3 * hue + 6 * _DEGREE) - 0.20 * np.cos(4 * hue - 63 * _DEGREE)
    hue_step = hue_step / (1 + 0.015 * chroma * weight)
    # In blue the ellipses of equal difference are tilted.
    blue = (np.mod(hue, 2 * np.pi) / _DEGREE - 275) / 25
    rotation = -2 * _saturation(chroma) * np.sin(60 * _DEGREE * np.exp(-np.square(blue)))
    squares = light_step**2 + chroma_step**2 + hue_step**2 + rotation * chroma_step * hue_step
    return np.sqrt(np.maximum(squares, 0))


def _saturation(chroma):
    # Chroma over 25, so that its seventh power stays within 32 bits.
    seventh = (chroma / 25) ** 7
    return np.sqrt(seventh / (seventh + 1))
