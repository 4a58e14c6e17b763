import dataclasses
import json
import math

import jsonschema
import numpy as np
import pytest
from absl import flags

from colorization.flags import define_option_flags, options_from_flags
from colorization.inference.color_hints import Hint
from colorization.inference.options import KNOBS, OptionError, Options
from pipelines.photos.photo_files import write_picture

NUMBERS = {name: knob for name, knob in KNOBS.items() if knob.least is not None}


def parse(*arguments):
    values = flags.FlagValues()
    define_option_flags(values)
    values(["command", *arguments])
    return options_from_flags(values)


def test_flags_have_the_defaults_of_the_object():
    assert parse() == Options()
    given = parse("--num_variants=5", "--seed=3", "--saturation=0.5", "--keep_colored")
    assert given == Options(num_variants=5, seed=3, saturation=0.5, keep_colored=True)


def by_argument(name, value):
    # That one of so many is chosen, there must be so many.
    others = {"num_variants": KNOBS[name].most} if name == "variant" else {}
    Options(**others | {name: value})


def by_text(name, value):
    KNOBS[name].parse(str(value))


def by_schema(name, value):
    jsonschema.validate(value, KNOBS[name].schema())


def by_flag(name, value):
    if name != "variant":
        parse(f"--{name}={value}")
    else:
        by_argument(name, value)


@pytest.mark.parametrize("way", [by_argument, by_text, by_schema, by_flag])
@pytest.mark.parametrize("name", NUMBERS)
def test_bounds_are_the_same_by_every_way(name, way):
    knob = KNOBS[name]
    for value in (knob.least, knob.most):
        way(name, value)
    for value in (knob.least - 1, knob.most + 1):
        with pytest.raises((OptionError, flags.Error, jsonschema.ValidationError)):
            way(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_variants", True),
        ("num_variants", None),
        ("seed", "3"),
        ("saturation", math.nan),
        ("saturation", "1"),
        ("keep_colored", "yes"),
    ],
)
def test_an_error_names_the_option_the_bounds_and_what_came(name, value):
    with pytest.raises(OptionError) as caught:
        Options(**{name: value})
    line = str(caught.value)
    assert line.startswith(f"{name} is ") and f"Received: {value!r}. Set another" in line
    assert "\n" not in line


@pytest.mark.parametrize("text", ["", "two", "1e999", "0x10", "1.5", "nan"])
def test_text_that_is_no_whole_number_is_refused(text):
    with pytest.raises(OptionError, match="Received"):
        KNOBS["num_variants"].parse(text)


def test_every_knob_is_explained_and_of_one_kind():
    for knob in KNOBS.values():
        assert knob.help.endswith(".") and knob.kind in (int, float, bool, object)


def test_the_record_is_json_and_changes_with_the_file_of_the_mask(tmp_path):
    write_picture(tmp_path / "mask.png", np.zeros((4, 4, 3), np.uint8))
    plain, masked = Options(), Options(mask=tmp_path / "mask.png")
    assert json.loads(json.dumps(masked.record())) == masked.record() != plain.record()
    before = masked.record()
    write_picture(tmp_path / "mask.png", np.zeros((4, 5, 3), np.uint8), overwrite=True)
    assert masked.record() != before
    loaded = masked.load_files()
    assert loaded.mask.shape == (4, 5, 3) and loaded.load_files() is loaded


def test_the_record_changes_with_the_file_of_hints(tmp_path):
    path = tmp_path / "photo.json"
    path.write_text('{"hints": []}')
    hinted = Options(hints=path)
    before = hinted.record()
    assert before != Options().record() != Options(hints="sidecar").record() != before
    path.write_text('{"hints": [{"point": [1, 2], "color": "navy"}]}')
    assert hinted.record() != before
    assert hinted.load_files().hints == [Hint(1, 2, "navy")]


def test_options_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Options().seed = 3
