import keras
import numpy as np
import pytest
import skimage.color
import skimage.data
import tensorflow as tf

from colorization.inference import graph
from pipelines import codecs

RNG = np.random.default_rng(0)


def network(num_outputs):
    """A small network of random weights."""
    keras.utils.set_random_seed(0)
    condition = keras.Input((None, None, 1))
    hidden = keras.layers.Conv2D(8, 5, 2, "same", activation="relu")(condition)
    hidden = keras.layers.BatchNormalization()(keras.layers.Conv2D(8, 3, 2, "same")(hidden))
    hidden = keras.layers.Dropout(0.5)(hidden)
    start = keras.initializers.RandomNormal(stddev=0.5)
    head = keras.layers.Conv2D(num_outputs, 1, kernel_initializer=start)
    return keras.Model(condition, head(hidden))


def colorizer(codec="lab", working_size=32):
    codec = codecs.CODECS[codec]
    return graph.ColorizationGraph(network(codec.num_outputs), codec, working_size, 16)


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


def colored_by(photo, *args):
    # A `tf.function` holds its object weakly: it needs a name until the graph is traced.
    subject = colorizer(*args)
    return subject.arrays(photo).numpy()


def noise(*shape):
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def lightness(photo):
    return skimage.color.rgb2lab(photo)[..., 0]


@pytest.mark.parametrize("size", [(1, 1), (1, 10_000), (10_000, 1), (37, 53), (2, 3), (300, 64)])
def test_any_size_keeps_size_and_lightness(random_colors, size):
    photo = noise(1, *size, 3)
    colored = random_colors.arrays(photo).numpy()
    assert colored.shape == photo.shape and colored.dtype == np.uint8
    assert np.abs(lightness(colored) - lightness(photo)).max() <= 1


@pytest.mark.parametrize("codec", sorted(codecs.CODECS))
def test_every_codec_keeps_lightness(codec):
    photo = skimage.data.astronaut()[None, ::4, ::4]
    colored = colored_by(photo, codec)
    assert np.abs(lightness(colored) - lightness(photo)).max() <= 1
    # What was predicted, not the photo's own colors.
    assert np.abs(colored.astype(int) - photo).mean() > 1


def test_a_known_color_is_what_skimage_makes_of_it(one_color):
    photo = np.broadcast_to(np.arange(90, 200, dtype=np.uint8)[:, None], (110, 40))
    colored = one_color(np.stack([photo] * 3, -1)[None], [20 / 110, -30 / 110])
    lab = skimage.color.rgb2lab(np.stack([photo] * 3, -1))
    lab[..., 1:] = (20, -30)
    np.testing.assert_allclose(colored[0], skimage.color.lab2rgb(lab) * 255, atol=1)


def test_no_color_leaves_gray_as_it_was(one_color):
    photo = np.repeat(np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1), 3, axis=-1)
    np.testing.assert_array_equal(one_color(photo, [0, 0]), photo)


def test_impossible_colors_keep_hue_and_lightness(one_color):
    photo = np.full((1, 8, 8, 3), 119, np.uint8)
    lab = skimage.color.rgb2lab(one_color(photo, [3, 3]))
    assert np.abs(lab[..., 0] - lightness(photo)).max() <= 1
    assert lab[..., 1].min() > 20
    np.testing.assert_allclose(lab[..., 2], lab[..., 1], atol=2)


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


def test_the_network_sees_an_averaged_photo():
    # Stripes finer than a working pixel: picking pixels would see black or white, never gray.
    photo = np.zeros((1, 640, 640, 3), np.uint8)
    photo[:, :, ::2] = 255
    seen = []
    subject = colorizer()
    answer = subject.network

    def spy(condition, training):
        seen.append(np.ptp(condition.numpy()))
        return answer(condition, training=training)

    subject.network = spy
    type(subject).predict.python_function(subject, tf.constant(photo))
    assert seen[0] < 0.2


def test_a_batch_of_two_is_two_batches_of_one(random_colors):
    photos = noise(2, 70, 50, 3)
    one_by_one = [random_colors.arrays(photos[index : index + 1])[0] for index in range(2)]
    np.testing.assert_allclose(random_colors.arrays(photos), np.stack(one_by_one), atol=1)


def test_strips_are_the_whole(random_colors, monkeypatch):
    photos = noise(2, 75, 40, 3)
    whole = random_colors.arrays(photos).numpy().astype(int)
    monkeypatch.setattr(graph, "STRIP_PIXELS", 900)
    assert graph.strip_rows(2, 40) == 12
    np.testing.assert_allclose(colored_by(photos), whole, atol=1)
    coefficients = random_colors.predict(photos)
    strips = [
        random_colors.apply(photos[:, top : top + 31], coefficients, top, 75)
        for top in range(0, 75, 31)
    ]
    np.testing.assert_allclose(np.concatenate(strips, axis=1), whole, atol=1)


def test_saved_and_loaded_it_is_the_same(random_colors, tmp_path):
    path, photo = str(tmp_path / "1"), noise(2, 45, 33, 3)
    tf.saved_model.save(random_colors, path, {"arrays": random_colors.arrays})
    loaded = tf.saved_model.load(path)
    expected = random_colors.arrays(photo)
    (served,) = loaded.signatures["arrays"](tf.constant(photo)).values()
    np.testing.assert_array_equal(served, expected)
    np.testing.assert_array_equal(loaded.arrays(photo), expected)
    np.testing.assert_array_equal(loaded.apply(photo, loaded.predict(photo), 0, 45), expected)


def test_wrong_parts_are_named():
    with pytest.raises(ValueError, match="2 output channels. Received: 3"):
        graph.ColorizationGraph(network(3), codecs.CODECS["lab"], 32, 16)
    with pytest.raises(ValueError, match="size_multiple=16. Received: working_size=40"):
        graph.ColorizationGraph(network(2), codecs.CODECS["lab"], 40, 16)
