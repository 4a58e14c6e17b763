"""`Config` as absl flags and as a flagfile, and `Options` as flags: the thin shell of commands."""

import dataclasses
import difflib
import pathlib
import sys

from absl import flags

from colorization import config
from colorization.inference.options import KNOBS, Options

RECIPES = pathlib.Path(__file__).parent / "recipes"
_DEFINERS = {
    str: flags.DEFINE_string,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    bool: flags.DEFINE_bool,
}
# A command writes all variants that it is asked for.
_OPTION_NAMES = tuple(name for name in KNOBS if name != "variant")
# Where a command takes these flags, they are its own.
flags.disclaim_key_flags()


def define_config_flags():
    """Defines a flag for each field of `Config`. Called by a command, never at import."""
    # As flags of the command: `--help` lists no other module's.
    owner = {"module_name": sys.argv[0]}
    text = "Recipe to start from, by name: flags after it override it."
    flags.DEFINE_enum("recipe", None, _recipe_names(), text, **owner)
    for field in dataclasses.fields(config.Config):
        text, choices = field.metadata["help"], field.metadata["choices"]
        if choices:
            flags.DEFINE_enum(field.name, field.default, choices, text, **owner)
        else:
            _DEFINERS[field.type](field.name, field.default, text, **owner)


def config_from_flags():
    """Reads the parsed flags into a `Config`. Raises `ConfigError` for a bad combination."""
    if flags.FLAGS.recipe:
        raise config.ConfigError(
            "--recipe is given on the command line. Received: one in a flagfile. Write its flags "
            "there instead."
        )
    values = {f.name: getattr(flags.FLAGS, f.name) for f in dataclasses.fields(config.Config)}
    return config.Config(**values)


def expand_recipe(argv):
    """Puts the flagfile of a recipe in place of `--recipe=NAME`; `ConfigError` if there is none."""
    words, expanded = iter(argv), []
    for word in words:
        flag, is_given, name = word.partition("=")
        if flag in ("--recipe", "-recipe"):
            name = name if is_given else next(words, "")
            word = f"--flagfile={_find_recipe(name)}"
        expanded.append(word)
    return expanded


def _recipe_names():
    return sorted(path.stem for path in RECIPES.glob("*.flags"))


def _find_recipe(name):
    """Path of a recipe, by its name."""
    names = _recipe_names()
    if name not in names:
        near = difflib.get_close_matches(name, names, 1)
        raise config.ConfigError(
            f"--recipe is one of {', '.join(names)}. Received: {name or 'nothing'}. "
            + (f"Did you mean {near[0]}?" if near else "A file of your own goes to --flagfile.")
        )
    return RECIPES / f"{name}.flags"


def format_flags(settings):
    """Writes a `Config` as the text of a flagfile that gives it back."""
    lines = []
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if field.type is bool:
            lines.append(f"--{'' if value else 'no'}{field.name}")
        else:
            lines.append(f"--{field.name}={value}")
    return "\n".join(lines) + "\n"


def parse_flagfile(path):
    """Reads a file that `format_flags` wrote; `ConfigError` for what `Config` does not know."""
    fields, own = dataclasses.fields(config.Config), flags.FlagValues()
    for field in fields:
        _DEFINERS[field.type](field.name, field.default, "", flag_values=own)
    try:
        _, *words = own(["recipe", f"--flagfile={path}"])
    except flags.Error as error:
        raise config.ConfigError(f"{path} is not a recipe of this version: {error}") from error
    if words:
        raise config.ConfigError(f"{path} holds flags only. Received: {' '.join(words)}.")
    return config.Config(**{field.name: own[field.name].value for field in fields})


def define_option_flags(values):
    """Defines a flag for each field of `Options`."""
    for name in _OPTION_NAMES:
        knob, bounds = KNOBS[name], {}
        if knob.least is not None:
            bounds = {"lower_bound": knob.least, "upper_bound": knob.most}
        define = _DEFINERS.get(knob.kind, flags.DEFINE_string)
        define(name, knob.default, knob.help, flag_values=values, **bounds)


def options_from_flags(values):
    """Makes `Options` of parsed flags, with their errors; flags let pass what is no number."""
    return Options(**{name: values[name].value for name in _OPTION_NAMES})
