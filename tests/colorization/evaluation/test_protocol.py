"""Records: read back as written; protocols that differ are told apart by field."""

import json

import numpy as np
import pytest

from colorization.evaluation import EvaluationError, figures, protocol

PROTOCOL = {
    "data": {"fingerprint": "ab", "photos": 9},
    "figures": {"psnr": 1},
    "networks": {"tiny": {"weights_sha256": "cd"}},
    "variants": {},
}


def record(**figures):
    return {
        "format": "colorization-evaluation",
        "version": 1,
        "system": {"label": "gray"},
        "data": {"label": "val", "photos": 9},
        "figures": {
            name: dict(zip(("value", "low", "high"), value, strict=True))
            for name, value in figures.items()
        },
        "warnings": [],
        "protocol": PROTOCOL,
    }


def test_records_are_read_as_they_were_written(tmp_path):
    written = [
        record(psnr=(np.inf, np.inf, np.inf), ssim=(0.5, -0.25, 1.0)),
        record(fid=(3.0, None, None)),
    ]
    path = tmp_path / "a.jsonl"
    path.write_text(protocol.to_lines(written))
    assert protocol.read(path) == written
    # Strict readers know no infinity.
    for line in path.read_text().splitlines():
        json.loads(line, parse_constant=lambda word: pytest.fail(word))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json\n",
        "[1]\n",
        '{"format": "x"}\n',
        '{"format": "colorization-evaluation", "version": 2}',
    ],
)
def test_other_files_are_refused(text, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(text)
    with pytest.raises(EvaluationError, match="a.jsonl: expected lines.*version 1"):
        protocol.read(path)


def differences(**changes):
    return list(protocol.differences(PROTOCOL, PROTOCOL | changes))


def test_equal_protocols_have_no_differences():
    assert differences() == []


def test_differences_are_named_by_field_with_both_values():
    found = differences(data={"fingerprint": "ab", "photos": 8}, size="128 x 128")
    assert found == [("data.photos", 9, 8), ("size", None, "128 x 128")]


def test_parts_that_go_with_figures_of_their_own_may_be_missing_but_not_differ():
    assert differences(networks={}, figures={"ssim": 1}, variants={"number": 3}) == []
    assert differences(figures={"psnr": 2}) == [("figures.psnr", 1, 2)]
    assert differences(networks={"tiny": {"weights_sha256": "ef"}}) == [
        ("networks.tiny.weights_sha256", "cd", "ef")
    ]


def test_distances_of_sets_come_first_and_other_figures_of_networks_last():
    one = record(**dict.fromkeys(("lpips-alex", "ssim", "a-kid", "a-fid", "psnr"), (1, 1, 1)))
    rows = figures.rows({"model": one["figures"]})[1:]
    found = [row[0].split()[0] for row in rows]
    assert found == ["a-kid", "a-fid", "psnr", "ssim", "lpips-alex"]


def test_the_table_is_aligned_markdown():
    model = record(
        psnr=(25.337, 24.9, 25.8),
        **{"squeezenet-kid": (0.0668, 0.05, 0.08)},
        ssim=(0.9, -0.00001, 1),
    )
    truth = record(psnr=(np.inf, np.inf, np.inf))
    model["warnings"] = truth["warnings"] = ["Mind the gap."]
    assert figures.section([model, truth], ["model", "truth"]) == (
        "### val: 9 photos\n"
        "\n"
        "| figure               | better | model                   | truth |\n"
        "| -------------------- | ------ | ----------------------- | ----- |\n"
        "| squeezenet-kid x1000 | lower  | 66.8 [50.0, 80.0]       | -     |\n"
        "| psnr                 | higher | 25.34 [24.90, 25.80]    | inf   |\n"
        "| ssim                 | higher | 0.9000 [0.0000, 1.0000] | -     |\n"
        "\n"
        "Mind the gap.\n"
    )
