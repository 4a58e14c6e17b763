import concurrent.futures
import shutil

import cv2
import numpy as np
import PIL.Image
import pytest
import skimage.color
import skimage.data
import tensorflow as tf

import colorization
from colorization import pages
from colorization.inference import colorizer, full_size, model_folder
from colorization.inference.model_folder import ModelError
from colorization.inference.options import OptionError, Options
from pipelines.photos import photo_files

pytestmark = pytest.mark.xdist_group("small models")
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def chroma(tmp_path_factory, decided_version):
    """A folder of two versions of a model."""
    folder = tmp_path_factory.mktemp("models")
    for number in (2, 10):
        decided_version(folder, number)
    (folder / "chroma/README.md").write_text("A model card.")
    return folder / "chroma"


@pytest.fixture(scope="module")
def subject(chroma):
    return colorizer.Colorizer(chroma)


@pytest.fixture(scope="module")
def undecided(undecided_model):
    """A colorizer whose model sees several choices."""
    return colorizer.Colorizer(undecided_model)


def noise(*shape):
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def test_the_highest_version_is_taken_or_the_one_named(chroma, subject):
    assert (subject.description["name"], subject.description["version"]) == ("chroma", 10)
    assert colorizer.Colorizer(str(chroma / "2")).description["version"] == 2


@pytest.mark.slow
def test_does_what_the_served_graph_does(chroma, subject, monkeypatch):
    served = tf.saved_model.load(str(chroma / "10"))
    photo = cv2.resize(noise(7, 5, 3), (41, 70))
    expected = served.arrays(photo[None])[0]
    np.testing.assert_allclose(subject.colorize(photo), expected, atol=1)
    monkeypatch.setattr(full_size, "_STRIP_PIXELS", 500)
    np.testing.assert_allclose(subject.colorize(photo), expected, atol=1)


def test_photos_of_another_size_are_traced_no_more(subject, monkeypatch):
    subject.colorize(noise(9, 12))
    # What is traced, is traced in a new graph.
    monkeypatch.setattr(tf.Graph, "__init__", None)
    assert subject.colorize(noise(11, 17)).shape == (11, 17, 3)


def test_paths_arrays_and_gray_arrays(subject, tmp_path):
    gray = noise(9, 12)
    photo = np.stack([gray] * 3, axis=-1)
    colored = subject.colorize(photo)
    assert colored.shape == (9, 12, 3) and colored.dtype == np.uint8
    np.testing.assert_array_equal(subject.colorize(gray), colored)
    np.testing.assert_array_equal(subject.colorize(gray[..., None]), colored)
    np.testing.assert_array_equal(subject.colorize(gray.T).shape, (12, 9, 3))
    photo_files.write_picture(tmp_path / "a.png", photo)
    np.testing.assert_array_equal(subject.colorize(tmp_path / "a.png"), colored)
    np.testing.assert_array_equal(subject.colorize(str(tmp_path / "a.png")), colored)
    np.testing.assert_array_equal(subject.colorize(PIL.Image.fromarray(gray)), colored)


def test_a_photo_without_grays_is_named(subject, tmp_path, caplog):
    dots = np.repeat((noise(9, 12) % 2 * 255)[..., None], 3, axis=-1)
    for name, pixels in (("dots", dots), ("grays", dots // 2 + 9)):
        photo_files.write_picture(tmp_path / f"{name}.png", pixels)
        subject.colorize_file(tmp_path / f"{name}.png", tmp_path / f"{name}_color.png")
    (message,) = caplog.messages
    assert message.startswith(f"{tmp_path}/dots.png: it has black and white pixels alone")


def test_what_can_be_read_of_a_cut_file_is_colored_if_told_so(subject, tmp_path, caplog):
    rgb = np.repeat(np.repeat(noise(6, 8), 16, 0).repeat(16, 1)[..., None], 3, axis=-1)
    for name, lost in (("whole", 0), ("cut", 1)):
        photo_files.write_picture(tmp_path / f"{name}.jpg", rgb)
        data = (tmp_path / f"{name}.jpg").read_bytes()
        (tmp_path / f"{name}.jpg").write_bytes(data[: len(data) - lost * len(data) // 3])
    with pytest.raises(photo_files.PictureError, match="truncated"):
        subject.colorize_file(tmp_path / "cut.jpg", tmp_path / "out.png")
    subject.colorize_file(tmp_path / "cut.jpg", tmp_path / "out.png", salvage=True)
    assert caplog.messages[-1].endswith("cut or damaged; what can be read of it is taken.")
    found = photo_files.read_picture(tmp_path / "out.png")
    lightness = [skimage.color.rgb2lab(pixels)[..., 0] for pixels in (found, rgb)]
    rows = np.abs(lightness[0] - lightness[1]).mean(axis=1) < 4
    assert found.shape == rgb.shape and rows[:16].all() and not rows[-16:].all()
    assert Options().record() == Options(salvage=True).record()


def test_transparency_is_kept(subject):
    photo = noise(9, 12, 4)
    colored = subject.colorize(photo)
    np.testing.assert_array_equal(colored[..., 3], photo[..., 3])
    np.testing.assert_array_equal(colored[..., :3], subject.colorize(photo[..., :3]))


def test_sixteen_bits_come_out_as_sixteen(subject):
    photo = noise(9, 12)
    colored = subject.colorize(photo.astype(np.uint16) * 257)
    assert colored.dtype == np.uint16
    np.testing.assert_allclose(colored / 257, subject.colorize(photo), atol=2)


def test_saturation_scales_chroma(subject):
    photo = np.full((40, 40), 128, np.uint8)
    chroma = [
        np.hypot(*skimage.color.rgb2lab(subject.colorize(photo, saturation=s))[20, 20, 1:])
        for s in (0, 1, 2)
    ]
    assert chroma[0] < 1 < chroma[1]
    assert chroma[2] == pytest.approx(2 * chroma[1], abs=1)


def test_color_comes_where_the_mask_is_white(subject, tmp_path):
    photo = np.full((40, 60), 128, np.uint8)
    mask = np.zeros((4, 6), np.uint8)
    mask[:, 3:] = 255
    photo_files.write_picture(tmp_path / "mask.png", np.stack([mask] * 3, axis=-1))
    for given in (mask, str(tmp_path / "mask.png")):
        colored = subject.colorize(photo, mask=given)
        np.testing.assert_array_equal(colored[:, :20], 128)
        np.testing.assert_array_equal(colored[:, -20:], subject.colorize(photo)[:, -20:])


def test_variants_differ_and_begin_with_the_coloring_itself(undecided):
    photo = skimage.data.astronaut()[::8, ::8]
    several = undecided.variants(photo, 5, seed=1)
    np.testing.assert_allclose(several[0].astype(int), undecided.colorize(photo), atol=1)
    assert 2 <= len(several) <= 5
    for one, other in zip(several, several[1:], strict=False):
        assert np.abs(one.astype(int) - other).max() > 5
    for one, again in zip(several, undecided.variants(photo, 5, seed=1), strict=True):
        np.testing.assert_array_equal(one, again)


def test_a_small_copy_gets_the_colors_of_the_whole_photo(undecided):
    # Alike in every pixel, so that the whole photo, shrunk, is what its small copy must be.
    photo = np.full((400, 600), 128, np.uint8)
    whole = undecided.variants(photo, 3, seed=1)
    small = undecided.variants(photo, 3, seed=1, onto=np.full((40, 60, 4), 128, np.uint8))
    assert len(small) == len(whole) and small[0].shape == (40, 60, 4)
    for one, other in zip(small, whole, strict=True):
        np.testing.assert_allclose(one[20, 30, :3].astype(int), other[200, 300], atol=1)


@pytest.mark.slow
def test_threads_share_it(undecided):
    pictures = [noise(50, 40 + index, 3) for index in range(6)]
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        together = list(pool.map(undecided.colorize, pictures))
    for picture, colored in zip(pictures, together, strict=True):
        np.testing.assert_array_equal(colored, undecided.colorize(picture))


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((1, 4, 4, 3), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        None,
    ],
)
def test_other_arrays_are_refused(subject, picture):
    with pytest.raises(photo_files.PictureError, match="Received: .*dtype=.*shape="):
        subject.colorize(picture)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 0}, "num_variants.* 1 to 25. Received: 0"),
        ({"count": 26}, "Received: 26"),
        ({"count": 2}, "gives one coloring.*Received: num_variants=2"),
        ({"count": 1, "seed": -1}, "seed.*Received: -1"),
        ({"count": 1, "seed": 2.0}, "seed is a whole number.*Received: 2.0"),
        ({"count": 1, "saturation": 2.5}, "0 to 2. Received: 2.5"),
        ({"count": 1, "saturation": float("nan")}, "Received: nan"),
        ({"count": 1, "keep_colored": 1}, "True or False. Received: 1"),
    ],
)
def test_options_out_of_range_are_refused(subject, options, message):
    with pytest.raises(OptionError, match=message):
        subject.variants(noise(4, 4), **options)


def test_a_mask_that_cannot_be_read_is_named(subject):
    with pytest.raises(OptionError, match="mask=nowhere.png.*no such file"):
        subject.colorize(noise(4, 4), mask="nowhere.png")


def test_options_travel_as_one_object(subject):
    photo = noise(9, 12, 3)
    options = Options(saturation=0.5)
    expected = subject.colorize(photo, saturation=0.5)
    np.testing.assert_array_equal(subject.colorize(photo, options), expected)
    np.testing.assert_array_equal(
        subject.colorize(photo, options, saturation=1.0), subject.colorize(photo)
    )


class TestFiles:
    def test_a_file_is_what_the_array_is(self, subject, tmp_path):
        photo = noise(20, 30, 3)
        photo_files.write_picture(tmp_path / "a.png", photo)
        assert subject.colorize_file(tmp_path / "a.png", tmp_path / "b.png") == [tmp_path / "b.png"]
        np.testing.assert_array_equal(
            photo_files.read_picture(tmp_path / "b.png"), subject.colorize(photo)
        )

    def test_variants_get_names_of_their_own(self, undecided, tmp_path):
        photo = skimage.data.astronaut()[::8, ::8]
        photo_files.write_picture(tmp_path / "a.png", photo)
        written = undecided.colorize_file(tmp_path / "a.png", tmp_path / "b.png", num_variants=3)
        assert written == [tmp_path / f"b_{number + 1}.png" for number in range(len(written))]
        for path, colored in zip(written, undecided.variants(photo, 3), strict=True):
            np.testing.assert_array_equal(photo_files.read_picture(path), colored)

    def test_a_sheet_shows_all_variants(self, undecided, tmp_path):
        photo = skimage.data.astronaut()[::8, ::8]
        photo_files.write_picture(tmp_path / "a.png", photo)
        written = undecided.colorize_file(tmp_path / "a.png", tmp_path / "b.png", num_variants=3)
        (page,) = photo_files.read_photo(tmp_path / "b_sheet_png.jpg")
        variants = [photo_files.read_picture(path) for path in written]
        expected = pages.sheet(variants)
        assert page.rgb.shape == expected.shape and b"AISystemUsed" in page.metadata.xmp
        assert np.abs(page.rgb.astype(int) - expected).mean() < 4

    def test_one_variant_of_several_is_written_by_itself(self, undecided, tmp_path):
        photo = skimage.data.astronaut()[::8, ::8]
        photo_files.write_picture(tmp_path / "a.png", photo)
        several = undecided.variants(photo, 3)
        out = tmp_path / "b.png"
        options = {"num_variants": 3, "overwrite": True}
        for number, colored in enumerate(several, start=1):
            options["variant"] = number
            assert undecided.colorize_file(tmp_path / "a.png", out, **options) == [out]
            np.testing.assert_array_equal(photo_files.read_picture(out), colored)
        for number in (0, 4):
            options["variant"] = number
            with pytest.raises(OptionError, match=f"Received: (variant=)?{number}"):
                undecided.colorize_file(tmp_path / "a.png", out, **options)

    def test_every_page_is_colored(self, subject, tmp_path):
        pages = [photo_files.Photo(noise(10, 12 + index, 3)) for index in range(3)]
        photo_files.write_photo(tmp_path / "a.tif", pages)
        subject.colorize_file(tmp_path / "a.tif", tmp_path / "b.tif")
        for page, colored in zip(pages, photo_files.read_photo(tmp_path / "b.tif"), strict=True):
            np.testing.assert_array_equal(colored.rgb, subject.colorize(page.rgb))

    def test_the_file_says_that_a_model_made_its_colors(self, subject, tmp_path):
        photo_files.write_picture(tmp_path / "a.jpg", noise(20, 30, 3))
        subject.colorize_file(tmp_path / "a.jpg", tmp_path / "b.jpg")
        xmp = photo_files.read_photo(tmp_path / "b.jpg")[0].metadata.xmp.decode()
        assert "compositeWithTrainedAlgorithmicMedia" in xmp
        assert "chroma" in xmp and "10" in xmp

    def test_what_has_colors_may_be_left_alone(self, subject, tmp_path):
        photo_files.write_picture(tmp_path / "color.png", skimage.data.astronaut()[::4, ::4])
        photo_files.write_picture(tmp_path / "gray.png", np.repeat(noise(40, 40, 1), 3, axis=-1))
        for name, number in (("color.png", 0), ("gray.png", 1)):
            out = tmp_path / f"out_{name}"
            assert len(subject.colorize_file(tmp_path / name, out, keep_colored=True)) == number
            assert out.exists() == bool(number)

    def test_nothing_is_overwritten_unasked(self, subject, tmp_path):
        photo_files.write_picture(tmp_path / "a.png", noise(20, 30, 3))
        (tmp_path / "b.png").write_text("mine")
        with pytest.raises(photo_files.PictureError, match="overwrit"):
            subject.colorize_file(tmp_path / "a.png", tmp_path / "b.png")
        assert (tmp_path / "b.png").read_text() == "mine"
        subject.colorize_file(tmp_path / "a.png", tmp_path / "b.png", overwrite=True)
        assert photo_files.read_picture(tmp_path / "b.png").shape == (20, 30, 3)


def test_it_is_at_the_top_of_the_package():
    assert colorization.Colorizer is colorizer.Colorizer


def test_what_is_no_model(chroma, tmp_path, monkeypatch):
    monkeypatch.setattr(model_folder, "RELEASED_MODEL", tmp_path / "chroma")
    with pytest.raises(ModelError, match="--model"):
        colorizer.Colorizer()
    with pytest.raises(ModelError, match="no such folder"):
        colorizer.Colorizer(tmp_path / "none")
    with pytest.raises(ModelError, match="a file"):
        colorizer.Colorizer(chroma / "README.md")
    with pytest.raises(ModelError, match="colorization.json"):
        colorizer.Colorizer(tmp_path)


def test_a_model_of_another_program_is_not_loaded(tmp_path, monkeypatch):
    tf.saved_model.save(tf.Module(), str(tmp_path))
    monkeypatch.setattr(tf.saved_model, "load", None)
    with pytest.raises(ModelError, match="colorization.export wrote"):
        colorizer.Colorizer(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("saved_model.pb", b"\xff\xff\xff"),
        ("saved_model.pb", None),
        ("variables/variables.index", b"torn"),
        ("variables/variables.data-00000-of-00001", b""),
        ("assets.extra/colorization.json", b"{torn"),
        ("assets.extra/colorization.json", b"[]"),
        ("assets.extra/colorization.json", b"{}"),
    ],
)
def test_a_damaged_model_is_named_in_one_line(name, content, chroma, tmp_path):
    shutil.copytree(chroma / "2", tmp_path / "1")
    path = tmp_path / "1" / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match="again") as caught:
        colorizer.Colorizer(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_model_of_an_earlier_program_is_not_loaded(tmp_path, monkeypatch):
    tf.saved_model.save(tf.Module(), str(tmp_path))
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / model_folder.DESCRIPTION).write_text('{"name": "other", "version": 1}')
    monkeypatch.setattr(tf.saved_model, "load", None)
    with pytest.raises(ModelError, match="gives_variants.*Export the model again"):
        colorizer.Colorizer(tmp_path)


def test_a_border_does_not_change_the_colors_of_the_photo_within(subject):
    photo = cv2.resize(skimage.data.chelsea(), (300, 200), interpolation=cv2.INTER_AREA)
    plain = subject.colorize(photo)
    page = np.pad(photo, ((12, 20), (16, 16), (0, 0)), constant_values=250)
    colored = subject.colorize(page)
    within = colored[12:212, 16:316].astype(int)
    assert np.abs(within - plain)[8:-8, 8:-8].mean() < 3
    # The margin itself stays gray.
    assert np.ptp(colored[:8].astype(int), axis=-1).max() <= 1


def test_prints_on_a_page_are_colored_each_for_itself(undecided):
    photo = cv2.resize(skimage.data.chelsea(), (300, 200), interpolation=cv2.INTER_AREA)
    page = np.full((260, 700, 3), 40, np.uint8)
    page[30:230, 30:330], page[30:230, 370:670] = photo, photo[:, ::-1]
    first, second = undecided.variants(page, 2)
    assert first.shape == second.shape == page.shape
    assert np.any(first != second)
    for columns, alone in ((34, photo), (374, photo[:, ::-1])):
        expected = undecided.variants(alone, 1)[0][4:196, 4:296].astype(int)
        assert np.abs(first[34:226, columns : columns + 292] - expected).mean() < 3
