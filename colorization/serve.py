"""Serves a web page and a JSON API that color photos: `colorization serve`.

The page takes photos by drop, paste, file picker or camera, shows them before and after, offers
other colorings, and gives them back at full size with their metadata. The API is described at
/api/openapi.json; /healthz and /metrics are for the operator of the server. No photo is kept.

SIGTERM or Ctrl-C ends the server after the photos in progress; a second one ends it at once.
"""

import contextlib

from pipelines import console


def define_flags():
    """Defines the flags of the command."""
    from absl import flags

    flags.DEFINE_string(
        "model",
        None,
        "Folder of an exported model or of a run; default released, the one that is included. With "
        "--server, the model's name there.",
    )
    flags.DEFINE_string(
        "server",
        None,
        "Address of a TF Serving that runs the model, grpc://HOST:8500 or http://HOST:8501; "
        "default the model runs in this process.",
    )
    flags.DEFINE_string(
        "host",
        "127.0.0.1",
        "Address to listen on; 0.0.0.0: all addresses of this machine. There is no password: put a "
        "server that the Internet can reach behind a proxy that asks for one.",
    )
    flags.DEFINE_integer("port", 8000, "Port; 0: a free one.", lower_bound=0, upper_bound=65_535)
    flags.DEFINE_integer(
        "max_bytes", 100_000_000, "Size of the largest photo file.", lower_bound=1000
    )
    flags.DEFINE_integer(
        "max_pixels",
        50_000_000,
        "Pixels of the largest photo. A million takes about 10 MB of memory for each worker.",
        lower_bound=1,
        upper_bound=500_000_000,
    )
    flags.DEFINE_integer(
        "max_queue",
        16,
        "Photos that may wait for a worker; further requests are refused, with a time to retry.",
        lower_bound=0,
        upper_bound=1000,
    )
    flags.DEFINE_integer(
        "timeout", 120, "Seconds until a request times out, waiting included.", lower_bound=1
    )
    flags.DEFINE_integer(
        "workers", 0, "Photos colored at once; 0: one per processor.", lower_bound=0
    )


def main(arguments):
    """Serves until it is stopped; takes no arguments. Returns 0, after a clean end."""
    from absl import flags

    from colorization import export
    from colorization.inference import threads
    from colorization.inference.colorizer import Colorizer
    from pipelines.errors import UserError

    if arguments:
        raise UserError(f"serve takes flags only. Received: {arguments[0]}. See --help.")
    try:
        from colorization.serving.web.app import Limits, Server, address, create_app, listen
    except ModuleNotFoundError as error:
        raise UserError(
            f"The page needs the package {error.name}. Install it: "
            "pip install 'colorization[serve]'"
        ) from error
    options = flags.FLAGS
    names = ("max_bytes", "max_pixels", "max_queue", "timeout")
    limits = {name: options[name].value for name in names}
    limits = Limits(**limits, workers=options.workers or threads.num_processors())
    # A taken port is reported before the model is loaded.
    listener = listen(options.host, options.port)
    stop, note = threads.Stop(), "Stopping after the photos in progress. Repeat to stop at once."
    exported = contextlib.nullcontext if options.server else export.exported
    with exported(options.model) as folder:
        colorizer = Colorizer(folder, server=options.server)
        server = Server(create_app(colorizer, limits), listener, limits)
        with threads.stopped_by_signals(stop, note):
            name, version = (colorizer.description[key] for key in ("name", "version"))
            print(f"Serving {name} {version} at {address(listener)} (Ctrl-C ends it)", flush=True)
            server.run(stop)
    return 0


if __name__ == "__main__":
    console.run_command(main, define_flags)
