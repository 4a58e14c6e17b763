import cv2
import numpy as np
import pytest
import skimage.data

from colorization.inference import sight


def plane(name):
    """L*, nearly, of one of scikit-image's pictures, as large as the network sees it."""
    picture = getattr(skimage.data, name)()
    gray = picture if picture.ndim == 2 else cv2.cvtColor(picture[..., :3], cv2.COLOR_RGB2GRAY)
    scale = 256 / min(gray.shape)
    small = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.float32(small) * (100 / 255)


def printed(gray, pitch, angle):
    """A print: dots that are the larger the darker it is, a little blurred, as of a scanner."""
    rows, columns = np.mgrid[: gray.shape[0], : gray.shape[1]]
    turn = np.deg2rad(angle)
    along = columns * np.cos(turn) + rows * np.sin(turn)
    across = rows * np.cos(turn) - columns * np.sin(turn)
    dots = np.cos(2 * np.pi / pitch * along) + np.cos(2 * np.pi / pitch * across)
    # As many places are white as the level says.
    threshold = np.searchsorted(np.sort(dots.ravel()), dots) / dots.size
    ink = np.clip((gray / 100 - threshold) * 6 + 0.5, 0, 1)
    return cv2.GaussianBlur(np.float32(ink), (0, 0), 0.13 * pitch) * 100


@pytest.mark.parametrize("angle", [0, 15, 45])
@pytest.mark.parametrize("pitch", [2.5, 4, 8])
def test_the_distance_of_dots_is_measured(pitch, angle):
    found = sight.measure_screen(printed(plane("camera"), pitch, angle))
    assert found == pytest.approx(pitch, rel=0.05)


@pytest.mark.parametrize(
    "name", ["astronaut", "brick", "camera", "chelsea", "coffee", "grass", "page", "rocket"]
)
def test_a_photo_without_a_screen_stays_as_it_is(name):
    lightness = plane(name)[None, ..., None]
    assert sight.smooth_screen(lightness) is lightness


@pytest.mark.parametrize("shape", [(256, 256), (256, 400), (333, 256)])
def test_blinds_and_gradients_are_no_screen(shape):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    for plane in (50 + 40 * np.sin(rows), 50 + 40 * np.sin(columns - rows / 2), rows * 0.2):
        assert sight.measure_screen(plane) is None


def test_grain_is_no_screen():
    noise = np.random.default_rng(0).normal(0, 8, (256, 300))
    assert sight.measure_screen(plane("camera")[:, :1] * 0 + 50 + noise) is None


@pytest.mark.parametrize("pitch", [3, 6])
def test_a_print_is_much_like_its_photo_once_smoothed(pitch):
    photo = plane("astronaut")
    dots = printed(photo, pitch, 45)
    smoothed = sight.smooth_screen(dots[None, ..., None])[0, ..., 0]
    assert np.abs(smoothed - photo).mean() < np.abs(dots - photo).mean() / 2


@pytest.mark.parametrize("shape", [(1, 1), (63, 400), (64, 64), (300, 65)])
def test_small_and_flat_planes_have_none(shape):
    assert sight.measure_screen(np.full(shape, 50, np.float32)) is None
