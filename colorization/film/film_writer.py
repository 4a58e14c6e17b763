"""Writes films: segments of pictures first, then these joined with everything else of the source.

No frame is predicted from a later one, so that segments follow each other by their time stamps
alone, whatever the frame rate does.
"""

import heapq
import io
import itertools
import os

import numpy as np

from colorization.film import FilmError, film_reader, import_av

ENCODERS = {"h264": "libx264", "hevc": "libx265"}
# Suffixes of films that are written, and their containers.
CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
# As many threads on every machine, since the encoder's result depends on it.
_THREADS = 2
# A container that keeps time stamps in any unit.
_SEGMENT_FORMAT = "nut"
_COPIED = ("audio", "subtitle", "attachment")
# What a muxer writes of its own.
_OWN_METADATA = {"major_brand", "minor_version", "compatible_brands", "encoder"}


class SegmentWriter:
    """Encodes frames into a file of pictures only, whose first frame is a key frame.

    `codec` is one of `ENCODERS`; `quality` is its constant rate factor: 0 is best, 51 worst.
    """

    def __init__(self, path, film, codec, quality):
        av = import_av()
        self._film = film
        # Chroma is stored for two by two pixels.
        self._pad = film.height % 2, film.width % 2
        self._container = av.open(os.fspath(path), "w", format=_SEGMENT_FORMAT)
        options = {"crf": str(quality), "preset": "fast"}
        if codec == "hevc":
            options["x265-params"] = f"log-level=none:pools={_THREADS}:frame-threads=1"
        stream = self._container.add_stream(ENCODERS[codec], rate=film.rate, options=options)
        stream.height, stream.width = film.height + self._pad[0], film.width + self._pad[1]
        stream.pix_fmt = "yuv420p" if film.dtype == np.uint8 else "yuv420p10le"
        context, tags = stream.codec_context, film.tags
        stream.time_base = context.time_base = film.time_base
        context.max_b_frames = 0
        context.thread_count = _THREADS
        context.sample_aspect_ratio = film.pixel_aspect
        context.colorspace, context.color_range = tags.matrix, tags.range
        context.color_primaries, context.color_trc = tags.primaries, tags.curve
        self._stream = stream

    def write(self, rgb, time):
        """Encodes a frame of the film's type, at a time in units of the film's `time_base`."""
        if any(self._pad):
            rgb = np.pad(rgb, ((0, self._pad[0]), (0, self._pad[1]), (0, 0)), "edge")
        picture = film_reader.to_yuv(rgb, self._stream.pix_fmt, self._film.tags)
        picture.pts, picture.time_base = time, self._film.time_base
        self._container.mux(self._stream.encode(picture))

    def close(self):
        """Ends the file."""
        self._container.mux(self._stream.encode(None))
        self._container.close()


def check_container(source, path):
    """Checks that a film's sound and subtitles can be copied into the container of `path`.

    Raises `FilmError` if it can't hold them.
    """
    av, container = import_av(), CONTAINERS[os.path.splitext(path)[1].lower()]
    with av.open(os.path.abspath(source), metadata_errors="replace") as film:
        with av.open(io.BytesIO(), "w", format=container) as output:
            try:
                if _add_copies(film, output):
                    output.start_encoding()
            except (av.FFmpegError, ValueError) as error:
                kinds = {s.codec_context.name for s in film.streams if s.type in _COPIED[:2]}
                raise FilmError(
                    f"{path}: {container} can't hold {', '.join(sorted(kinds))}, which "
                    f"{source} has. Choose another of {', '.join(CONTAINERS)} for --output."
                ) from error


def join(segments, source, path, container, span, note):
    """Joins segments, the source's sound, subtitles, chapters and metadata, re-encoding nothing.

    `container` is one of the values of `CONTAINERS`. `span` is a pair of the first and the last
    second that are copied, in the time of the source, as `Fraction`s; the first becomes the film's
    start. None is the whole film. `note` is a comment for films that have none.
    """
    av = import_av()
    options = {"fflags": "+bitexact"}
    with (
        av.open(os.path.abspath(source), metadata_errors="replace") as film,
        av.open(os.fspath(segments[0])) as first,
    ):
        time_base = first.streams.video[0].time_base
        if container in ("mp4", "mov"):
            # Where streams begin is rounded to this unit, which is a millisecond by default.
            options |= {"movflags": "+faststart", "movie_timescale": str(time_base.denominator)}
        with av.open(os.fspath(path), "w", format=container, options=options) as output:
            video = output.add_stream_from_template(first.streams.video[0])
            video.time_base = time_base
            _mux(film, segments, video, output, span, note)


def _mux(film, segments, video, output, span, note):
    copies = _add_copies(film, output)
    kept = {key: value for key, value in film.metadata.items() if key not in _OWN_METADATA}
    output.metadata.update({"comment": note} | kept)
    output.set_chapters(_chapters(film, span))
    pictures = ((packet, video) for packet in _with_durations(_packets(segments)))
    others = (
        (packet, copies[packet.stream_index])
        for packet in _others(film, [film.streams[number] for number in copies], span)
    )
    for packet, stream in heapq.merge(pictures, others, key=lambda pair: _time(pair[0])):
        if span is not None:
            _shift(packet, span[0])
        packet.stream = stream
        output.mux_one(packet)


def _add_copies(film, output):
    """Adds a stream for each that is copied; returns a dict by the number of its original."""
    copies = {}
    for stream in film.streams:
        if stream.type in _COPIED:
            copy = output.add_stream_from_template(stream)
            copy.metadata.update(stream.metadata)
            copy.disposition = stream.disposition
            copies[stream.index] = copy
    return copies


def _packets(segments):
    for path in segments:
        with import_av().open(os.fspath(path)) as container:
            yield from (packet for packet in container.demux(video=0) if packet.pts is not None)


def _with_durations(packets):
    """Gives each packet the time until the next one; the last that of the one before it."""
    duration = None
    for packet, following in itertools.pairwise(itertools.chain(packets, [None])):
        if following is not None:
            duration = following.pts - packet.pts
        if duration is not None:
            packet.duration = duration
        yield packet


def _others(film, streams, span):
    """Yields the packets of a film's other streams that begin within a span."""
    packets = film.demux(streams) if streams else []
    for packet in packets:
        if packet.pts is None and packet.dts is None:
            # The last ones are empty.
            continue
        if span is None or span[0] <= _time(packet) < span[1]:
            yield packet


def _time(packet):
    return (packet.pts if packet.dts is None else packet.dts) * packet.time_base


def _shift(packet, seconds):
    offset = round(seconds / packet.time_base)
    if packet.dts is not None:
        packet.dts -= offset
    if packet.pts is not None:
        packet.pts -= offset


def _chapters(film, span):
    """The chapters of a film, cut to a span and counted from its start."""
    chapters = []
    for chapter in film.chapters():
        if span is not None:
            unit = chapter["time_base"]
            first, last = (round(second / unit) for second in span)
            if chapter["end"] <= first or chapter["start"] >= last:
                continue
            chapter = chapter | {
                "start": max(chapter["start"], first) - first,
                "end": min(chapter["end"], last) - first,
            }
        chapters.append(chapter)
    return chapters
