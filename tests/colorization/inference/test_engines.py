"""Engines color alike, and LiteRT's needs no TensorFlow."""

import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import skimage.data

from colorization import colorize
from colorization.inference import model_folder, sight
from colorization.inference.colorizer import Colorizer
from colorization.inference.model_folder import LITE, ModelError
from colorization.inference.options import OptionError
from pipelines.photos.photo_files import read_picture, write_picture
from tests.colorization.serving import small_models

pytest.importorskip("ai_edge_litert.interpreter")
pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[3]
PHOTO = skimage.data.astronaut()[::4, ::4]
# Colors photos, and tells which of TensorFlow's modules were imported.
ALONE = """
import sys
from colorization import colorize
status = colorize.main(["colorize", *sys.argv[1:]])
found = sorted(name for name in sys.modules if name.split(".")[0] in ("tensorflow", "keras"))
sys.exit(status or (f"imported: {found[:5]}" if found else 0))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model that sees several choices and takes hints, for both engines."""
    path = tmp_path_factory.mktemp("models")
    knobs = {"second_scale": 0.5, "smoothing": 0.2}
    # Most of the time goes into saving: one for all tests.
    return small_models.save(path, "hinted_ab", kernel=0.5, size=64, lite=True, **knobs)


@pytest.fixture(scope="module")
def lite(folder):
    return Colorizer(folder, engine="litert")


@pytest.fixture(scope="module")
def full(folder):
    return Colorizer(folder, engine="saved_model")


@pytest.mark.parametrize(
    "photo",
    [PHOTO, PHOTO[..., 0], PHOTO[:1, :1], PHOTO[:9], PHOTO.astype(np.uint16) * 257],
    ids=lambda photo: f"{photo.dtype}{photo.shape}",
)
def test_engines_color_alike(lite, full, photo):
    for options in ({}, {"saturation": 1.7}, {"mask": PHOTO}):
        one, other = lite.colorize(photo, **options), full.colorize(photo, **options)
        assert one.dtype == other.dtype == photo.dtype
        levels = 1 if photo.dtype == np.uint8 else 16
        assert np.abs(one.astype(int) - other).max() <= levels


def test_threads_share_litert(lite):
    photos = [PHOTO[: 40 + 16 * index] for index in range(6)]
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lite.colorize, photos))
    for photo, colored in zip(photos, together, strict=True):
        np.testing.assert_array_equal(colored, lite.colorize(photo))


@pytest.mark.parametrize("photo", [PHOTO, PHOTO[:40].astype(np.uint16) * 257], ids=["8", "16"])
def test_engines_draw_the_same_variants(lite, full, photo):
    several, expected = lite.variants(photo, 4, seed=2), full.variants(photo, 4, seed=2)
    assert len(several) == len(expected) > 1
    levels = 1 if photo.dtype == np.uint8 else 16
    for one, other in zip(several, expected, strict=True):
        assert np.abs(one.astype(int) - other).max() <= levels
    assert np.abs(several[0].astype(int) - lite.colorize(photo)).max() <= levels


def test_variants_from_noise_take_tensorflow(tmp_path):
    folder = small_models.save(tmp_path, "lab", lite=True, noise=True)
    lite, full = (Colorizer(folder, engine=name) for name in ("litert", "saved_model"))
    with pytest.raises(OptionError, match="num_variants=2.*saved_model"):
        lite.variants(PHOTO, 2)
    for one, other in zip(
        Colorizer(folder).variants(PHOTO, 2), full.variants(PHOTO, 2), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    # A network that takes no hints.
    assert np.abs(lite.colorize(PHOTO).astype(int) - full.colorize(PHOTO)).max() <= 1


def test_what_litert_lacks_is_named(folder, tmp_path, monkeypatch):
    shutil.copytree(folder, tmp_path / "1")
    (tmp_path / "1" / LITE).write_bytes(b"torn")
    with pytest.raises(ModelError, match=f"{LITE}: the model is damaged"):
        Colorizer(tmp_path)
    (tmp_path / "1" / LITE).unlink()
    with pytest.raises(ModelError, match=f"--engine=litert needs {LITE}"):
        Colorizer(tmp_path, engine="litert")
    assert len(Colorizer(tmp_path).variants(PHOTO[:9], 2)) == 2
    monkeypatch.setattr(model_folder.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match="pip install ai-edge-litert"):
        Colorizer(folder, engine="litert")


def alone(tmp_path, *arguments):
    """Runs the command in a process of its own; fails if that imported TensorFlow."""
    done = subprocess.run(
        [sys.executable, "-c", ALONE, *arguments],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_litert_colors_a_photo_without_tensorflow(folder, full, tmp_path):
    write_picture(tmp_path / "photo.jpg", PHOTO)
    write_picture(tmp_path / "mask.png", PHOTO)
    arguments = ["photo.jpg", "--output=out.png", f"--model={folder}"]
    said = alone(tmp_path, *arguments, "--mask=mask.png", "--keep_colored=false")
    assert said == "Colored photo.jpg: out.png\n"
    expected = full.colorize(tmp_path / "photo.jpg", mask=tmp_path / "mask.png")
    assert np.abs(read_picture(tmp_path / "out.png").astype(int) - expected).max() <= 1


def test_litert_colors_an_album_of_every_kind_without_tensorflow(folder, tmp_path):
    album = tmp_path / "album"
    album.mkdir()
    for suffix in ("jpg", "png", "tif", "webp", "avif"):
        write_picture(album / f"photo.{suffix}", PHOTO)
    write_picture(album / "deep.png", PHOTO.astype(np.uint16) * 257)
    options = ["--num_variants=2", "--keep_colored", "--saturation=1.2", "--report", "--seed=3"]
    arguments = ["album", "--output=out", f"--model={folder}", "--include=*"]
    assert alone(tmp_path, *arguments).startswith("Colored 6 of 6 photos")
    gray = ["album", "--output=more", f"--model={folder}", "--exclude=*.jpg", *options]
    assert "5 kept" in alone(tmp_path, *gray)
    again = [*arguments, "--skip_existing", "--num_variants=2", "--overwrite"]
    assert alone(tmp_path, *again).startswith("Colored 6 of 6 photos")
    assert (tmp_path / "out/deep_2.png").exists()


@pytest.mark.parametrize("engine", model_folder.ENGINES)
def test_the_command_takes_each_engine(folder, tmp_path, engine, capfd):
    write_picture(tmp_path / "photo.png", PHOTO)
    arguments = [str(tmp_path / "photo.png"), f"--output={tmp_path}/out.png", f"--model={folder}"]
    assert colorize.main(["colorize", *arguments, f"--engine={engine}"]) == 0
    assert capfd.readouterr().err == ""


def test_hints_reach_the_network_by_either_engine(folder):
    description = model_folder.read_description(folder)
    assert description["takes_hints"]
    both = [
        model_folder.open_engine(folder, description, name) for name in ("litert", "saved_model")
    ]
    lightness = sight.lightness(PHOTO, (64, 64))
    hints = np.zeros((1, 64, 64, 3), np.float32)
    unhinted = [engine.coefficients(lightness) for engine in both]
    nothing = [engine.coefficients(lightness, hints) for engine in both]
    hints[:, 20:30, 20:30] = 40, -30, 1
    hinted = [engine.coefficients(lightness, hints) for engine in both]
    for one, other in (unhinted, nothing, hinted):
        np.testing.assert_allclose(one, other, atol=0.02)
    np.testing.assert_allclose(nothing[0], unhinted[0], atol=1e-5)
    assert np.abs(hinted[0] - unhinted[0]).max() > 1
    several = both[1].variants(lightness, 1, 2, hints)
    np.testing.assert_allclose(several[0], hinted[1][0], atol=1e-3)
    (ab, shares), (lite_ab, lite_shares) = (
        engine.suggest(lightness, (0.4, 0.4), hints) for engine in reversed(both)
    )
    np.testing.assert_allclose(lite_shares, shares, atol=1e-3)
    np.testing.assert_allclose(lite_ab, ab, atol=0.1)
    unhinted_ab, _ = both[0].suggest(lightness, (0.4, 0.4))
    assert ab.shape == (len(shares), 2) and not np.allclose(ab, unhinted_ab, atol=1)
    found = Colorizer(folder).suggest(PHOTO, 50, 50)
    assert found and sum(one.share for one in found) <= 1.001
