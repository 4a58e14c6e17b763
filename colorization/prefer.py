"""Asks people which coloring they prefer: `colorization prefer --models=... --data=...`.

Serves a web page that shows two colorings of one photo without saying whose they are, and keeps
every vote in one file. A model is the folder of an exported model, `released`, the directory of a
run, which is exported as it stands, or `gray`: no colors at all. With --truth, outputs are also
shown beside the original, and voters are asked which is the real photo.

Examples:
  colorization prefer --models=released,runs/mine,gray --data=folder:PHOTOS
  colorization prefer --models=released --data=folder:PHOTOS --truth
  colorization prefer --votes=votes.sqlite --report

The same command resumes a study with its votes. Photos are colored before the page is served, into
a folder beside the file of votes.
"""

import contextlib
import os
import pathlib

from colorization.config import ConfigError
from pipelines import console

PICTURES = ".pictures"


def define_flags():
    """Defines the flags of the command."""
    from absl import flags

    flags.DEFINE_list(
        "models", [], "Folders of models or runs, released, and gray, joined by commas."
    )
    flags.DEFINE_string("data", "", "Photos to color: folder:PATH, tfds:NAME[:SPLIT] or samples.")
    flags.DEFINE_string("votes", "votes.sqlite", "File that keeps the votes; made if missing.")
    flags.DEFINE_bool("truth", False, "Also ask which is the real photo: an output or the truth.")
    flags.DEFINE_bool("report", False, "Print the results of the votes, and exit.")
    flags.DEFINE_integer(
        "limit", 100, "Largest number of photos, drawn from all of --data; 0: all.", lower_bound=0
    )
    flags.DEFINE_integer(
        "num_questions", 60, "Largest number of questions per voter.", lower_bound=1
    )
    flags.DEFINE_string(
        "host", "127.0.0.1", "Address to serve at; 0.0.0.0: all addresses of this machine."
    )
    flags.DEFINE_integer(
        "port", 8787, "Port to serve at; 0: any free one.", lower_bound=0, upper_bound=65_535
    )


def main(arguments):
    """Serves the study that the flags describe, or prints its report."""
    from absl import flags

    from colorization.preference.study import Votes

    options = flags.FLAGS
    if arguments:
        raise ConfigError(f"prefer takes flags only. Received: {' '.join(arguments)}.")
    if options.report:
        from colorization.preference.standings import report

        with contextlib.closing(Votes(options.votes, create=False)) as votes:
            print("\n".join(report(*votes.all())))
        return
    names = model_names(options.models, options.truth)
    if not options.data:
        raise ConfigError("--data is needed. Received: nothing. See --help.")
    try:
        from colorization.preference import voting_page
        from colorization.serving.web.app import listen
    except ImportError as error:
        raise ConfigError(
            f"The page needs the package {error.name}. Install it: "
            "pip install 'colorization[serve]'"
        ) from error
    # Before the photos are colored, which may take long.
    with listen(options.host, options.port) as listener:
        console.import_quietly()
        from colorization.preference import colorings
        from pipelines.sources import opener

        source = opener.open_source(options.data)
        models = [load(name, folder) for name, folder in names.items()]
        models += [colorings.TRUTH] if options.truth else []
        # Last: what is wrong with the request leaves no file behind.
        with contextlib.closing(Votes(options.votes)) as votes:
            app, plan = prepare(source, models, votes, options.limit, options.num_questions)
            what = (
                f"{console.count(len(plan.models), 'model')}, "
                f"{console.count(len(plan.photos), 'photo')}, "
                f"{console.count(sum(plan.counts().values()), 'question')} for each voter"
            )
            try:
                voting_page.serve(app, listener, what)
            finally:
                print(
                    f"{console.count(len(votes.all()[0]), 'vote')} in {votes.path}. "
                    f"Results: colorization prefer --votes={votes.path} --report"
                )


def model_names(models, with_truth):
    """Checks --models; returns a dict of the folders by the names of their models."""
    from colorization.inference import model_folder
    from colorization.preference.standings import TRUTH
    from colorization.preference.study import as_text

    names = {}
    for model in map(str.strip, models):
        model = model_folder.resolve(model) if model == model_folder.RELEASED else model
        *_, parent, name = ("", *pathlib.Path(model).absolute().parts) if model else ("", "")
        # A version alone is no name.
        name = as_text(f"{parent}/{name}" if name.isdecimal() else name)
        if not model or name in names or name == TRUTH:
            raise ConfigError(
                f"--models takes folders of different names, none of them {TRUTH}. Received: "
                f"{','.join(models)}. Rename or leave out {model or 'what is empty'}."
            )
        if model != "gray" and not os.path.isdir(model):
            raise ConfigError(
                f"--models takes folders of exported models, runs, and gray. Received: {model}, "
                "which is none. Check the path."
            )
        names[name] = model
    if len(names) < (1 if with_truth else 2):
        raise ConfigError(
            f"--models takes two or more models, or one with --truth. Received: {len(names)}."
        )
    return names


def load(name, folder):
    """Loads what `model_names` named as a `colorings.Model`."""
    from colorization import Colorizer, export
    from colorization.preference import colorings
    from pipelines.color.gray import to_gray

    if folder == "gray":
        return colorings.Model(name, "gray", to_gray)
    with export.exported(folder) as exported:
        colorizer = Colorizer(exported)
    part = "checkpoints" if export.is_run(folder) else str(colorizer.description["version"])
    version = os.path.join(folder, part)
    version = version if os.path.isdir(version) else folder
    return colorings.Model(name, colorings.fingerprint(version), colorizer.colorize)


def prepare(source, models, votes, limit, num_questions):
    """Colors the photos of a study: the page's application and the `study.Plan`."""
    from colorization.preference import colorings, study, voting_page
    from colorization.preference.standings import TRUTH

    # First, since a name may be taken.
    numbers = votes.add_models({model.name: model.fingerprint for model in models})
    folder = os.path.splitext(os.path.abspath(votes.path))[0] + PICTURES
    usable = colorings.draw_and_color(source, limit, models, folder, votes.seed)
    if not usable:
        raise ConfigError(f"--data={source.name} holds no photo that the study can use.")
    digests = {number: digest for digest, number in votes.add_photos(usable).items()}
    fingerprints = {numbers[model.name]: model.fingerprint for model in models}
    plan = study.Plan(
        models=tuple(numbers[model.name] for model in models if model.name != TRUTH),
        photos=tuple(digests),
        truth=numbers[TRUTH] if colorings.TRUTH in models else None,
        num_questions=num_questions,
        seed=votes.seed,
    )

    def picture_path(photo, model):
        return colorings.picture_path(folder, digests[photo], fingerprints[model])

    return voting_page.create_app(votes, plan, picture_path), plan


if __name__ == "__main__":
    console.run_command(main, define_flags)
