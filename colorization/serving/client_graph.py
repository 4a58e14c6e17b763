"""A colorization graph whose network is elsewhere."""

import tensorflow as tf

from colorization.inference import upsampling
from colorization.inference.graph import DEPTHS, ColorizationGraph


class RemoteGraph(ColorizationGraph):
    """Does what `ColorizationGraph` does, but asks another what the network says.

    Args:
        ask: Function of L* at the working size, a float tensor of shape `(height, width, 1)`, a
            seed and a count; returns ab of up to `count` colorings, of shape `(n, h, w, 2)`.
        working_size: As in `ColorizationGraph`; that of the model asked.
        size_multiple: Likewise.
    """

    def __init__(self, ask, working_size, size_multiple):
        # There is no network to check against a codec.
        tf.Module.__init__(self)
        self._ask = ask
        self._working_size = working_size
        self._size_multiple = size_multiple

    def trace(self):
        """Traces every function for photos of any size; else each new size would cost a second."""
        number = tf.TensorSpec((), tf.int32)
        small, ab, coefficients, amount = (
            tf.TensorSpec((None, None, None, channels), tf.float32) for channels in (1, 2, 4, 1)
        )
        self._fit.get_concrete_function(small, ab)
        for depth in DEPTHS:
            photos = tf.TensorSpec((None, None, None, 3), depth)
            self._shrink.get_concrete_function(photos)
            self.apply.get_concrete_function(photos, coefficients, number, number, amount)

    def predict(self, images):
        """Predicts the color of one photo. As `ColorizationGraph.predict`."""
        return self.variants(images, 0, 1)

    def variants(self, image, seed, count):
        """Predicts several colorings of one photo. As `ColorizationGraph.variants`."""
        lightness = self._shrink(tf.convert_to_tensor(image))
        ab = self._ask(lightness[0], int(seed), int(count))
        return self._fit(lightness, ab)

    @tf.function
    def _shrink(self, images):
        return self.seen(images)

    @tf.function
    def _fit(self, lightness, ab):
        lightness = tf.repeat(lightness, tf.shape(ab)[0], axis=0)
        return upsampling.fit(lightness, tf.image.resize(ab, tf.shape(lightness)[1:3]))
