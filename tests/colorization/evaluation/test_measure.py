"""Which photos are measured; whole sets are sums of single pictures, in whatever order."""

import dataclasses
import hashlib
import threading

import cv2
import numpy as np
import pytest

from colorization.evaluation import EvaluationError, features, measure, systems
from colorization.evaluation import figures as table
from colorization.evaluation.metrics import distances
from colorization.inference import threads
from pipelines.color.gray import to_gray
from pipelines.photos.photo_files import read_picture, write_picture


def _warm(shown, photo):
    return [np.clip(shown + np.array([30, 0, -30]), 0, 255).astype(np.uint8), shown]


SYSTEMS = [
    systems.System("warm", {"kind": "model"}, _warm),
    systems.GRAY,
    systems.TRUTH,
]


def _tiny(picture):
    small = cv2.resize(picture, (3, 2), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32).ravel()


TINY = features.Features("tiny", {"of": "six pixels"}, _tiny, features.euclidean(_tiny))
PLAIN = features.Features("plain", {}, None, lambda one, two: float(one[0, 0, 0]))


def evaluate(folder, networks=(TINY,), num_variants=1, stop=None):
    (found,) = measure.open_data(f"folder:{folder}")
    return measure.measure_set(found, SYSTEMS, networks, num_variants, stop or threads.Stop())


def summarize(found, name="warm", networks=(TINY,)):
    return table.summarize(found.measured[name], found.true_vectors, networks)


@pytest.fixture(scope="module")
def figures(picture_folder):
    return {name: summarize(evaluate(picture_folder), name) for name in ("warm", "gray", "truth")}


def assert_alike(one, two):
    assert one.keys() == two.keys()
    for name in one:
        # Of FID over so few there are no ends.
        expected, found = (np.array(dataclasses.astuple(x[name]), float) for x in (one, two))
        np.testing.assert_allclose(found, expected, rtol=1e-6, err_msg=name)


def test_figures_are_means_over_photos(figures, picture_folder):
    expected = []
    for path in sorted(picture_folder.rglob("*.*")):
        photo = read_picture(path)
        warm = measure.Picture(_warm(to_gray(photo), photo)[0])
        expected.append(measure.measure(measure.Picture(photo), [warm], []).values)
    assert len(expected) == 12
    for name in expected[0]:
        mean = np.mean([values[name] for values in expected])
        assert figures["warm"][name].value == pytest.approx(mean)
        assert figures["warm"][name].low <= mean <= figures["warm"][name].high


def test_distances_are_those_of_all_vectors(figures, picture_folder):
    photos = [read_picture(path) for path in sorted(picture_folder.rglob("*.*"))]
    truth = np.stack([_tiny(photo) for photo in photos])
    warm = np.stack([_tiny(_warm(to_gray(photo), photo)[0]) for photo in photos])
    kid, fid = distances.kernel_distance(truth, warm), distances.frechet_distance(truth, warm)
    assert figures["warm"]["tiny-kid"].value == pytest.approx(kid)
    assert figures["warm"]["tiny-fid"].value == pytest.approx(fid)


def test_the_truth_is_perfect(figures):
    found = {name: value.value for name, value in figures["truth"].items()}
    assert found["psnr"] == np.inf and found["auc-balanced"] == pytest.approx(100)
    assert found["tiny-kid"] == 0 and found["tiny-fid"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("num_processors", [1, 3])
def test_the_number_of_threads_changes_nothing(
    figures, picture_folder, monkeypatch, num_processors
):
    monkeypatch.setattr(threads, "num_processors", lambda: num_processors)
    assert_alike(figures["warm"], summarize(evaluate(picture_folder)))


@pytest.mark.slow
def test_names_and_order_change_nothing(figures, picture_folder, tmp_path):
    for number, path in enumerate(reversed(sorted(picture_folder.rglob("*.*")))):
        (tmp_path / f"{number:02d}.png").write_bytes(path.read_bytes())
    found = evaluate(tmp_path)
    assert found.fingerprint == evaluate(picture_folder).fingerprint
    assert_alike(figures["warm"], summarize(found))


def test_another_photo_changes_the_fingerprint(picture_folder, tmp_path):
    for path in picture_folder.glob("*.png"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    before = evaluate(tmp_path).fingerprint
    write_picture(tmp_path / "00.png", read_picture(tmp_path / "00.png")[1:], overwrite=True)
    assert evaluate(tmp_path).fingerprint != before


def test_systems_see_no_colors(picture_folder, monkeypatch):
    seen = []
    spy = systems.System(
        "spy", {"kind": "model"}, lambda shown, photo: [seen.append(shown) or shown]
    )
    monkeypatch.setattr(f"{__name__}.SYSTEMS", [spy])
    evaluate(picture_folder)
    assert len(seen) == 12 and all((shown == shown[..., :1]).all() for shown in seen)


@pytest.mark.slow
def test_variants_are_told_about_of_models_only(picture_folder):
    networks = [TINY, PLAIN]
    found = evaluate(picture_folder, networks, num_variants=2)
    warm, gray = (summarize(found, name, networks) for name in ("warm", "gray"))
    extra = {"best-of-n-ab-error", "diversity-ab", "tiny-diversity", "plain-diversity"}
    assert warm.keys() - gray.keys() == extra
    assert warm["best-of-n-ab-error"].value <= warm["ab-error"].value
    # Three channels of six pixels, 30 apart in two of them where nothing is clipped.
    assert 0 < warm["tiny-diversity"].value <= 30 * np.sqrt(12)


def test_a_stop_takes_no_more_photos(picture_folder, monkeypatch):
    monkeypatch.setattr(threads, "num_processors", lambda: 1)
    stop, lock = threads.Stop(), threading.Lock()
    (found,) = measure.open_data(f"folder:{picture_folder}")

    def request():
        with lock:
            stop.reason = "enough"

    result = measure.measure_set(found, SYSTEMS, [], 1, stop, request)
    assert len(result.digests) == 1


def test_fid_comes_first_over_many_photos_and_bears_a_warning_over_few(picture_folder, monkeypatch):
    found = evaluate(picture_folder)
    order = [name for name in summarize(found) if name.startswith("tiny")]
    assert order == ["tiny-kid", "tiny-fid"]
    (line,) = table.warnings([TINY, PLAIN], 4_999)
    assert "tiny-fid over 4,999 photos is mostly bias" in line and "tiny-kid" in line
    assert not table.warnings([TINY], 5_000)
    monkeypatch.setattr(table, "FEW", 12)
    order = [name for name in summarize(found) if name.startswith("tiny")]
    assert order == ["tiny-fid", "tiny-kid"]


@pytest.mark.slow
def test_an_even_kernel_takes_vectors_of_one_length(picture_folder):
    found = evaluate(picture_folder)
    even = dataclasses.replace(TINY, has_even_kernel=True)
    truth, warm = (
        np.stack(vectors).astype(np.float64)
        for vectors in (
            found.true_vectors["tiny"],
            [one.vectors["tiny"] for one in found.measured["warm"]],
        )
    )
    truth, warm = (x / np.sqrt((x**2).mean(axis=1, keepdims=True)) for x in (truth, warm))
    value = summarize(found, networks=[even])["tiny-kid"].value
    assert value == pytest.approx(distances.kernel_distance(truth, warm))


def test_too_few_photos_for_an_interval_of_fid_have_none(picture_folder):
    assert summarize(evaluate(picture_folder))["tiny-fid"].low is None


def photo(seed=0, size=(40, 50), depth=np.uint8):
    return np.random.default_rng(seed).integers(0, np.iinfo(depth).max, (*size, 3), dtype=depth)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "album" / "val"
    folder.mkdir(parents=True)
    write_picture(folder / "a.png", photo())
    write_picture(folder / "deep.png", photo(1, depth=np.uint16))
    write_picture(folder / "gray.png", np.repeat(photo(2)[..., :1], 3, axis=-1))
    write_picture(folder / "small.png", photo(3, (34, 90)))
    (folder / "torn.png").write_bytes((folder / "a.png").read_bytes()[:-40])
    (folder / "void.jpg").touch()
    (folder / "gone.jpg").symlink_to("nowhere.jpg")
    return folder


def test_photos_are_read_in_eight_bits_or_left_out_and_named(folder):
    (opened,) = measure.open_data(f"folder:{folder}")
    read, left_out = {}, {}
    for path, element in opened.jobs():
        name = path.rpartition("/")[2]
        try:
            read[name], digest = measure.read_photo(opened.source, path, element)
        except measure.LeftOutError as error:
            left_out[name] = error.reason
            assert name in str(error) and "\n" not in str(error)
    np.testing.assert_array_equal(read.pop("a.png"), photo())
    deep = np.round(photo(1, depth=np.uint16) / 257)
    np.testing.assert_array_equal(read.pop("deep.png"), deep)
    assert digest == hashlib.sha256((folder / "deep.png").read_bytes()).hexdigest()
    damaged = dict.fromkeys(("torn.png", "void.jpg", "gone.jpg"), "damaged")
    assert not read and left_out == damaged | {"gray.png": "gray", "small.png": "small"}
    found = evaluate(folder)
    assert sorted(name[-5:] for name in found.names) == ["a.png", "p.png"]
    assert {reason: len(lines) for reason, lines in found.left_out.items()} == {
        "damaged": 3,
        "gray": 1,
        "small": 1,
    }


def test_a_limit_is_spread_evenly(folder):
    (found,) = measure.open_data(f"folder:{folder}", limit=3)
    assert [name.rpartition("/")[2] for name, _ in found.jobs()] == [
        "a.png",
        "gray.png",
        "void.jpg",
    ]
    assert len(list(measure.open_data(f"folder:{folder}", limit=99)[0].jobs())) == 7


def test_sets_of_one_name_are_refused(folder):
    with pytest.raises(EvaluationError, match="last two folders.*album/val, album/val"):
        measure.open_data(f"folder:{folder},folder:{folder}/.")


def test_what_is_excluded_is_not_read(folder, tmp_path):
    listed = tmp_path / "exclude.txt"
    listed.write_text(f"{folder}/a.png\tduplicate\n{folder}/void.jpg\n")
    (found,) = measure.open_data(f"folder:{folder}", exclude=str(listed))
    names = [name.rpartition("/")[2] for name, _ in found.jobs()]
    assert names == ["deep.png", "gone.jpg", "gray.png", "small.png", "torn.png"]
