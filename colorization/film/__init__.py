"""Films: read and written by FFmpeg, colored shot by shot so that colors stay.

The way of a film: `film_reader` decodes it, `film_coloring` finds cuts and lets `steady` carry
colors along the motion, `film_writer` encodes segments and joins them with the sound, and
`film_run` does all of it so that it can be resumed.
"""

from pipelines.errors import UserError


class FilmError(UserError):
    """A film that can't be read, colored or written; the message is one line."""


def import_av():
    """Imports PyAV, which brings FFmpeg; `FilmError` if it is not installed."""
    try:
        import av
    except ImportError as error:
        raise FilmError(
            "Films need PyAV, which is not installed. Install it: pip install av."
        ) from error
    return av
