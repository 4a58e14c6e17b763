"""Colors a film from file to file, in segments, so that a run that was ended can be resumed.

Beside the film to write lies a hidden folder while it is made: what it is made of and how, its
segments, and what the coloring remembered at the end of the last one. Nothing in it depends on how
often a run was ended, so neither does the film.
"""

import contextlib
import json
import os
import pathlib
import shutil
import zipfile

import numpy as np

from colorization import pages
from colorization.film import FilmError, film_coloring, film_reader, film_writer, import_av, steady
from colorization.inference import color_hints
from colorization.inference.options import Options, file_state
from pipelines import console, files
from pipelines.photos import photo_files

# To be raised with any change of what a film looks like.
_VERSION = 2
# Frames of a segment, about: what is lost when a run is ended.
_SEGMENT = 96
# Seconds between the pictures of a preview, and the most of them.
_PREVIEW_STEP, _MAX_PREVIEW = 10, 25
_PLAN, _MEMORY = "plan.json", "memory.npz"


def color_film(source, destination, colorizer, options, *, overwrite, stop, tell):
    """Colors a film with a `Colorizer`; returns false if it was stopped, within a second or two.

    `destination` ends in one of `film_writer.CONTAINERS`; `tell` is a function of a line for the
    user. Raises `FilmError` if the film can't be read or written, `HintError` if hints can't be
    read, don't suit the film, or the model takes none, and `OptionError` if the reference can't be
    read, or has no colors.
    """
    source, destination = pathlib.Path(source), pathlib.Path(destination)
    if destination.exists() and not overwrite:
        raise FilmError(
            f"{destination} exists. Choose another --output, or set --overwrite or --skip_existing."
        )
    film = film_reader.Film(source)
    span = options.span(film)
    film_writer.check_container(source, destination)
    _tell_changes(film, tell)
    destination.parent.mkdir(parents=True, exist_ok=True)
    work = destination.with_name(f".{destination.name}.parts")
    box = film_coloring.find_picture(film)
    coloring = _coloring(film, colorizer, options, box, span)
    _prepare(work, _made_with(source, colorizer, options, box), tell)
    try:
        if not _color_segments(work, film, coloring, options, span, stop):
            return False
        if film.damage:
            tell(film.damage)
        note = "Colored by {name}, version {version}.".format(**colorizer.description)
        with files.atomic_path(destination, overwrite) as temporary:
            _join(work, source, temporary, destination.suffix, span, note)
    except (import_av().FFmpegError, OSError) as error:
        raise FilmError(
            f"{destination}: can't be written ({error.strerror or error}). Mend that, and run the "
            "same command to resume."
        ) from error
    shutil.rmtree(work)
    return True


def preview(source, destination, colorizer, options, *, overwrite):
    """Writes a sheet of a film's colors: about every tenth second, in at most 25 pictures.

    It shows what lies between the start and the end of the `FilmOptions`. Raises `FilmError` if the
    film can't be read, `PictureError` if the sheet can't be written.
    """
    film = film_reader.Film(source)
    start, end = options.span(film) or (0, film.duration)
    end = min(end, film.duration)
    count = max(1, min(_MAX_PREVIEW, int((end - start) / _PREVIEW_STEP)))
    coloring = _coloring(film, colorizer, options, film_coloring.find_picture(film))
    pictures = [
        pages.shrink(coloring.color_alone(frame)) for frame in film.key_frames(count, (start, end))
    ]
    if not pictures:
        raise FilmError(f"{film.path}: no key frame can be decoded. Convert the film.")
    photo_files.write_picture(destination, pages.sheet(pictures), overwrite)


def _coloring(film, colorizer, options, box, span=None):
    colorizer.check(Options(hints=options.hints, reference=options.reference))
    reference = None
    if options.reference is not None:
        picture = Options(reference=options.reference).load_files().reference
        reference = colorizer.open_reference(picture)
    hints = film_coloring.read_hints(options.hints) if options.hints else []
    color_hints.check([timed.hint for timed in hints], (film.height, film.width), [box])
    for number, timed in enumerate(hints, 1):
        if film.duration and timed.time > film.duration:
            raise color_hints.HintError(
                f"hint {number} lies after the film, which takes {float(film.duration):.1f} "
                f"seconds. Received: {float(timed.time):g}."
            )
    hints = [timed for timed in hints if span is None or timed.time >= span[0]]
    return film_coloring.FilmColoring(
        film, colorizer.engine, options.saturation, box, hints, reference
    )


def _tell_changes(film, tell):
    if film.is_interlaced:
        tell(f"{film.path} is interlaced. Its two fields become one picture.")
    if film.height % 2 or film.width % 2:
        tell(
            f"{film.path} is {film.width} x {film.height} pixels. Films have even sides, so its "
            "last column or row is repeated."
        )


def _made_with(source, colorizer, options, box):
    file = source.stat()
    return {
        "version": _VERSION,
        "film": [source.name, file.st_size, file.st_mtime_ns],
        "model": [str(colorizer.description[name]) for name in ("name", "version")],
        "options": [
            options.codec,
            options.quality,
            str(options.start),
            str(options.end),
            options.saturation,
        ],
        "box": list(box),
        "told": [file_state(path) for path in (options.hints, options.reference) if path],
    }


def _prepare(work, made_with, tell):
    """Makes the folder of a film's parts, or takes the one that an earlier run left."""
    with contextlib.suppress(FileNotFoundError):
        try:
            if json.loads((work / _PLAN).read_text()) == made_with:
                return
        except ValueError:
            pass
        tell(f"{work} is of another film, model or options. The film is begun again.")
    if work.exists():
        shutil.rmtree(work)
    work.mkdir()
    files.write_text(work / _PLAN, json.dumps(made_with))


def _color_segments(work, film, coloring, options, span, stop):
    """Colors what no segment holds yet; returns whether all of it is colored."""
    count, memory, last = _recall(work)
    frames, before = film.frames(), None
    if span is not None:
        frames = (frame for frame in frames if span[0] <= film.seconds(frame) < span[1])
    with _progress(film, span) as bar:
        while last is not None:
            before = next(frames)
            bar.update()
            if before.time == last:
                break
        writer, written = None, 0
        for pairs, now in coloring.run(frames, memory, before):
            if stop.requested:
                return False
            if writer is None:
                part = work / "segment.part"
                writer = film_writer.SegmentWriter(part, film, options.codec, options.quality)
            for frame, rgb in pairs:
                writer.write(rgb, frame.time)
            written += len(pairs)
            bar.update(len(pairs))
            if written >= _SEGMENT:
                _keep(work, part, writer, count, now, pairs[-1][0].time)
                writer, written, count = None, 0, count + 1
        if writer is not None:
            _keep(work, part, writer, count, now, pairs[-1][0].time)
    return True


def _join(work, source, path, suffix, span, note):
    count, _, _ = _recall(work)
    if not count:
        raise FilmError(f"{source}: no frame lies between --start and --end.")
    segments = [_segment(work, number) for number in range(count)]
    film_writer.join(segments, source, path, film_writer.CONTAINERS[suffix.lower()], span, note)


def _keep(work, part, writer, count, memory, last):
    """Ends a segment, and then says that it is there."""
    writer.close()
    os.replace(part, _segment(work, count))
    past = memory.past
    arrays = {} if past is None else {"values": past.values, "weight": past.weight}
    with files.atomic_write(work / _MEMORY) as file:
        hints = film_coloring.hints_to_text(memory.hints)
        np.savez(file, count=count + 1, since=memory.since, last=last, hints=hints, **arrays)


def _recall(work):
    """How many segments are done, the `Memory` after them, and the time stamp of the last frame."""
    try:
        with np.load(work / _MEMORY) as kept:
            past = steady.Colors(kept["values"], kept["weight"]) if "values" in kept else None
            hints = film_coloring.hints_from_text(str(kept["hints"]))
            memory = film_coloring.Memory(past, int(kept["since"]), hints)
            return int(kept["count"]), memory, int(kept["last"])
    except (FileNotFoundError, zipfile.BadZipFile):
        return 0, None, None


def _segment(work, number):
    return work / f"{number:06d}.segment"


def _progress(film, span):
    seconds = film.duration if span is None else min(span[1], film.duration) - span[0]
    total = max(1, round(seconds * film.rate)) if film.duration else None
    return console.progress(os.path.basename(film.path), total, "frame")
