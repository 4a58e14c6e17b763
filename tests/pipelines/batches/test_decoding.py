"""Pillow is the second implementation here; it also makes the files."""

import io

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from pipelines.batches import decoding


def smooth_picture(height=24, width=36):
    rows, columns = np.mgrid[0:height, 0:width]
    channels = [rows * 9, columns * 7, (rows + columns) * 4]
    return np.stack(channels, axis=-1).astype(np.uint8)


PICTURE = PIL.Image.fromarray(smooth_picture())


def encoded(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


FILES = {
    "jpeg": encoded(PICTURE, "JPEG", quality=95, subsampling=0),
    "jpeg progressive": encoded(PICTURE, "JPEG", progressive=True, subsampling=0),
    "jpeg gray": encoded(PICTURE.convert("L"), "JPEG"),
    "png": encoded(PICTURE, "PNG"),
    "png palette": encoded(PICTURE.quantize(16), "PNG"),
    "png gray, alpha": encoded(PICTURE.convert("LA"), "PNG"),
    "png one bit": encoded(PICTURE.convert("1"), "PNG"),
    "gif": encoded(PICTURE, "GIF"),
    "gif moving": encoded(
        PICTURE, "GIF", save_all=True, append_images=[PICTURE.transpose(PIL.Image.ROTATE_180)]
    ),
    "bmp": encoded(PICTURE, "BMP"),
    "webp": encoded(PICTURE, "WEBP", lossless=True),
}


def test_tf_data_decodes_as_eager_code_does():
    table = tf.data.Dataset.from_tensor_slices(list(FILES.values()))
    table = table.map(decoding.decode_in_graph)
    assert table.element_spec.shape.as_list() == [None, None, 3]
    for name, picture in zip(FILES, table, strict=True):
        atol = 12 if name.startswith("jpeg") else 0  # The quick transform, not the exact one.
        expected = np.asarray(PIL.Image.open(io.BytesIO(FILES[name])).convert("RGB"), int)
        np.testing.assert_allclose(picture, expected, atol=atol)
        if "gray" in name:
            np.testing.assert_array_equal(picture[..., 0], picture[..., 2])
    nothing = tf.data.Dataset.from_tensors(b"none").map(decoding.decode_in_graph)
    with pytest.raises(tf.errors.InvalidArgumentError):
        list(nothing)
