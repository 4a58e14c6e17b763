"""Video files as pictures: every N-th frame, without near-duplicates, kept as files.

A video is decoded once, from start to end, since seeking to a frame in the middle takes as long as
decoding all before it. The frames are then JPEG files in a folder of the user's cache, named by a
hash of the video, and are pictures like all others.
"""

import contextlib
import dataclasses
import glob
import hashlib
import logging
import os

import cv2
import numpy as np

from pipelines import console
from pipelines.errors import UserError
from pipelines.files import atomic_path, warn_of
from pipelines.sources import hashing, listings

EVERY = 10
# Bits in which the hashes of near-duplicates differ at most.
RADIUS = hashing.LARGEST_RADIUS
# Frames with more lines, or columns if upright, are reduced to so many.
SHORT_SIDE = 720
QUALITY = 95
MOST_DAMAGED = 0.1
# Containers say about how many frames they hold.
LEAST_FOUND = 0.9
_DAMAGE = "damage.txt"
# Goes into the names of folders; to be raised with any change of what frames are taken.
_VERSION = 1


class VideoError(UserError):
    """A file of which no frame can be read."""


def open_videos(specification, rest):
    """Opens `video:GLOB[:EVERY]`, every tenth frame unless given; `**` stands for any folders.

    Frames come in the order of the videos' paths; the listing does not change with the place of the
    cache. Raises `UserError` if no file matches, more than 10 % of them are damaged, or the cache
    can't be written.
    """
    pattern, _, every = rest.rpartition(":")
    if not pattern or not every.lstrip("-").isdecimal():
        pattern, every = rest, EVERY
    if int(every) < 1:
        raise UserError(
            f"video:GLOB:EVERY takes every EVERY-th frame, 1 or more. Received: {specification}."
        )
    paths = sorted(path for path in glob.glob(pattern, recursive=True) if os.path.isfile(path))
    if not paths:
        raise UserError(
            f"{specification} names no file. Expected the path of a video, or a pattern such as "
            "'videos/*.mp4', in quotes. Check the path."
        )
    folders, damaged = [], []
    for path in paths:
        try:
            folders.append(extract(path, int(every), cache_folder()))
        except VideoError:
            damaged.append(path)
    if len(damaged) > MOST_DAMAGED * len(paths):
        raise UserError(
            f"{specification}: no frame can be read of {len(damaged)} of {len(paths)} files, more "
            f"than {MOST_DAMAGED:.0%}; the first is {damaged[0]}. Expected videos of a kind that "
            "FFmpeg knows. Remove or convert the others."
        )
    warn_of(damaged, specification, len(paths), "files have no readable frame and are skipped")
    return _from_folders(specification, list(dict.fromkeys(folders)))


def _from_folders(specification, folders):
    frames = []
    for folder in folders:
        names = sorted(os.listdir(folder))
        if _DAMAGE in names:
            names.remove(_DAMAGE)
            with open(os.path.join(folder, _DAMAGE), errors="surrogateescape") as file:
                logging.warning("%s", file.read())
        frames += [os.path.join(folder, name) for name in names]
    source = listings.from_files(specification, frames)
    places = (os.path.join(*path.split(os.sep)[-2:]) for path in frames)
    sizes = (os.path.getsize(path) for path in frames)
    listing = listings.digest(f"{p} {size}" for p, size in zip(places, sizes, strict=True))
    return dataclasses.replace(source, listing=listing)


def cache_folder():
    """Folder of the frames of all videos, under XDG_CACHE_HOME or else `~/.cache`."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(cache, "colorization", "frames")


def extract(path, every, cache):
    """Writes the distinct frames of a video into a folder, unless that was done before.

    Returns the path of the folder, within `cache`: frames as JPEG files named by their number in
    the video, and a note if the video ends early. It appears whole or not at all. Raises
    `VideoError` if no frame can be read, `UserError` if the folder can't be written.
    """
    stem = os.path.splitext(os.path.basename(path))[0][:80]
    folder = os.path.join(cache, f"{stem}-{_fingerprint(path, every)}")
    if os.path.isdir(folder):
        return folder
    try:
        os.makedirs(cache, exist_ok=True)
        # Another run may be quicker.
        with contextlib.suppress(FileExistsError), atomic_path(folder) as part:
            os.mkdir(part)
            for number, frame in distinct_frames(path, every, lambda note: _note(part, note)):
                with open(os.path.join(part, f"{number:08d}.jpg"), "wb") as file:
                    file.write(encode_frame(frame))
    except OSError as error:
        raise UserError(
            f"Frames of {path} can't be kept in {cache}: {error.strerror}. Make room, or set "
            "XDG_CACHE_HOME to another folder."
        ) from error
    return folder


def _note(folder, text):
    with open(os.path.join(folder, _DAMAGE), "w", errors="surrogateescape") as file:
        file.write(text)


def _fingerprint(path, every):
    # Both ends of a large file suffice; no times, so that a copy is the same video.
    size, end = os.path.getsize(path), 1 << 20
    digest = hashlib.sha256(f"{_VERSION} {every} {size} ".encode())
    with open(path, "rb") as file:
        digest.update(file.read(end))
        file.seek(max(0, size - end))
        digest.update(file.read())
    return digest.hexdigest()[:16]


def distinct_frames(path, every, on_damage=logging.warning):
    """Yields every N-th frame of a video that does not look like one before it.

    They are pairs `(number, frame)`: the frame's number in the video, from 0, and uint8 sRGB of
    shape `(height, width, 3)`, upright, its short side at most 720. `on_damage` is called with a
    text if the video ends long before it says it does. Raises `VideoError` if no frame can be read.
    """
    hashes, number = [], -1
    with _quiet_capture(path) as capture:
        claimed = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
        with console.progress(os.path.basename(path), max(claimed, 0), "frame") as bar:
            while capture.grab():
                number += 1
                bar.update()
                if number % every:
                    continue
                is_whole, frame = capture.retrieve()
                if not is_whole:
                    continue
                gray = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
                small = cv2.resize(gray, (hashing.SIZE,) * 2, interpolation=cv2.INTER_AREA)
                (new,) = hashing.perceptual_hashes(small[None])
                if hashes and np.bitwise_count(np.array(hashes) ^ new).min() <= RADIUS:
                    continue
                hashes.append(new)
                yield number, _reduce(frame)[..., ::-1]
    if not hashes:
        raise VideoError(
            f"{path}: no frame can be read. Expected a whole video of a kind that FFmpeg knows. "
            "Remove or convert it."
        )
    if number + 1 < LEAST_FOUND * claimed:
        on_damage(
            f"{path}: damaged: {number + 1} of {claimed} frames can be read, and they are used. "
            "Replace the file to use all."
        )


def encode_frame(frame):
    """Encodes a uint8 sRGB frame as JPEG bytes, its chroma as fine as its lightness."""
    options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return cv2.imencode(".jpg", frame[..., ::-1], options)[1].tobytes()


@contextlib.contextmanager
def _quiet_capture(path):
    # FFmpeg and OpenCV write pages about a damaged file; the project writes a line.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    capture = cv2.VideoCapture()
    try:
        # Absolute: FFmpeg takes what is before a colon for a protocol.
        with contextlib.suppress(cv2.error, UnicodeError):
            capture.open(os.path.abspath(path), cv2.CAP_FFMPEG)
        yield capture
    finally:
        capture.release()
        cv2.utils.logging.setLogLevel(level)


def _reduce(frame):
    short = min(frame.shape[:2])
    if short <= SHORT_SIDE:
        return frame
    size = [round(length * SHORT_SIDE / short) for length in frame.shape[1::-1]]
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
