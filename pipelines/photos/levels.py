"""Levels of TIFF that are neither of 8 nor of 16 unsigned bits: what of them is black and white.

Such files say it nowhere, and programs differ: it follows from the levels themselves.
"""

from pipelines.photos.photo import PictureError

_WHITES = {
    "char": (127,),
    "short": (255, 32_767),
    "int": (255, 65_535, 2**31 - 1),
    "uint": (255, 65_535, 2**32 - 1),
}
_LOWEST = {"char": -(2**7), "short": -(2**15), "int": -(2**31)}


def to_sixteen_bits(image):
    """Takes floating-point, signed or 32-bit levels to uint16.

    Levels of whole numbers are signed around gray if some are negative; else black is 0, and white
    the least of 255, 65535 and the type's highest that no level is above. White of floating-point
    levels is 1, 255 or 65535; a few that are a little higher are clipped.

    Args:
        image: A `pyvips.Image`.

    Returns:
        `(image, remarks)`: a `pyvips.Image` of the same channels, and strings as in
        `Photo.remarks`. Others come back as they are.

    Raises:
        PictureError: If floating-point levels are of no such scale.
    """
    is_floating = image.format in ("float", "double")
    if not is_floating and image.format not in _WHITES:
        return image, ()
    image = image.copy_memory()  # It is read more than once.
    if is_floating:
        black, white, remarks = 0, _floating_white(image), ()
    else:
        whites = _WHITES[image.format]
        is_signed = image.min() < 0
        black = _LOWEST[image.format] if is_signed else 0
        white = whites[-1] if is_signed else next(w for w in whites if image.max() <= w)
        remarks = (f"its levels are taken from {black} (black) to {white} (white).",)
    # Doubles, because floats have no room for 32 bits.
    scaled = ((image.cast("double") - black) * (65_535 / (white - black))).rint().cast("ushort")
    kind = {"b-w": "grey16", "srgb": "rgb16", "scrgb": "rgb16"}.get(image.interpretation)
    return scaled.copy(interpretation=kind or image.interpretation), remarks


def _floating_white(image):
    white, share = 1, (image > 1).avg() / 255
    # Few and small ones are highlights above white.
    if share > 0.1 and image.max() > 16:
        white = next((level for level in (255, 65_535) if image.max() <= level + 0.5), None)
    if white is None:
        raise PictureError(
            "expected floating-point levels from 0 to 1, 255 or 65535. Received: levels up to "
            f"{image.max():g}. Save it as 16-bit RGB."
        )
    return white
