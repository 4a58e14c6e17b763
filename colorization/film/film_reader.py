"""Reads films: frames upright, with their time stamps, in 8 or 16 bits of sRGB.

FFmpeg's scaler converts between the levels of films and sRGB.
"""

import dataclasses
import fractions
import functools
import itertools
import os
import typing

import numpy as np

from colorization.film import FilmError, import_av

# Numbers of ITU-T H.273, and what FFmpeg's scaler calls these matrices.
_MATRICES = {1: "ITU709", 4: "FCC", 5: "ITU601", 6: "ITU601", 7: "SMPTE240M", 9: "BT2020"}
_LIMITED_RANGE, _FULL_RANGE = 1, 2
_KINDS = {np.dtype(np.uint8): "rgb24", np.dtype(np.uint16): "rgb48le"}
_HDR = {16: "PQ", 18: "HLG"}
# Frames that are looked at to tell whether a film is interlaced.
_FIRST = 10
# Containers tell about how long they are.
_LEAST_READ = 0.95


@dataclasses.dataclass(frozen=True)
class Frame:
    """A decoded frame.

    Attributes:
        time: Time stamp, in units of the film's `time_base`, larger than that of the one before.
        picture: `av.VideoFrame`, as decoded.
    """

    time: int
    picture: typing.Any


class Film:
    """A film on disk.

    Args:
        path: Of a file of any kind that FFmpeg reads.

    Attributes:
        height: Rows of a frame as it is shown, upright.
        width: Columns.
        pixel_aspect: Width of a pixel over its height, as a `Fraction`.
        dtype: `np.uint8`, or `np.uint16` for more than 8 bits.
        rate: Frames per second, as a `Fraction`, about.
        duration: Seconds, about; 0 if the file does not tell.
        time_base: Unit of time stamps in seconds, as a `Fraction`.
        first: Time stamp of the first frame.
        is_interlaced: Whether frames hold two fields; they are then deinterlaced.
        tags: `ColorTags`.
        damage: What was wrong with the file when it was last read to the end, a line, or empty.

    Raises:
        FilmError: If the file can't be read, or holds no picture that can be colored.
    """

    def __init__(self, path):
        self.path = os.fspath(path)
        self.damage = ""
        with self._open() as container:
            stream = self._stream(container)
            decoded = itertools.islice(self._decode(container, stream), _FIRST)
            frames = list(decoded)
            if not frames:
                raise FilmError(
                    f"{self.path}: no frame can be decoded. Expected a whole film of a kind that "
                    "FFmpeg reads. Copy or convert it again."
                )
            first = frames[0]
            self.rate = stream.average_rate or stream.guessed_rate or fractions.Fraction(25)
            self.time_base = stream.time_base
            self.duration = self._told_duration(container, stream)
            self.first = 0 if first.pts is None else first.pts
            aspect = stream.sample_aspect_ratio or fractions.Fraction(1)
        self.is_interlaced = any(frame.interlaced_frame for frame in frames)
        # Decoders give the turn that brings a frame upright, counterclockwise.
        self._turns = round(first.rotation / 90) % 4
        size = first.width, first.height
        sideways = self._turns % 2 == 1
        self.width, self.height = size[::-1] if sideways else size
        self.pixel_aspect = 1 / aspect if sideways and aspect else aspect or fractions.Fraction(1)
        self.dtype = np.uint16 if first.format.components[0].bits > 8 else np.uint8
        if first.color_trc in _HDR:
            raise FilmError(
                f"{self.path}: expected a film of standard range. Received: {_HDR[first.color_trc]}"
                ", of high dynamic range. Convert it to BT.709."
            )
        self.tags = read_tags(first)

    def frames(self):
        """Yields every `Frame`, in order, and fills `damage` at the end.

        Raises `FilmError` if the file can't be opened any more.
        """
        damaged, last = [], None
        step = max(1, round(1 / (self.rate * self.time_base)))
        with self._open() as container:
            stream = self._stream(container)
            stream.thread_type = "AUTO"
            pictures = self._decode(container, stream, damaged.append)
            if self.is_interlaced:
                pictures = _deinterlaced(pictures, stream)
            for picture in pictures:
                time = picture.pts
                # Old containers have frames without time stamps, or with the same twice.
                if time is None or (last is not None and time <= last):
                    time = self.first if last is None else last + step
                last = time
                yield Frame(time, picture)
        seconds = 0 if last is None else (last + step - self.first) * self.time_base
        self.damage = ""
        if damaged or seconds < _LEAST_READ * self.duration - 1:
            self.damage = (
                f"{self.path}: damaged: {float(seconds):.1f} of {float(self.duration):.1f} "
                f"seconds can be read, {len(damaged)} packets can't. What can be read is colored."
            )

    def key_frames(self, count, span=None):
        """Yields `count` key frames, or all if they are fewer, at even distances.

        `span` is a pair of seconds between which they lie; default the whole film.
        """
        av = import_av()
        start, end = span or (fractions.Fraction(0), self.duration)
        last = None
        with self._open() as container:
            stream = self._stream(container)
            stream.codec_context.skip_frame = "NONKEY"
            for number in range(count):
                second = start + (end - start) * (2 * number + 1) / (2 * count)
                try:
                    container.seek(self.first + round(second / self.time_base), stream=stream)
                except av.FFmpegError:
                    # A film that can't be searched still gives its first key frame.
                    if last is not None:
                        return
                picture = next(self._decode(container, stream), None)
                if picture is not None and picture.pts is not None and picture.pts != last:
                    last = picture.pts
                    yield Frame(last, picture)

    def seconds(self, frame):
        """Time of a frame since the film's start, in seconds, as a `Fraction`."""
        return (frame.time - self.first) * self.time_base

    def rgb(self, frame):
        """The frame's pixels, upright, as an array of `dtype` and shape `(height, width, 3)`."""
        return self.small(frame, self.height, self.width)

    def small(self, frame, height, width):
        """The same at a smaller size, averaged as photos are."""
        size = (height, width) if self._turns % 2 else (width, height)
        pixels = to_rgb(frame.picture, *size, self.dtype, self.tags)
        return np.ascontiguousarray(np.rot90(pixels, self._turns))

    def _open(self):
        av = import_av()
        try:
            # Absolute: FFmpeg takes what is before a colon for a protocol.
            return av.open(os.path.abspath(self.path), metadata_errors="replace")
        except FileNotFoundError as error:
            raise FilmError(f"{self.path}: expected a film. Received: no such file.") from error
        except (av.FFmpegError, OSError) as error:
            raise FilmError(
                f"{self.path}: can't be read as a film ({error.strerror or error}). Expected a "
                "whole file of a kind that FFmpeg reads. Copy or convert it again."
            ) from error

    def _stream(self, container):
        av = import_av()
        for stream in container.streams.video:
            # Covers are pictures, too.
            if not stream.disposition & av.stream.Disposition.attached_pic:
                if stream.codec_context is not None:
                    return stream
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise FilmError(f"{self.path}: expected a film with pictures. Received: {kinds} only.")

    def _decode(self, container, stream, on_damage=lambda error: None):
        av = import_av()
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                yield from packet.decode()
            except av.FFmpegError as error:
                on_damage(error)
                if packet is None:
                    return

    def _told_duration(self, container, stream):
        if stream.duration:
            return stream.duration * stream.time_base
        return fractions.Fraction(container.duration or 0, 1_000_000)


def _deinterlaced(pictures, stream):
    """Makes one picture of the two fields of each."""
    av = import_av()
    graph = av.filter.Graph()
    nodes = [
        graph.add_buffer(template=stream),
        graph.add("bwdif", "mode=send_frame:deint=interlaced"),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*nodes).configure()
    for picture in itertools.chain(pictures, [None]):
        graph.push(picture)
        while True:
            try:
                yield graph.pull()
            except (av.BlockingIOError, av.EOFError):
                break


@dataclasses.dataclass(frozen=True)
class ColorTags:
    """How levels stand for colors, as numbers of ITU-T H.273.

    Attributes:
        matrix: Of luma and chroma.
        primaries: Of the color space.
        curve: Transfer characteristics.
        range: 1 for levels of 16 to 235, 2 for 0 to 255.
    """

    matrix: int
    primaries: int
    curve: int
    range: int


def read_tags(picture):
    """Reads the `ColorTags` of a decoded `av.VideoFrame`."""
    # What a film does not tell goes by size, as players take it.
    guess = 1 if picture.width >= 1280 or picture.height >= 720 else 6
    matrix = int(picture.colorspace)
    is_full = picture.color_range == _FULL_RANGE or picture.format.name.startswith("yuvj")
    return ColorTags(
        matrix=matrix if matrix in _MATRICES else guess,
        primaries=int(picture.color_primaries),
        curve=int(picture.color_trc),
        range=_FULL_RANGE if is_full else _LIMITED_RANGE,
    )


def to_rgb(picture, width, height, dtype, tags):
    """Converts a decoded frame, `av.VideoFrame`, to sRGB of shape `(height, width, 3)`.

    The type is `np.uint8` or `np.uint16`. A smaller result is as sharp as what the network
    sees of photos.
    """
    converted = picture.reformat(
        width,
        height,
        _KINDS[np.dtype(dtype)],
        src_colorspace=_MATRICES[tags.matrix],
        src_color_range=tags.range,
        dst_color_range=_FULL_RANGE,
        interpolation=_accurate("LANCZOS" if width < picture.width else "BICUBIC"),
        threads=1,
    )
    return converted.to_ndarray()


def to_yuv(rgb, kind, tags):
    """Converts sRGB to a frame of FFmpeg's pixel format `kind`, such as `yuv420p`."""
    picture = import_av().VideoFrame.from_ndarray(rgb, format=_KINDS[rgb.dtype])
    converted = picture.reformat(
        format=kind,
        src_color_range=_FULL_RANGE,
        dst_colorspace=_MATRICES[tags.matrix],
        dst_color_range=tags.range,
        interpolation=_accurate("BICUBIC"),
        threads=1,
    )
    converted.colorspace, converted.color_range = tags.matrix, tags.range
    return converted


@functools.cache
def _accurate(name):
    from av.video.reformatter import Interpolation

    return Interpolation[name] | Interpolation.ACCURATE_RND
