"""Codecs: what the networks see of a picture, and how a picture is made of what they say.

Law of the file: `rgb` is float sRGB in `[0, 1]` or uint8, of shape `(..., height, width, 3)`. One
frozen codec serves training, metrics, inference and the exported graph alike, so that no two of
them can scale a picture differently. Where the condition is lightness or the target is RGB,
`decode(*encode(rgb))` gives `rgb` back; luma is not lightness, and bins are predicted as logits.
"""

import dataclasses

import tensorflow as tf

from pipelines.color import bins, spaces

HINT_SCALE = 110.0


@dataclasses.dataclass(frozen=True)
class Scaling:
    """A linear map `scaled = (value + shift) / divisor` of channels."""

    divisor: float
    shift: float = 0.0

    def apply(self, value):
        """Scales a tensor of natural units."""
        return (value + self.shift) / self.divisor

    def invert(self, scaled):
        """Returns a scaled tensor to natural units."""
        return scaled * self.divisor - self.shift


@dataclasses.dataclass(frozen=True)
class Codec:
    """Splits a picture into the gray condition and the color target of a network.

    Args:
        condition: `"lightness"` (L*, in `[0, 100]`) or `"luma"` (in `[0, 1]`).
        condition_scaling: Scaling of the condition.
        target: `"ab"` (CIE units) or `"rgb"` (in `[0, 1]`).
        target_scaling: Scaling of the target.
        takes_hints: Whether the condition holds color hints beside the gray.
    """

    condition: str
    condition_scaling: Scaling
    target: str
    target_scaling: Scaling
    takes_hints: bool = False

    @property
    def condition_channels(self):
        """Channels of a network's condition: 1, or 4 with hints of a, b and their mask."""
        return 4 if self.takes_hints else 1

    @property
    def num_outputs(self):
        """Channels of a network's prediction."""
        return 2 if self.target == "ab" else 3

    @property
    def levels(self):
        """Values of the condition that are black and white."""
        white = 100.0 if self.condition == "lightness" else 1.0
        return tuple(self.condition_scaling.apply(value) for value in (0.0, white))

    @property
    def target_activation(self):
        """The activation whose range is that of the target: 0 to 1, or -1 to 1."""
        lowest = -128.0 if self.target == "ab" else 0.0
        return "sigmoid" if self.target_scaling.apply(lowest) >= 0 else "tanh"

    def encode(self, rgb):
        """Splits pictures.

        Args:
            rgb: Tensor of shape `(..., 3)`: sRGB, float in `[0, 1]` or uint8. Of pairs of shape
                `(..., 6)`: the picture of the target, and behind it that of the condition. Or
                uint8 of shape `(..., 4)`: the picture, and behind it the gray level that the
                condition is made of.

        Returns:
            Float tensors `(condition, target)` of shapes `(..., condition_channels)` and
            `(..., 2)` or `(..., 3)`. The condition holds no hints.
        """
        if rgb.shape[-1] == 4:
            condition, target = self.encode(rgb[..., :3])
            gray = tf.cast(rgb[..., 3:], tf.int32)
            if self.condition == "lightness":
                gray = tf.gather(tf.constant(spaces.gray_to_lightness()), gray)
            else:
                gray = tf.cast(gray, tf.float32) / 255
            return self._without_hints(self.condition_scaling.apply(gray)), target
        if rgb.shape[-1] == 6:
            return self.encode(rgb[..., 3:])[0], self.encode(rgb[..., :3])[1]
        if rgb.dtype == tf.uint8 and self.target == "rgb":
            rgb = tf.cast(rgb, tf.float32) / 255
        lab = spaces.rgb_to_lab(rgb)
        gray = lab[..., :1] if self.condition == "lightness" else spaces.rgb_to_luma(rgb)
        target = lab[..., 1:] if self.target == "ab" else rgb
        condition = self._without_hints(self.condition_scaling.apply(gray))
        return condition, self.target_scaling.apply(target)

    def _without_hints(self, gray):
        if not self.takes_hints:
            return gray
        return tf.pad(gray, [[0, 0]] * (gray.shape.rank - 1) + [[0, 3]])

    def hint(self, condition, ab, mask):
        """Puts hints into a condition of shape `(batch, height, width, 4)`.

        `ab`, `(batch, height, width, 2)`, holds hinted colors in CIE units, and `mask`, `(batch,
        height, width, 1)`, 1 where they hold and 0 elsewhere.
        """
        return tf.concat([condition[..., :1], ab * mask / HINT_SCALE, mask], axis=-1)

    def lightness(self, condition):
        """L* of a condition: exact for `"lightness"`, that of the gray picture for `"luma"`."""
        gray = self.condition_scaling.invert(condition[..., :1])
        if self.condition == "lightness":
            return gray
        return spaces.rgb_to_lab(tf.repeat(gray, 3, axis=-1))[..., :1]

    def ab(self, prediction):
        """Chroma of a prediction, in CIE units, at the prediction's own size."""
        values = self.target_scaling.invert(tf.cast(prediction, tf.float32))
        if self.target == "ab":
            return values
        return spaces.rgb_to_lab(tf.clip_by_value(values, 0.0, 1.0))[..., 1:]

    def decode(self, condition, prediction, lightness=None):
        """Makes pictures of conditions and predictions.

        Args:
            condition: Float tensor of shape `(batch, height, width, 1)`.
            prediction: Float tensor of shape `(batch, h, w, num_outputs)`; where it is smaller
                than the condition, it is enlarged bilinearly.
            lightness: L* that predicted chroma is put on, of the condition's shape; None takes that
                of the condition. Predicted RGB has its own.

        Returns:
            Float tensor of shape `(batch, height, width, 3)`: sRGB in `[0, 1]`.
        """
        size = tf.shape(condition)[1:3]
        if self.target == "rgb":
            rgb = self.target_scaling.invert(tf.cast(prediction, tf.float32))
            return tf.clip_by_value(tf.image.resize(rgb, size), 0.0, 1.0)
        lightness = self.lightness(condition) if lightness is None else lightness
        return self._compose(lightness, self.ab(prediction))

    def pictures(self, condition, target, prediction):
        """Makes pictures of targets and of predictions, for whoever compares the two.

        Of a target no finer than the prediction: that would tell them apart by itself. Of the
        target, as `encode` returns it, the size is known, and a multiple of the prediction's.
        Arguments and results, of which there are two, are else those of `decode`.
        """
        factor = target.shape[1] // prediction.shape[1]
        target = tf.nn.avg_pool2d(target, factor, factor, "VALID")
        predicted = self.decode(condition, prediction)
        if self.target == "rgb":
            return self.decode(condition, target), predicted
        ab = self.target_scaling.invert(target)
        return self._compose(self.lightness(condition), ab), predicted

    @staticmethod
    def _compose(lightness, ab):
        """Makes pictures of L* and of ab, at its size or smaller."""
        lab = tf.concat([lightness, tf.image.resize(ab, tf.shape(lightness)[1:3])], axis=-1)
        linear = spaces.reduce_chroma_to_gamut(spaces.lab_to_linear(lab))
        return tf.clip_by_value(spaces.linear_to_srgb(linear), 0.0, 1.0)


@dataclasses.dataclass(frozen=True)
class QuantizedCodec(Codec):
    """A codec whose networks predict a distribution over bins of ab instead of ab itself.

    Args:
        temperature: Of the annealed mean that takes one color from the distribution.
    """

    temperature: float = 0.38

    @property
    def num_outputs(self):
        """Channels of a network's prediction: one logit for each bin."""
        return len(bins.bin_centers())

    def ab(self, prediction):
        """Chroma of logits, in CIE units, at the prediction's own size."""
        return bins.annealed_mean(prediction, self.temperature)


_TANH_LIGHTNESS = Scaling(50.0, -50.0)
_TANH_RGB = Scaling(0.5, -0.5)

CODECS = {
    # System A, and the pix2pix tutorial behind it.
    "lab": Codec("lightness", _TANH_LIGHTNESS, "ab", Scaling(110.0)),
    # System B as its document has it, for lightness and for gray, and with the scaling mended.
    "lab_offset": Codec("lightness", Scaling(255.0), "ab", Scaling(255.0, 128.0)),
    "gray_offset": Codec("luma", Scaling(1.0), "ab", Scaling(255.0, 128.0)),
    "gray_ab": Codec("luma", Scaling(1.0), "ab", Scaling(128.0)),
    # System C: gray to RGB, both in [-1, 1].
    "gray_rgb": Codec("luma", _TANH_RGB, "rgb", _TANH_RGB),
    # System D.
    "lab_128": Codec("lightness", Scaling(128.0), "ab", Scaling(128.0)),
    # System E: lightness in [0, 1] to RGB in [-1, 1].
    "lightness_rgb": Codec("lightness", Scaling(100.0), "rgb", _TANH_RGB),
    # The released model.
    "quantized_ab": QuantizedCodec("lightness", _TANH_LIGHTNESS, "ab", Scaling(1.0)),
    "hinted_ab": QuantizedCodec("lightness", _TANH_LIGHTNESS, "ab", Scaling(1.0), takes_hints=True),
}
