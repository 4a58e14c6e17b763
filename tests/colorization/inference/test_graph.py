import dataclasses

import cv2
import keras
import numpy as np
import pytest
import skimage.color
import skimage.data
import tensorflow as tf

from colorization.inference import graph, graph_steps
from colorization.models.layers import modulate
from colorization.serving import versions
from pipelines.color import codecs

RNG = np.random.default_rng(0)
FULL = tf.ones([1, 1, 1, 1])


def network(num_outputs, condition_channels=1):
    """A small network of random weights."""
    keras.utils.set_random_seed(0)
    condition = keras.Input((None, None, condition_channels))
    hidden = keras.layers.Conv2D(8, 5, 2, "same", activation="relu")(condition)
    hidden = keras.layers.BatchNormalization()(keras.layers.Conv2D(8, 3, 2, "same")(hidden))
    hidden = keras.layers.Dropout(0.5)(hidden)
    start = keras.initializers.RandomNormal(stddev=0.5)
    head = keras.layers.Conv2D(num_outputs, 1, kernel_initializer=start)
    return keras.Model(condition, head(hidden))


def colorizer(codec="lab", working_size=32):
    codec = codecs.CODECS[codec]
    small = network(codec.num_outputs, codec.condition_channels)
    return graph.ColorizationGraph(small, codec, working_size, 16)


@pytest.fixture(scope="module")
def random_colors():
    return colorizer()


@pytest.fixture(scope="module")
def one_color():
    """Function that colors a photo by a network that says the same of every pixel."""
    subject = colorizer()
    head = subject.network.layers[-1]
    head.kernel.assign(np.zeros(head.kernel.shape))

    def color(photo, ab):
        head.bias.assign(ab)
        return subject.arrays(photo).numpy()

    return color


@pytest.fixture(scope="module")
def noisy():
    """A colorizer whose network makes its colors of noise."""
    keras.utils.set_random_seed(0)
    inputs = [keras.Input((None, None, 1)), keras.Input((6,))]
    start = keras.initializers.RandomNormal(stddev=0.5)
    hidden = keras.layers.Conv2D(8, 5, 2, "same", activation="relu")(inputs[0])
    hidden = modulate(hidden, inputs[1])
    head = keras.layers.Conv2D(2, 1, activation="tanh", kernel_initializer=start)
    network = keras.Model(inputs, head(hidden))
    return graph.ColorizationGraph(network, codecs.CODECS["lab_128"], 32, 16)


def colored_by(photo, *args):
    # A `tf.function` holds its object weakly: it needs a name until the graph is traced.
    subject = colorizer(*args)
    return subject.arrays(photo).numpy()


def noise(*shape):
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def lightness(photo):
    return skimage.color.rgb2lab(photo)[..., 0]


@pytest.mark.slow
@pytest.mark.parametrize("size", [(1, 1), (1, 10_000), (10_000, 1), (37, 53), (2, 3), (300, 64)])
def test_any_size_keeps_size_and_lightness(random_colors, size):
    photo = noise(1, *size, 3)
    colored = random_colors.arrays(photo).numpy()
    assert colored.shape == photo.shape and colored.dtype == np.uint8
    assert np.abs(lightness(colored) - lightness(photo)).max() <= 1


@pytest.mark.slow
# The others differ from these in numbers alone, which tests of codecs hold.
@pytest.mark.parametrize("codec", ["gray_rgb", "hinted_ab", "lab", "quantized_ab"])
def test_every_codec_keeps_lightness(codec):
    photo = skimage.data.astronaut()[None, ::4, ::4]
    colored = colored_by(photo, codec)
    assert np.abs(lightness(colored) - lightness(photo)).max() <= 1
    # What was predicted, not the photo's own colors.
    assert np.abs(colored.astype(int) - photo).mean() > 1


@pytest.mark.slow
def test_a_known_color_is_what_skimage_makes_of_it(one_color):
    photo = np.broadcast_to(np.arange(90, 200, dtype=np.uint8)[:, None], (110, 40))
    colored = one_color(np.stack([photo] * 3, -1)[None], [20 / 110, -30 / 110])
    lab = skimage.color.rgb2lab(np.stack([photo] * 3, -1))
    lab[..., 1:] = (20, -30)
    np.testing.assert_allclose(colored[0], skimage.color.lab2rgb(lab) * 255, atol=1)


def test_no_color_leaves_gray_as_it_was(one_color):
    photo = np.repeat(np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1), 3, axis=-1)
    np.testing.assert_array_equal(one_color(photo, [0, 0]), photo)


def test_impossible_colors_keep_lightness_and_stay_vivid(one_color):
    photo = np.full((1, 8, 8, 3), 119, np.uint8)
    lab = skimage.color.rgb2lab(one_color(photo, [0, 3]))
    assert np.abs(lab[..., 0] - lightness(photo)).max() <= 1
    assert lab[..., 2].min() > 40
    np.testing.assert_allclose(lab[..., 1], 0, atol=5)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((64, 64), (32, 32)),
        ((300, 400), (32, 48)),
        ((400, 300), (48, 32)),
        ((20, 20), (16, 16)),
        ((26, 90), (32, 96)),
        ((1, 1), (16, 16)),
        ((1, 10_000), (16, 128)),
        ((1000, 10_000), (16, 128)),
    ],
)
def test_working_size(random_colors, size, expected):
    coefficients = random_colors.predict(noise(1, *size, 3))
    assert coefficients.shape == (1, *expected, 4)
    assert np.isfinite(coefficients).all()


def test_the_network_sees_an_averaged_photo(monkeypatch):
    # Stripes finer than a working pixel: picking pixels would see black or white, never gray.
    photo = np.zeros((1, 640, 640, 3), np.uint8)
    photo[:, :, ::2] = 255
    seen = []
    subject = colorizer()
    answer = graph.layers.generate

    def spy(network, condition):
        tf.py_function(seen.append, [tf.reduce_max(condition) - tf.reduce_min(condition)], [])
        return answer(network, condition)

    monkeypatch.setattr(graph.layers, "generate", spy)
    subject.predict(photo)
    assert seen[0] < 0.2


def test_a_batch_of_two_is_two_batches_of_one(random_colors):
    photos = noise(2, 70, 50, 3)
    one_by_one = [random_colors.arrays(photos[index : index + 1])[0] for index in range(2)]
    np.testing.assert_allclose(random_colors.arrays(photos), np.stack(one_by_one), atol=1)


@pytest.mark.slow
def test_strips_are_the_whole(random_colors, monkeypatch):
    photos = noise(2, 75, 40, 3)
    whole = random_colors.arrays(photos).numpy().astype(int)
    monkeypatch.setattr(graph, "STRIP_PIXELS", 900)
    assert graph.strip_rows(2, 40) == 12
    np.testing.assert_allclose(colored_by(photos), whole, atol=1)
    coefficients = random_colors.predict(photos)
    strips = [
        random_colors.apply(photos[:, top : top + 31], coefficients, top, 75, FULL)
        for top in range(0, 75, 31)
    ]
    np.testing.assert_allclose(np.concatenate(strips, axis=1), whole, atol=1)


@pytest.mark.slow
def test_sixteen_bits_are_the_same_photo_in_finer_steps(random_colors):
    photo = noise(1, 40, 30, 3)
    coefficients = random_colors.predict(photo)
    deep = photo.astype(np.uint16) * 257
    np.testing.assert_allclose(random_colors.predict(deep), coefficients, atol=0.05)
    colored = random_colors.apply(deep, coefficients, 0, 40, FULL).numpy()
    assert colored.dtype == np.uint16
    shallow = random_colors.apply(photo, coefficients, 0, 40, FULL).numpy()
    np.testing.assert_allclose(colored / 257, shallow, atol=0.51)


def test_sixteen_bits_of_gray_stay_to_the_level():
    subject = colorizer()
    ramp = np.arange(0, 65536, 7, dtype=np.uint16)[None, None, :, None].repeat(3, -1)
    colorless = np.zeros((1, 16, 16, 4), np.float32)
    colored = subject.apply(ramp, colorless, 0, 1, FULL).numpy()
    np.testing.assert_allclose(colored.astype(int), ramp, atol=2)


def test_the_amount_multiplies_chroma():
    subject = colorizer()
    photo = np.full((1, 3, 4, 3), 119, np.uint8)
    intercepts = np.zeros((1, 16, 16, 4), np.float32)
    intercepts[..., 2:] = (20, -30)
    amount = np.zeros((1, 3, 4, 1), np.float32)
    amount[0, :, 2] = 0.5
    amount[0, :, 3] = 1
    lab = skimage.color.rgb2lab(subject.apply(photo, intercepts, 0, 3, amount))[0, 1]
    expected = np.array([(0, 0), (0, 0), (10, -15), (20, -30)])
    np.testing.assert_allclose(lab[:, 1:], expected, atol=0.7)
    np.testing.assert_allclose(lab[:, 0], lightness(photo)[0, 0], atol=0.5)


@pytest.mark.parametrize("size", [(512, 384), (1024, 768)])
def test_colors_do_not_depend_on_the_size_of_the_photo(random_colors, size):
    photo = skimage.data.astronaut()[:, :384]
    reference = skimage.color.rgb2lab(random_colors.arrays(photo[None])[0])
    large = cv2.resize(photo, size[::-1], interpolation=cv2.INTER_CUBIC)
    colored = cv2.resize(
        random_colors.arrays(large[None]).numpy()[0], (384, 512), interpolation=cv2.INTER_AREA
    )
    distance = np.linalg.norm((skimage.color.rgb2lab(colored) - reference)[..., 1:], axis=-1)
    assert distance.mean() < 2


@pytest.mark.slow
def test_saved_and_loaded_it_is_the_same(random_colors, tmp_path):
    photo = noise(2, 45, 33, 3)
    path = versions.save(random_colors, str(tmp_path / "model"), 1, {})
    loaded = tf.saved_model.load(path)
    expected = random_colors.arrays(photo)
    (served,) = loaded.signatures["arrays"](tf.constant(photo)).values()
    np.testing.assert_array_equal(served, expected)
    np.testing.assert_array_equal(loaded.arrays(photo), expected)
    coefficients = loaded.predict(photo)
    top, height = tf.constant(0), tf.constant(45)
    np.testing.assert_array_equal(
        loaded.apply(tf.constant(photo), coefficients, top, height, FULL), expected
    )


@pytest.mark.slow
def test_variants_begin_with_the_coloring_itself_and_a_seed_repeats_them():
    subject = colorizer("quantized_ab")
    photo = skimage.data.astronaut()[None, ::4, ::4]
    two = subject.variants(photo, tf.constant(3), tf.constant(4))
    np.testing.assert_allclose(two[:1], subject.predict(photo), atol=1e-3)
    assert 1 < len(two) <= 4
    np.testing.assert_array_equal(subject.variants(photo, tf.constant(3), tf.constant(4)), two)
    other = subject.variants(photo, tf.constant(4), tf.constant(4))
    assert len(other) != len(two) or np.abs(other[1:] - two[1:]).max() > 0.1


class TestRestoreContrast:
    PHOTO = np.linspace(2, 98, 2400, dtype=np.float32).reshape(1, 40, 60, 1)

    def test_full_contrast_is_left_alone(self):
        np.testing.assert_allclose(graph_steps.restore_contrast(self.PHOTO), self.PHOTO, atol=1e-3)

    @pytest.mark.parametrize(("offset", "gain"), [(35, 0.5), (5, 0.4), (60, 0.35)])
    def test_faded_photos_range_as_others_do(self, offset, gain):
        restored = graph_steps.restore_contrast(offset + gain * self.PHOTO).numpy()
        low, high = np.percentile(restored, [1, 99])
        assert high - low == pytest.approx(graph_steps.COMMON_RANGE, abs=3)
        assert (np.diff(restored.ravel()) >= 0).all()

    def test_a_blank_page_stays_blank(self):
        page = np.random.default_rng(0).normal(90, 1, (1, 20, 20, 1)).astype(np.float32)
        np.testing.assert_allclose(graph_steps.restore_contrast(page), page, atol=1e-3)

    def test_each_photo_of_a_batch_has_its_own(self):
        photos = np.concatenate([self.PHOTO, 30 + 0.4 * self.PHOTO])
        restored = graph_steps.restore_contrast(photos)
        for index in range(2):
            alone = graph_steps.restore_contrast(photos[index : index + 1])
            np.testing.assert_allclose(restored[index], alone[0], atol=1e-4)


def test_a_sepia_print_is_seen_as_the_gray_one(random_colors):
    gray = skimage.data.camera()[::4, ::4, None].repeat(3, axis=-1)
    lab = skimage.color.rgb2lab(gray)
    lab[..., 1:] = (6, 18)
    sepia = np.round(skimage.color.lab2rgb(lab) * 255).astype(np.uint8)
    seen = [random_colors.arrays(photo[None]).numpy()[0] for photo in (gray, sepia)]
    distance = skimage.color.rgb2lab(seen[0]) - skimage.color.rgb2lab(seen[1])
    assert np.linalg.norm(distance, axis=-1).mean() < 2


def test_wrong_parts_are_named():
    with pytest.raises(ValueError, match="2 output channels. Received: 3"):
        graph.ColorizationGraph(network(3), codecs.CODECS["lab"], 32, 16)
    with pytest.raises(ValueError, match="size_multiple=16. Received: working_size=40"):
        graph.ColorizationGraph(network(2), codecs.CODECS["lab"], 40, 16)


@pytest.mark.slow
def test_noise_gives_as_many_colorings_as_asked_for(noisy):
    photo = noise(1, 40, 50, 3)
    assert noisy.gives_variants
    several = noisy.variants(photo, 3, 4).numpy()
    assert len(several) == 4
    # The first is that of no noise, up to the rounding of a larger batch.
    np.testing.assert_allclose(several[:1], noisy.predict(photo), rtol=1e-3, atol=1e-3)
    for one, other in zip(several, several[1:], strict=False):
        assert np.abs(one - other).mean() > 0.1


@pytest.mark.slow
def test_a_seed_gives_the_same_colors_however_many_are_asked_for(noisy):
    photo = noise(1, 40, 50, 3)
    few, many = (noisy.variants(photo, 3, count).numpy() for count in (2, 5))
    np.testing.assert_allclose(few, many[:2], rtol=1e-3, atol=1e-3)
    assert np.abs(noisy.variants(photo, 4, 2)[1] - few[1]).mean().item() > 0.1


@pytest.mark.slow
def test_noise_is_saved_too(noisy, tmp_path):
    photo = noise(1, 40, 50, 3)
    loaded = tf.saved_model.load(versions.save(noisy, str(tmp_path / "noisy"), 1, {}))
    for functions in (loaded, noisy):
        functions.colored = functions.variants(
            tf.constant(photo), tf.constant(3), tf.constant(4)
        ).numpy()
    np.testing.assert_allclose(loaded.colored, noisy.colored, rtol=1e-3, atol=1e-3)


def test_saturation_multiplies_chroma_and_keeps_hints():
    codec = dataclasses.replace(codecs.CODECS["lab"], takes_hints=True)
    condition = keras.Input((None, None, 4))
    # Says the hint where there is one, and makes color of lightness where L* is not 50.
    echo = keras.layers.Conv2D(2, 1, use_bias=False)
    network = keras.Model(condition, echo(condition))
    echo.kernel.assign(np.array([[0.3, 0.2], [1, 0], [0, 1], [0, 0]]).reshape(1, 1, 4, 2))
    plain, vivid = (
        graph.ColorizationGraph(network, codec, 32, 16, saturation) for saturation in (1, 1.5)
    )
    light = tf.fill([1, 32, 32, 1], 70.0)
    np.testing.assert_allclose(vivid.ab(light), 1.5 * plain.ab(light), rtol=1e-5)
    hints = tf.tile(tf.constant([40.0, -30, 1]), [32 * 32])
    hinted = vivid.ab(tf.fill([1, 32, 32, 1], 50.0), tf.reshape(hints, [1, 32, 32, 3]))
    np.testing.assert_allclose(hinted[0, 0, 0], [40, -30], rtol=1e-3, atol=0.1)


def test_two_views_are_averaged():
    codec = dataclasses.replace(codecs.CODECS["lab"], takes_hints=True)
    one, two = (
        graph.ColorizationGraph(network(2, 4), codec, 64, 16, second_scale=scale)
        for scale in (0, 0.6)
    )
    light = tf.constant(RNG.uniform(0, 100, (2, 64, 96, 1)), tf.float32)
    hints = np.zeros((2, 64, 96, 3), np.float32)
    hints[:, 16:32, 40:60] = 50, 20, 1
    for given in (None, hints):
        # 38.4 and 57.6 rounded to the nearest multiples of 16.
        small = tf.image.resize(light, (32, 64), antialias=True)
        small_hints = None if given is None else tf.image.resize(given, (32, 64), "nearest")
        views = one.ab(light, given), one.ab(small, small_hints)
        cells = tf.image.resize(light, views[0].shape[1:3], antialias=True)
        expected = (views[0] + graph_steps.enlarge_alike(cells, views[1])) / 2
        np.testing.assert_allclose(two.ab(light, given), expected, rtol=1e-4, atol=1e-4)


def test_suggestions_are_as_saturated_as_the_colorings():
    codec = codecs.CODECS["quantized_ab"]
    plain, vivid = (
        graph.ColorizationGraph(network(codec.num_outputs), codec, 32, 16, saturation)
        for saturation in (1, 1.5)
    )
    light = tf.reshape(tf.linspace(0.0, 100.0, 32 * 32), [1, 32, 32, 1])
    expected, shares = plain.suggest(light, None, tf.constant([0.3, 0.6]))
    ab, same_shares = vivid.suggest(light, None, tf.constant([0.3, 0.6]))
    assert np.abs(expected).max() > 1
    np.testing.assert_allclose(ab, 1.5 * expected, rtol=1e-5)
    np.testing.assert_array_equal(same_shares, shares)
