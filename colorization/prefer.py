"""Asks people which coloring they prefer: `python -m colorization.prefer --models=... --data=...`.

Serves a web page that shows two colorings of one photo, whose they are is not told, and keeps every
vote in one file. A model is the folder of an exported model, the directory of a run, which is
exported as it stands, or `gray`: no colors at all. With --truth, outputs are also shown beside the
original, and voters asked which is the real photo.

Examples:
  python -m colorization.prefer --models=saved_models/chroma,runs/mine,gray --data=folder:PHOTOS
  python -m colorization.prefer --models=saved_models/chroma --data=folder:PHOTOS --truth
  python -m colorization.prefer --votes=votes.sqlite --report

The same command again goes on with the same votes. Pictures are colored before the page is served,
into a folder beside the file of votes.
"""

import contextlib
import os
import signal
import socket
import sys

PICTURES = ".pictures"


def define_flags():
    """Defines the flags of the command."""
    from absl import flags

    flags.DEFINE_list("models", [], "Folders of models or runs, and gray, joined by commas.")
    flags.DEFINE_string("data", "", "Photos to color: folder:PATH, tfds:NAME[:SPLIT] or samples.")
    flags.DEFINE_string("votes", "votes.sqlite", "File that keeps the votes; made if missing.")
    flags.DEFINE_bool("truth", False, "Ask, too, which is the real photo: an output or the truth.")
    flags.DEFINE_bool("report", False, "Print what the votes say, and end.")
    flags.DEFINE_integer(
        "limit", 100, "Most photos to take, drawn from all of --data; 0: all.", lower_bound=0
    )
    flags.DEFINE_integer("num_questions", 60, "Most questions for each voter.", lower_bound=1)
    flags.DEFINE_string("host", "127.0.0.1", "Address to serve at; 0.0.0.0: the whole network.")
    flags.DEFINE_integer(
        "port", 8787, "Port to serve at; 0: any free one.", lower_bound=0, upper_bound=65_535
    )


def main(arguments):
    """Serves the study that the flags describe, or prints its report."""
    from absl import flags

    from colorization.config import ConfigError
    from colorization.preference.votes import Votes

    options = flags.FLAGS
    if arguments:
        raise ConfigError(f"prefer takes flags only. Received: {' '.join(arguments)}.")
    if options.report:
        from colorization.preference.standings import report

        with contextlib.closing(Votes(options.votes, create=False)) as votes:
            print("\n".join(report(*votes.all())))
        return
    names = _model_names(options.models, options.truth)
    if not options.data:
        raise ConfigError("--data is needed. Received: nothing. See --help.")
    try:
        import flask  # noqa: F401
        import waitress  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"The page needs the package {error.name}. Install it: pip install .[serve]"
        ) from error
    # Before the photos are colored, which may take long.
    with _listen(options.host, options.port) as listener:
        source, models = _open(options, names)
        # Last: what is wrong with the request leaves no file behind.
        with contextlib.closing(Votes(options.votes)) as votes:
            app, what = _prepare(options, source, models, votes)
            _serve(app, listener, what, votes)


def _model_names(models, with_truth):
    """Checks what --models says; returns a dict of the folders by the names of their models."""
    from colorization.config import ConfigError
    from colorization.preference.standings import TRUTH
    from colorization.preference.votes import as_text

    names = {}
    for model in map(str.strip, models):
        name = os.path.basename(os.path.abspath(model)) if model else ""
        if name.isdecimal():
            # A version alone says little.
            name = os.path.join(os.path.basename(os.path.dirname(os.path.abspath(model))), name)
        name = as_text(name)
        if not model or name in names or name == TRUTH:
            raise ConfigError(
                f"--models takes folders of unlike names, none of them {TRUTH}. Received: "
                f"{','.join(models)}. Rename or leave out {model or 'what is empty'}."
            )
        if model != "gray" and not os.path.isdir(model):
            raise ConfigError(
                f"--models takes folders of exported models, runs, and gray. Received: {model}, "
                "which is none. Check the path."
            )
        names[name] = model
    least = 1 if with_truth else 2
    if len(names) < least:
        raise ConfigError(
            f"--models takes two or more models, or one with --truth. Received: {len(names)}."
        )
    return names


def _listen(host, port):
    from colorization.config import ConfigError

    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as error:
        # Python adds the address, which is said already.
        reason = str(error.strerror or error).partition(" (while")[0]
        raise ConfigError(
            f"--host={host} --port={port} cannot be served at: {reason}. "
            "Choose another --port, or 0 for any free one."
        ) from error


def _open(options, names):
    """Opens the data and loads the models, the truth among them if it is asked for, as last."""
    from pipelines import console

    console.import_quietly()
    from colorization.preference import pictures
    from colorization.preference.standings import TRUTH
    from pipelines.sources import opener

    source = opener.open_source(options.data)
    models = [_load(name, folder) for name, folder in names.items()]
    if options.truth:
        models.append(pictures.Model(TRUTH, TRUTH, lambda rgb: rgb))
    return source, models


def _prepare(options, source, models, votes):
    """Colors the photos; returns the application and a line that says what is asked."""
    from colorization.config import ConfigError
    from colorization.preference import pictures, questions, voting_page
    from colorization.preference.standings import TRUTH

    # First, since a name may be taken: it would be a pity to find out last.
    numbers = votes.add_models({model.name: model.fingerprint for model in models})
    folder = os.path.splitext(os.path.abspath(options.votes))[0] + PICTURES
    usable = _color(source, options.limit, models, folder, votes.seed)
    if not usable:
        raise ConfigError(f"--data={options.data} holds no photo that the study can use.")
    digests = {number: digest for digest, number in votes.add_photos(usable).items()}
    fingerprints = {numbers[model.name]: model.fingerprint for model in models}
    plan = questions.Plan(
        models=tuple(numbers[model.name] for model in models if model.name != TRUTH),
        photos=tuple(digests),
        truth=numbers[TRUTH] if options.truth else None,
        num_questions=options.num_questions,
        seed=votes.seed,
    )

    def picture_path(photo, model):
        return pictures.picture_path(folder, digests[photo], fingerprints[model])

    total = sum(plan.counts().values())
    what = (
        f"{len(plan.models)} model(s), {len(usable)} photo(s), {total} question(s) for each voter"
    )
    return voting_page.create_app(votes, plan, picture_path), what


def _load(name, folder):
    """Loads a model that paints photos."""
    import tempfile

    from colorization import Colorizer, export
    from colorization.preference import pictures
    from colorization.training import run_directory

    if folder == "gray":
        return pictures.Model("gray", "gray", pictures.to_gray)
    if not os.path.isfile(os.path.join(folder, run_directory.RECIPE)):
        colorizer = Colorizer(folder)
        version = os.path.join(folder, str(colorizer.description["version"]))
        version = version if os.path.isdir(version) else folder
        return pictures.Model(name, pictures.fingerprint(version), colorizer.colorize)
    with tempfile.TemporaryDirectory() as exported:
        colorizer = Colorizer(export.export(folder, os.path.join(exported, "model")))
    checkpoints = os.path.join(folder, "checkpoints")
    return pictures.Model(name, pictures.fingerprint(checkpoints), colorizer.colorize)


def _color(source, limit, models, folder, seed):
    """Makes what pictures are missing; returns the names of the usable photos by their digests."""
    import random

    from tqdm import tqdm

    from colorization.inference import threads
    from colorization.preference import pictures
    from colorization.preference.standings import TRUTH

    positions = range(len(source.names))
    if 0 < limit < len(positions):
        # By the study's seed: the same photos when it goes on.
        positions = random.Random(seed).sample(positions, limit)
    usable, num_left_out = {}, 0
    with_truth = any(model.name == TRUTH for model in models)
    prepared = pictures.prepare(source, set(positions), models, folder, with_truth, threads.Stop())
    # None: only on a terminal.
    with tqdm(
        desc="Coloring", total=len(positions), unit="photo", disable=None, leave=False
    ) as bar:
        for photo in prepared:
            if photo.digest is None:
                bar.write(f"Left out: {photo.problem}", file=sys.stderr)
                num_left_out += 1
            else:
                usable[photo.digest] = photo.name
            bar.update()
    if num_left_out:
        print(f"Left out {num_left_out:,} of {len(positions):,} photos.", file=sys.stderr)
    return usable


def _serve(app, listener, what, votes):
    import logging

    import waitress

    # It tells of each request that waits for a thread, if only for an instant.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)

    def end(*_):
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, end)
    host, port = listener.getsockname()[:2]
    host = f"[{host}]" if ":" in host else host
    server = waitress.create_server(
        app, sockets=[listener], ident=None, max_request_body_size=65_536
    )
    print(f"http://{host}:{port}/: {what}. Ctrl-C ends it.", flush=True)
    try:
        server.run()
    finally:
        server.close()
        cast, _ = votes.all()
        print(
            f"{len(cast)} vote(s) in {votes.path}. What they say: "
            f"python -m colorization.prefer --votes={votes.path} --report"
        )


if __name__ == "__main__":
    from pipelines.console import run_command

    run_command(main, define_flags)
