"""Makes small films of many kinds."""

import fractions

import av
import numpy as np

RATE = 24


def gray_picture(number, height=48, width=64):
    """A soft gray pattern that moves a pixel a frame."""
    rows, columns = np.mgrid[:height, :width] - number
    levels = 128 + 60 * np.sin(rows / 5) + 50 * np.cos(columns / 7)
    return np.repeat(levels[..., None], 3, axis=-1).astype(np.uint8)


def make_film(path, pictures, *, kind="yuv420p", times=None, codec="libx264", sound=None, **more):
    """Writes a film.

    Args:
        path: To write.
        pictures: List of uint8 arrays of shape `(height, width, 3)`.
        kind: Pixel format.
        times: Time stamp of each picture in 1/600 s; default 24 a second.
        codec: Encoder.
        sound: Encoder of a tone that goes with it, None for silence.
        more: `rotation` in degrees; `aspect` of a pixel; `metadata`; `chapters`; `options` and
            attributes of the encoder.
    """
    rotation, chapters = more.pop("rotation", 0), more.pop("chapters", [])
    metadata, aspect = more.pop("metadata", {}), more.pop("aspect", None)
    times = times or [round(600 * number / RATE) for number in range(len(pictures))]
    with av.open(str(path), "w") as output:
        output.metadata.update(metadata)
        output.set_chapters(chapters)
        options = ({"crf": "4"} if codec == "libx264" else {}) | more.pop("options", {})
        stream = output.add_stream(codec, rate=RATE, options=options)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = kind
        stream.codec_context.time_base = stream.time_base = fractions.Fraction(1, 600)
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        for name, value in more.items():
            setattr(stream.codec_context, name, value)
        if rotation:
            stream.set_display_rotation(rotation)
        tone = output.add_stream(sound, rate=48_000) if sound else None
        if sound:
            tone.metadata["language"] = "fra"
        for picture, time in zip(pictures, times, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame = frame.reformat(format=kind, dst_colorspace="ITU601")
            frame.pts, frame.time_base = time, fractions.Fraction(1, 600)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if sound:
            seconds = (times[-1] + 25) / 600
            wave = np.sin(np.arange(int(48_000 * seconds)) / 20)[None] * 10_000
            frame = av.AudioFrame.from_ndarray(wave.astype(np.int16), format="s16", layout="mono")
            frame.rate, frame.pts = 48_000, 0
            output.mux(tone.encode(frame))
            output.mux(tone.encode(None))
    return path


def read(path):
    """The frames of a film as pairs of a time in seconds and a uint8 array, as decoded."""
    with av.open(str(path)) as film:
        return [(f.pts * f.time_base, f.to_ndarray(format="rgb24")) for f in film.decode(video=0)]


def packets(path, kind="audio"):
    """Packets of a kind of stream: pairs of time in seconds and bytes."""
    with av.open(str(path)) as film:
        streams = [stream for stream in film.streams if stream.type == kind]
        found = [p for p in film.demux(streams) if p.size]
        return [(p.pts * p.time_base, bytes(p)) for p in found]
