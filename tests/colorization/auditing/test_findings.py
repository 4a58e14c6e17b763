"""Audits of whole sets: figures against NumPy, findings, and what training should leave out."""

import base64
import html.parser
import json
import re
import shutil

import cv2
import numpy as np
import pytest
import skimage.color
import skimage.data
import tensorflow as tf

from colorization.auditing import audit_report, findings, inspection
from pipelines.sources.opener import Source, open_source


def store(path, rgb, size=None):
    if size:
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), rgb[..., ::-1])


def tinted(rgb):
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[..., None]
    return (gray * [1.0, 0.9, 0.75]).astype(np.uint8)


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """A set with everything that can be wrong with one, and a set to validate on."""
    folder = tmp_path_factory.mktemp("sets")
    train, val = folder / "train", folder / "val"
    coffee, cat = skimage.data.coffee(), skimage.data.chelsea()
    store(train / "a_small.jpg", coffee, (150, 100))
    store(train / "b_large.jpg", coffee, (300, 200))
    shutil.copy(train / "a_small.jpg", train / "c_same.jpg")
    store(train / "d_leak.jpg", cat, (200, 133))
    store(train / "e_tint.jpg", tinted(coffee), (200, 133))
    store(train / "f_gray.png", np.repeat(coffee[..., :1], 3, axis=2), (90, 60))
    store(train / "g_good.png", skimage.data.astronaut(), (100, 100))
    (train / "h_cut.jpg").write_bytes((train / "b_large.jpg").read_bytes()[:3000])
    (train / "i_empty.png").write_bytes(b"")
    (train / "j_text.jpg").write_bytes(b"Dear diary")
    (train / "k_scan.tif").write_bytes(b"II*\0" + bytes(60))
    store(val / "cat.png", np.ascontiguousarray(cat[:, ::-1]), (300, 200))
    store(val / "rocket.png", skimage.data.rocket(), (120, 90))
    return train, val


@pytest.fixture(scope="module")
def found(sets):
    return findings.audit(*(open_source(f"folder:{folder}") for folder in sets))


def short(names):
    return [name.rsplit("/", 1)[-1] for name in names]


def test_what_is_wrong_is_found(found):
    first, second = found.sets
    assert short(first.names(first.gray)) == ["f_gray.png"]
    assert short(first.names(first.tinted)) == ["e_tint.jpg"]
    assert [short(first.names(rows)) for rows in first.copies] == [
        ["a_small.jpg", "b_large.jpg", "c_same.jpg"]
    ]
    assert {short([first.source.names[i]])[0]: why for i, why in first.damaged.items()} == {
        "h_cut.jpg": "damaged: a broken JPEG file, or one of a kind that training does not read",
        "i_empty.png": "damaged: an empty file",
        "j_text.jpg": "damaged: no picture",
        "k_scan.tif": "damaged: TIFF, which training does not read",
    }
    [(rows, others)] = found.leaks
    assert short(first.names(rows)) == ["d_leak.jpg"]
    assert short(second.names(others)) == ["cat.png"]
    assert not (second.copies or second.damaged or len(second.gray) or len(second.tinted))


def test_training_should_leave_out_all_but_the_largest_copy_and_the_good(found, sets):
    reasons = {short([name])[0]: reason for name, reason in found.exclusions()}
    assert reasons["a_small.jpg"] == reasons["c_same.jpg"] == f"copy of {sets[0]}/b_large.jpg"
    assert reasons["d_leak.jpg"] == f"copy of {sets[1]}/cat.png of the validation set"
    assert reasons["f_gray.png"] == "gray" and reasons["i_empty.png"] == "damaged: an empty file"
    assert re.fullmatch(r"in one tint, of hue \d+ degrees", reasons["e_tint.jpg"])
    assert sorted(reasons) == short(found.sets[0].source.names)[:1] + [
        name for name in short(found.sets[0].source.names)[2:] if name != "g_good.png"
    ]


def test_the_table_counts_what_was_found(found):
    assert audit_report.findings(found) == [
        ("pictures", 11, 2),
        ("damaged", 4, 0),
        ("gray", 1, 0),
        ("in one tint", 1, 0),
        ("exact copies, groups", 0, 0),
        ("near copies, groups", 1, 0),
        ("copies to spare", 2, 0),
        ("leaking into the other", 1, 1),
    ]


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    """Pictures of 32 by 32 pixels, which an audit counts whole, and its measures."""
    folder = tmp_path_factory.mktemp("noise")
    pictures = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    for index, picture in enumerate(pictures):
        store(folder / f"{index}.png", picture)
    return pictures, inspection.measure(open_source(f"folder:{folder}"))


@pytest.mark.parametrize("index, name", enumerate(["red", "green", "blue"]))
def test_levels_are_counted_exactly(index, name, noise):
    pictures, measures = noise
    levels = pictures[..., index].reshape(-1)
    counts = measures.counts[name]
    np.testing.assert_array_equal(counts, np.bincount(levels, minlength=256))
    row = audit_report.distributions(measures)[name]
    shares = np.arange(0, 101, 10)
    expected = np.percentile(levels, shares, method="inverted_cdf")
    np.testing.assert_allclose(row, [levels.mean(), levels.std(), *expected])


def test_lab_is_described_to_within_half_a_bin(noise):
    pictures, measures = noise
    lab = skimage.color.rgb2lab(pictures).reshape(-1, 3)
    values = dict(zip(("L*", "a*", "b*"), lab.T, strict=True))
    values["chroma"] = np.hypot(lab[:, 1], lab[:, 2])
    rows = audit_report.distributions(measures)
    for name, value in values.items():
        assert measures.counts[name].sum() == 5 * 32 * 32
        expected = np.percentile(value, np.arange(0, 101, 10), method="inverted_cdf")
        np.testing.assert_allclose(rows[name][2:], expected, atol=0.26)
        np.testing.assert_allclose(rows[name][:2], [value.mean(), value.std()], atol=0.05)


def test_ab_are_counted_in_two_dimensions(noise):
    pictures, measures = noise
    lab = skimage.color.rgb2lab(pictures).reshape(-1, 3)
    edges = np.arange(-110, 111, 5)
    expected = np.histogram2d(lab[:, 1], lab[:, 2], (edges, edges))[0]
    # Rounding moves a value on an edge.
    assert np.abs(measures.ab_counts - expected).sum() <= 0.01 * measures.ab_counts.sum()


def test_sizes_are_those_of_the_files(found):
    rows = audit_report.distributions(found.sets[1].measures)
    assert rows["width"] == pytest.approx([210, 90, *np.linspace(120, 300, 11)])
    assert rows["height"] == pytest.approx([145, 55, *np.linspace(90, 200, 11)])
    assert rows["width / height"][2] == pytest.approx(120 / 90)


@pytest.mark.parametrize("name", ["large.jpg", "large.png"])
def test_large_pictures_keep_their_size_and_colors(name, tmp_path):
    photo = skimage.data.astronaut()
    store(tmp_path / name, photo, (1100, 1300))
    measures = inspection.measure(open_source(f"folder:{tmp_path}"))
    assert measures.sizes.tolist() == [[1300, 1100]]
    small = cv2.resize(photo, (16, 16), interpolation=cv2.INTER_AREA).astype(float)
    assert np.abs(measures.thumbnails[0] - small).mean() < 2


def test_progress_counts_every_picture(picture_folder):
    counts = []
    findings.audit(open_source(f"folder:{picture_folder}"), on_progress=counts.append)
    assert sum(counts) == 12


def test_encoded_pictures_of_a_table_are_audited(sets):
    files = open_source(f"folder:{sets[1]}")
    encoded = [open(name, "rb").read() for name in files.names] + [b"no picture"]
    names = [f"tfds:tiny#{i}" for i in range(3)]
    elements = tf.data.Dataset.from_tensor_slices(encoded)
    found = findings.audit(Source("tfds:tiny", elements, names, tf.identity, "listing"), files)
    assert found.exclusions() == [
        (names[0], f"copy of {sets[1]}/cat.png of the validation set"),
        (names[1], f"copy of {sets[1]}/rocket.png of the validation set"),
        (names[2], "damaged: no picture"),
    ]


def test_json_holds_all_findings(found):
    told = json.loads(json.dumps(audit_report.as_json(found)))
    assert short(told["data"]["gray"]) == ["f_gray.png"]
    assert short([told["data"]["tinted"][0]["name"]]) == ["e_tint.jpg"]
    assert [short(side) for side in told["leaks"][0].values()] == [["d_leak.jpg"], ["cat.png"]]
    assert len(told["exclude"]) == 9 and len(told["data"]["near_copies"][0]) == 3
    assert len(told["data"]["damaged"]) == 4 and told["val_data"]["num_pictures"] == 2
    # Of seven readable pictures.
    assert sum(told["data"]["histograms"]["L*"]["counts"]) == 7 * 32 * 32
    assert np.sum(told["data"]["ab_histogram"]["counts"]) == 7 * 32 * 32


class Page(html.parser.HTMLParser):
    """Links, texts, pictures and open elements of a page."""

    def __init__(self, text):
        super().__init__()
        self.links, self.texts, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.links += [value for name, value in attributes if name in ("src", "href")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data.strip())


def test_the_page_holds_its_pictures_and_closes_its_elements(found):
    page = Page(audit_report.page(found))
    assert not page.open and all(link.startswith("data:image/") for link in page.links)
    # One leak of two pictures, a group of three, one in one tint, one gray; two histograms of ab.
    jpegs = [link for link in page.links if link.startswith("data:image/jpeg")]
    assert len(jpegs) == 7 and len(page.links) == 9
    for link in page.links:
        data = np.frombuffer(base64.b64decode(link.partition(",")[2]), np.uint8)
        assert cv2.imdecode(data, cv2.IMREAD_UNCHANGED) is not None
    assert {"Findings", "Leaks: 1", "3 pictures, look alike"} <= set(page.texts)


def test_the_page_shows_names_as_text(tmp_path):
    for name in ("<b>&1.png", "<b>&2.png"):
        store(tmp_path / name, np.full((20, 20, 3), (90, 90, 90), np.uint8))
    store(tmp_path / "c.png", skimage.data.coffee(), (60, 40))
    page = Page(audit_report.page(findings.audit(open_source(f"folder:{tmp_path}"))))
    assert f"{tmp_path}/<b>&1.png" in page.texts
