"""Pillow is the second implementation here; it also makes the files."""

import io

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from pipelines.batches import decoding
from tests.pipelines.picture_files import FILES

NAMES = ("jpeg", "jpeg progressive", "jpeg gray", "png", "png palette", "png gray, alpha",
         "png one bit", "gif", "gif moving", "bmp", "webp")  # fmt: skip


def test_tf_data_decodes_as_eager_code_does():
    table = tf.data.Dataset.from_tensor_slices([FILES[name] for name in NAMES])
    table = table.map(decoding.decode_in_graph)
    assert table.element_spec.shape.as_list() == [None, None, 3]
    for name, picture in zip(NAMES, table, strict=True):
        atol = 12 if name.startswith("jpeg") else 0  # The quick transform, not the exact one.
        expected = np.asarray(PIL.Image.open(io.BytesIO(FILES[name])).convert("RGB"), int)
        np.testing.assert_allclose(picture, expected, atol=atol)
        if "gray" in name:
            np.testing.assert_array_equal(picture[..., 0], picture[..., 2])
    nothing = tf.data.Dataset.from_tensors(b"none").map(decoding.decode_in_graph)
    with pytest.raises(tf.errors.InvalidArgumentError):
        list(nothing)
