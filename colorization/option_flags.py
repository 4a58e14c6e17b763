"""The flags that say how a photo is colored, made from the knobs of `Options`."""

from absl import flags

from colorization.inference.options import KNOBS, Options

# A command writes all variants that it is asked for.
_NAMES = tuple(name for name in KNOBS if name != "variant")
# Where a command takes these flags, they are its own.
flags.disclaim_key_flags()


def define_flags(values):
    """Defines the flags."""
    for name in _NAMES:
        knob, shared = KNOBS[name], {"flag_values": values}
        bounds = shared | {"lower_bound": knob.least, "upper_bound": knob.most}
        if knob.kind is int:
            flags.DEFINE_integer(name, knob.default, knob.help, **bounds)
        elif knob.kind is float:
            flags.DEFINE_float(name, knob.default, knob.help, **bounds)
        elif knob.kind is bool:
            flags.DEFINE_bool(name, knob.default, knob.help, **shared)
        else:
            flags.DEFINE_string(name, knob.default, knob.help, **shared)


def options(values):
    """Makes `Options` of parsed flags.

    Raises:
        OptionError: As for `Options`; flags let pass what is no number.
    """
    return Options(**{name: values[name].value for name in _NAMES})
