"""The part of `colorization.colorize` that is for films."""

import os

from absl import flags

from colorization.film import FilmError, film_plan
from colorization.film.film_writer import ENCODERS
from colorization.inference import plan, threads
from pipelines.errors import UserError

# Options of photos that films don't have, with what they are when not set.
_OF_PHOTOS = {
    "num_variants": 1,
    "mask": None,
    "keep_colored": False,
    "keep_times": False,
    "report": False,
}
_LISTS_OF_PHOTOS = ("include", "exclude")
flags.disclaim_key_flags()


def define_flags(values):
    """Defines the flags of films."""
    default = film_plan.FilmOptions()
    flags.DEFINE_bool(
        "films", False, "In folders, color the films, not the photos.", flag_values=values
    )
    flags.DEFINE_enum(
        "codec", default.codec, list(ENCODERS), "How films are encoded.", flag_values=values
    )
    flags.DEFINE_integer(
        "quality",
        default.quality,
        "Quality of films, from 0 (best) to 51 (worst); 6 less doubles the file size.",
        lower_bound=film_plan.BEST_QUALITY,
        upper_bound=film_plan.WORST_QUALITY,
        flag_values=values,
    )
    for name, what in (("start", "from here"), ("end", "up to here")):
        text = f"Color a film only {what}: seconds, M:SS or H:MM:SS."
        flags.DEFINE_string(name, None, text, flag_values=values)
    flags.DEFINE_bool(
        "preview",
        False,
        "Write a picture of a film's colors, a frame about every ten seconds, before spending "
        "hours on the film. --output is a picture.",
        flag_values=values,
    )


def takes(values, inputs):
    """Whether inputs are films: some of them by their names, or `--films` says so."""
    return values.films or any(map(film_plan.is_film, inputs))


def check_no_film(values):
    """Raises a `FilmError` if a flag of films is set for photos."""
    names = [name for name in ("start", "end", "preview") if values[name].value]
    if names:
        raise FilmError(f"--{names[0]} goes with films. Received: no film.")


def run(values, inputs, open_colorizer, say, tell):
    """Colors the films at paths and in folders, as parsed flags say.

    `say` and `tell` print a line to standard output and to standard error. Returns the exit status:
    0 if no film failed, 1 if one did, 130 and 143 if stopped by a signal. Raises `UserError` if the
    request is wrong.
    """
    # Not where photos are colored: this takes a part of a second.
    from colorization.film import film_run

    _check(values, inputs)
    options = film_plan.FilmOptions(
        values.codec,
        values.quality,
        film_plan.parse_time(values.start),
        film_plan.parse_time(values.end),
        values.saturation,
        values.hints,
        values.reference,
    )
    if values.preview:
        _check_sheet(inputs, values.output, values.hints)
        film_run.preview(
            inputs[0], values.output, open_colorizer(), options, overwrite=values.overwrite
        )
        say(f"Colors of {inputs[0]}: {values.output}")
        return 0
    pairs = film_plan.plan(inputs, values.output)
    if values.hints and len(pairs) > 1:
        raise FilmError(f"--hints=FILE is for one film. Received: {len(pairs)} films.")
    todo = [pair for pair in pairs if not (values.skip_existing and pair[1].exists())]
    for source, destination in pairs:
        if (source, destination) not in todo:
            say(f"Skipped {source}: {destination} is there already.")
    colorizer, num_failed, stop = open_colorizer() if todo else None, 0, threads.Stop()
    with threads.stopped_by_signals(stop, "Stopping. Run the same command to resume."):
        for source, destination in todo:
            try:
                is_done = film_run.color_film(
                    source,
                    destination,
                    colorizer,
                    options,
                    overwrite=values.overwrite,
                    stop=stop,
                    tell=tell,
                )
            except UserError as error:
                tell(error)
                num_failed += 1
                continue
            if not is_done:
                return 128 + stop.signal
            say(f"Colored {source}: {destination}")
    return 1 if num_failed else 0


def _check(values, inputs):
    others = [path for path in inputs if not film_plan.is_film(path) and not os.path.isdir(path)]
    if others and os.path.exists(others[0]):
        raise FilmError(f"Films and photos go in separate calls. Received: a film and {others[0]}.")
    if any(map(os.path.isdir, inputs)) and not values.films:
        raise FilmError(
            "Films and folders of photos go in separate calls. Set --films to color the films in "
            "folders."
        )
    names = [name for name, unset in _OF_PHOTOS.items() if values[name].value != unset]
    names += [name for name in _LISTS_OF_PHOTOS if values[name].value]
    if names:
        raise FilmError(f"--{names[0]} goes with photos. Received: films. Leave it out.")


def _check_sheet(inputs, output, hints):
    if len(inputs) != 1 or os.path.isdir(inputs[0]):
        raise FilmError("--preview takes one film. Received: several, or a folder.")
    if hints is not None:
        raise FilmError("--preview shows no hints. Received: --hints. Leave one of them out.")
    if output is None or not output.lower().endswith(plan.WRITABLE_SUFFIXES):
        raise FilmError(
            f"--preview writes a picture, such as preview.jpg. Received: --output={output}."
        )
