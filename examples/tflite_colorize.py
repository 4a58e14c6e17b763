"""Colors a photo by LiteRT, NumPy and Pillow: `python tflite_colorize.py MODEL PHOTO OUTPUT`."""

import json
import sys

import numpy as np
from ai_edge_litert import interpreter, schema_py_generated
from PIL import Image, ImageOps

# Of linear sRGB to XYZ as a share of white (D65).
TO_XYZ = np.array(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
) / [[0.95047], [1.0], [1.08883]]


def to_lightness(rgb):
    """L* of sRGB levels from 0 to 255."""
    linear = np.where(rgb > 10.3, ((rgb / 255 + 0.055) / 1.055) ** 2.4, rgb / (255 * 12.92))
    y = linear @ TO_XYZ[1]
    return np.where(y > (6 / 29) ** 3, 116 * np.cbrt(y) - 16, y * (29 / 3) ** 3)


def to_rgb(lightness, ab):
    """SRGB levels of L*a*b*; what sRGB can't show moves toward gray of the same luminance."""
    y = (lightness + 16) / 116
    f = np.stack([y + ab[..., 0] / 500, y, y - ab[..., 1] / 200], axis=-1)
    xyz = np.where(f > 6 / 29, f**3, (f - 4 / 29) * 3 * (6 / 29) ** 2)
    gray, linear = xyz[..., 1:2], xyz @ np.linalg.inv(TO_XYZ).T
    off = linear - gray
    excess = np.maximum(off / (1.0001 - gray), off / (-0.0001 - gray)).max(axis=-1, keepdims=True)
    linear = np.clip(gray + off / np.maximum(excess, 1), 0, 1)
    srgb = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    return np.round(srgb * 255).astype(np.uint8)


def working_size(photo, about):
    """Width and height that the model sees: never more than the photo holds."""
    shrink = about["working_size"] / min(photo.size)
    shrink = min(1, shrink, about["max_aspect"] * about["working_size"] / max(photo.size))
    multiple = about["size_multiple"]
    return [max(1, round(side * shrink / multiple)) * multiple for side in photo.size]


def enlarge(values, positions, axis):
    """Bilinear interpolation along one axis."""
    low = np.floor(positions).astype(int)
    high = np.minimum(low + 1, values.shape[axis] - 1)
    weights = np.expand_dims(positions - low, [1 - axis, 2])
    return values.take(low, axis) * (1 - weights) + values.take(high, axis) * weights


def colorize(content, photo, num_threads=2):
    """Colors an upright RGB photo of Pillow's with a model's bytes."""
    model = schema_py_generated.ModelT.InitFromPackedBuf(content)
    (entry,) = [entry for entry in model.metadata if entry.name == b"colorization"]
    buffer = model.buffers[entry.buffer]
    # Of quantized models the buffers lie behind the flatbuffer.
    behind = content[buffer.offset : buffer.offset + buffer.size]
    about = json.loads(bytes(behind if buffer.data is None else buffer.data))
    width, height = about["input_size"] and about["input_size"][::-1] or working_size(photo, about)
    # Channel by channel in floats: Pillow rounds what it resizes in whole numbers.
    channels = [
        band.convert("F").resize((width, height), Image.Resampling.LANCZOS)
        for band in photo.split()
    ]
    small = np.clip(np.stack(channels, axis=-1), 0, 255)
    seen = to_lightness(small)[None, ..., None].astype(np.float32)
    inputs = {"lightness": seen}
    if about.get("takes_hints"):
        # Colors that are known: ab, and a mask that is 1 where it is meant.
        inputs["hints"] = np.zeros((1, height, width, 3), np.float32)
    run = interpreter.Interpreter(model_content=content, num_threads=num_threads)
    coefficients = run.get_signature_runner()(**inputs)["coefficients"][0]
    rgb = np.array(photo)
    rows, columns = (
        np.clip((np.arange(long) + 0.5) * short / long - 0.5, 0, short - 1)
        for short, long in zip((height, width), rgb.shape, strict=False)
    )
    for top in range(0, len(rgb), 64):
        strip = slice(top, top + 64)
        local = enlarge(enlarge(coefficients, rows[strip], 0), columns, 1)
        lightness = to_lightness(rgb[strip])
        rgb[strip] = to_rgb(lightness, local[..., :2] * lightness[..., None] + local[..., 2:])
    return Image.fromarray(rgb)


if __name__ == "__main__":
    model_path, photo_path, output_path = sys.argv[1:]
    picture = ImageOps.exif_transpose(Image.open(photo_path))
    if picture.mode.startswith("I;16"):
        # Pillow would make white of all levels above 255.
        picture = Image.fromarray((np.asarray(picture) / 257).round().astype(np.uint8))
    picture = picture.convert("RGB")
    with open(model_path, "rb") as file:
        colorize(file.read(), picture).save(output_path, quality=95, subsampling=0)
