"""What is measured of one picture: the world's figures, a perfect truth, a colorless gray."""

import pathlib

import numpy as np
import pytest
from skimage import color, data, metrics

from colorization.evaluation.figures import FIGURES, HUE_FIGURES
from colorization.evaluation.measure import Picture, measure
from pipelines.color.gray import to_gray

PHOTO = data.chelsea()[40:140, 100:221]
OTHER = np.clip(PHOTO + np.random.default_rng(0).normal(0, 9, PHOTO.shape), 0, 255).astype(np.uint8)


def values(truth, *variants):
    pictures = [Picture(rgb) for rgb in variants]
    return measure(Picture(truth), pictures, [], len(variants)).values


def test_figures_are_those_of_scikit_image_on_the_same_pictures():
    found = values(PHOTO, OTHER)
    one, two = color.rgb2lab(PHOTO), color.rgb2lab(OTHER)
    ab_error = np.linalg.norm(one[..., 1:] - two[..., 1:], axis=-1)
    expected = {
        "psnr": metrics.peak_signal_noise_ratio(PHOTO, OTHER),
        "ssim": metrics.structural_similarity(
            PHOTO,
            OTHER,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            channel_axis=-1,
        ),
        "ciede2000": color.deltaE_ciede2000(one, two).mean(),
        "ab-error": ab_error.mean(),
        "auc": 100 - 100 / 150 * np.minimum(ab_error, 150).mean(),
        "lightness-drift": abs(one[..., 0] - two[..., 0]).mean(),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-4)


def test_the_truth_is_perfect():
    found = values(PHOTO, PHOTO)
    perfect = {"psnr": np.inf, "ssim": 1, "auc": 100}
    perfect |= dict.fromkeys(
        ("ciede2000", "ab-error", "colorfulness-gap", "lightness-drift", "bleeding"), 0
    )
    assert {name: found[name] for name in perfect} == pytest.approx(perfect, abs=1e-6)


def test_gray_has_no_color_at_all():
    found = values(PHOTO, to_gray(PHOTO))
    assert found["colorfulness"] == found["colorfulness-absolute"] == 0
    assert found["checkerboard"] == pytest.approx(0, abs=1e-5)
    assert found["bleeding"] == 0
    assert found["colorfulness-gap"] == -values(PHOTO, PHOTO)["colorfulness"]
    assert found["lightness-drift"] < 0.2


def test_every_value_has_its_place_in_the_table_of_figures():
    found = values(PHOTO, OTHER, to_gray(PHOTO))
    measured = [name for name, figure in FIGURES.items() if figure.measure is not None]
    assert list(found) == measured
    assert {FIGURES[name].of for name in FIGURES.keys() - found.keys()} == {
        *("set", "network", "film")
    }


def test_choice_is_the_best_of_the_variants_and_how_far_they_lie_apart():
    gray = to_gray(PHOTO)
    found = values(PHOTO, gray, OTHER, PHOTO)
    errors = {
        name: values(truth, picture)["ab-error"]
        for name, truth, picture in (("go", gray, OTHER), ("gp", gray, PHOTO), ("op", OTHER, PHOTO))
    }
    assert found["best-of-n-ab-error"] == 0
    assert found["diversity-ab"] == pytest.approx(np.mean(list(errors.values())))
    assert found["ab-error"] == pytest.approx(errors["gp"])


def test_one_variant_of_several_that_were_asked_for_has_no_diversity():
    picture = Picture(OTHER)
    found = measure(Picture(PHOTO), [picture], [], 3).values
    assert found["diversity-ab"] == 0 and found["best-of-n-ab-error"] == found["ab-error"]


def test_the_docs_explain_every_figure_and_what_is_better():
    docs = (pathlib.Path(__file__).parents[3] / "docs" / "evaluation.md").read_text()
    rows = [line.split("|") for line in docs.splitlines() if line.startswith("| `")]
    told = {
        row[1].strip(" `").removesuffix(" x1000"): (row[2].strip(), row[3].strip()) for row in rows
    }
    for name, figure in FIGURES.items():
        if name not in HUE_FIGURES:
            name = name if name in told else f"NETWORK-{name}"
            better = {"truth": "as truth"}.get(figure.better, figure.better)
            assert told[name] == (figure.unit, better)
