"""Photo in, color photo out, with an exported model and no training code."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import typing
from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from colorization.inference import graph, plan, sheets
from colorization.inference.options import OptionError, Options
from pipelines.color.gray import has_colors
from pipelines.errors import UserError
from pipelines.photos import photo_files
from pipelines.photos.photo_files import PictureError

RELEASED_MODEL = pathlib.Path(__file__).resolve().parents[2] / "saved_models" / "chroma"
DESCRIPTION = os.path.join("assets.extra", "colorization.json")
_DESCRIBED = {"name", "version", "gives_variants"}

Picture = str | os.PathLike | npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


class ModelError(UserError):
    """A model that cannot be used; the message is one line."""


class Colorizer:
    """Colors photos with an exported model. Threads may share it.

    Args:
        model: Folder of an exported model, or the folder that holds its numbered versions, of which
            the highest is taken; default the released model. Its code is its graph: load only
            models whose source you trust.

    Attributes:
        description: Dict of what the exporter wrote about the model: its name, version, codec and
            recipe.

    Raises:
        ModelError: If there is no such model, it is damaged, or another program made it.
    """

    description: dict

    def __init__(self, model: str | os.PathLike | None = None):
        folder = _find_version(model)
        self.description = _read_description(folder)
        try:
            self._graph = _Traced(tf.saved_model.load(str(folder)))
        except (OSError, ValueError, LookupError, RuntimeError, tf.errors.OpError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise ModelError(
                f"{folder}: the model is damaged or incomplete ({reason}). Copy or export it again."
            ) from error

    def colorize(
        self, picture: Picture, options: Options | None = None, **knobs: typing.Any
    ) -> np.ndarray:
        """Colors one photo: its size and its lightness stay, its colors, if any, are replaced.

        Args:
            picture: Path of a picture file, of which the first page is taken, or array of shape
                `(height, width)` or `(height, width, channels)`: uint8 or uint16 sRGB of 1 channel
                (gray), 3, or 4, of which the last is kept as transparency.
            options: `Options`; default its defaults.
            knobs: Fields of `Options` that are set in place of those, such as `saturation=0.8`.

        Returns:
            Array of the photo's type and size, of 3 channels, or 4 where the photo has
            transparency.

        Raises:
            PictureError: If a file cannot be read, an array is of another sort, or memory does not
                suffice.
            OptionError: If an option is out of range, or the model cannot do it.
        """
        options = _settled(options, knobs)
        if options.variant is None:
            options = dataclasses.replace(options, num_variants=1)
        (colored,) = self.variants(picture, options.num_variants, options)
        return colored

    def variants(
        self,
        picture: Picture,
        count: int,
        options: Options | None = None,
        *,
        onto: Picture | None = None,
        **knobs: typing.Any,
    ) -> list[np.ndarray]:
        """Colors one photo in several ways.

        Args:
            picture: As for `colorize`.
            count: How many colorings are wanted, in place of `num_variants`.
            options: As for `colorize`.
            onto: The same photo at another size, which is then what is returned in color: a small
                one gives previews of large photos, at little cost.
            knobs: As for `colorize`.

        Returns:
            List of up to `count` arrays, the likeliest first, which is what `colorize` returns;
            fewer where the model sees no other choice.

        Raises:
            PictureError: As for `colorize`.
            OptionError: As for `colorize`.
        """
        options = _settled(options, {"num_variants": count} | knobs)
        photo = _as_photo(picture)
        self.check(options)
        shown = photo if onto is None else _as_photo(onto)
        colorings = list(self._colorings(photo.rgb, options, _mask(options), onto=shown.rgb))
        if shown.alpha is None:
            return colorings
        return [np.concatenate([rgb, shown.alpha[..., None]], axis=-1) for rgb in colorings]

    def colorize_file(
        self,
        source: str | os.PathLike,
        destination: str | os.PathLike,
        options: Options | None = None,
        *,
        overwrite: bool = False,
        **knobs: typing.Any,
    ) -> list[pathlib.Path]:
        """Colors a file into a file: all pages, with metadata, transparency and depth kept.

        Args:
            source: Path of the photo.
            destination: Path to write, whose suffix says the format. Several variants go to
                `plan.variant_paths(destination, num_variants)`, and all of them, small, to
                `plan.sheet_path(destination)`. A `variant` that was chosen goes to `destination`
                itself.
            options: As for `colorize`.
            overwrite: Whether files that are there already are replaced.
            knobs: As for `colorize`.

        Returns:
            Paths of the colorings, each whole: none if the photo was left alone, fewer than
            `num_variants` where the model sees no other choice.

        Raises:
            PictureError: As for `colorize`, and if a file cannot be written.
            OptionError: As for `colorize`.
        """
        options = _settled(options, knobs)
        self.check(options)
        pages, written = photo_files.read_photo(source), []
        for path, colored in self._files(pages, destination, options):
            photo_files.write_photo(path, colored, overwrite=overwrite, note=self._note())
            written.append(path)
        # The last of several is their sheet.
        return written[:-1] or written

    def colorize_bytes(
        self,
        data: bytes,
        source: str,
        destination: str,
        options: Options | None = None,
        **knobs: typing.Any,
    ) -> Iterator[tuple[str, list[bytes]]]:
        """Colors a file's bytes into the bytes of the files that `colorize_file` writes.

        Args:
            data: Bytes of the photo's file, whole.
            source: What errors call that file; nothing is read there.
            destination: As for `colorize_file`, or a URL; nothing is written there.
            options: As for `colorize`.
            knobs: As for `colorize`.

        Yields:
            Pairs of a path and the pieces of its file, in the order in which `colorize_file` writes
            them: none if the photo was left alone.

        Raises:
            PictureError: As for `colorize_file`, but for what has to do with storing.
            OptionError: As for `colorize`.
        """
        options = _settled(options, knobs)
        self.check(options)
        # Paths of this machine would make one slash of two.
        folder, slash, name = destination.rpartition("/")
        pages = photo_files.decode_photo(source, data)
        for path, colored in self._files(pages, name, options):
            path = f"{folder}{slash}{path}"
            yield path, photo_files.encode_photo(path, colored, self._note())

    def check(self, options: Options):
        """Checks that this model can do what options ask for.

        Raises:
            OptionError: If it gives one coloring of a photo, and several are asked for.
        """
        if options.num_variants > 1 and not self.description["gives_variants"]:
            raise OptionError(
                f"The model {self.description['name']} gives one coloring of a photo. Received: "
                f"num_variants={options.num_variants}. Set num_variants=1, or take another model."
            )

    def _files(self, pages, destination, options):
        """Yields paths with pages: of each coloring, and last of a sheet if there are several."""
        count = 1 if options.variant else options.num_variants
        paths, small = plan.variant_paths(destination, count), []
        for path, colored in zip(paths, self._colored_pages(pages, options), strict=False):
            yield path, colored
            small.append(sheets.shrink(colored[0].rgb))
        if len(small) > 1:
            yield plan.sheet_path(destination), [photo_files.Photo(sheets.sheet(small))]

    def _colored_pages(self, pages, options):
        """Yields a photo's pages in each coloring of `_colorings`, none if it is left alone."""
        if options.keep_colored and any(has_colors(page.rgb) for page in pages):
            return
        mask = _mask(options)
        # Strict is no use here: pages may have unlike numbers of variants.
        colorings = zip(*(self._colorings(page.rgb, options, mask) for page in pages), strict=False)
        for colored in colorings:
            yield [
                dataclasses.replace(page, rgb=rgb) for page, rgb in zip(pages, colored, strict=True)
            ]

    def _note(self):
        return photo_files.Note(str(self.description["name"]), str(self.description["version"]))

    def _colorings(self, rgb, options, mask, onto=None) -> Iterator[np.ndarray]:
        """Yields a photo's colorings, likeliest first, or one; `onto` is what gets the colors."""
        count, seed, only = options.num_variants, options.seed, options.variant
        saturation = np.float32(options.saturation)
        shown = rgb if onto is None else onto
        height, width = shown.shape[:2]
        step = graph.strip_rows(1, width)
        amount = np.full((1, 1, 1, 1), saturation)
        if mask is not None:
            mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR)
        try:
            if count == 1:
                predicted = self._graph.predict(rgb[None])
            else:
                predicted = self._graph.variants(rgb[None], tf.constant(seed), tf.constant(count))
            for coefficients in predicted if only is None else predicted[only - 1 : only]:
                colored = np.empty_like(shown)
                for top in range(0, height, step):
                    strip = slice(top, top + step)
                    if mask is not None:
                        amount = mask[None, strip, :, None] * saturation
                    colored[strip] = self._graph.apply(
                        shown[None, strip],
                        coefficients[None],
                        tf.constant(top),
                        tf.constant(height),
                        tf.constant(amount),
                    )[0]
                yield colored
        except tf.errors.ResourceExhaustedError as error:
            raise PictureError(
                f"A photo of {rgb.shape[1]} x {rgb.shape[0]} pixels does not fit into memory. "
                "Make it smaller."
            ) from error


class _Traced:
    """The functions of a loaded graph, as they were traced: for photos of every size.

    Called by their own names, they would be traced again for each size that comes: a second each,
    and 10 MB that are never given back.

    Args:
        graph: What `tf.saved_model.load` returned. It is kept: its functions do not hold it.

    Raises:
        LookupError: If it lacks one.
    """

    def __init__(self, graph):
        self._graph = graph
        self.predict, self.apply = _by_depth(graph, "predict"), _by_depth(graph, "apply")
        if hasattr(graph, "variants"):
            self.variants = _by_depth(graph, "variants")


def _by_depth(graph, name):
    if not hasattr(graph, name):
        raise LookupError(f"it has no function {name}")
    traced = getattr(graph, name).concrete_functions
    known = {function.structured_input_signature[0][0].dtype: function for function in traced}

    def call(images, *arguments):
        images = tf.convert_to_tensor(images)
        return known[images.dtype](images, *arguments)

    return call


def _find_version(model):
    if model is None:
        if not RELEASED_MODEL.is_dir():
            raise ModelError(
                f"The released model was expected in {RELEASED_MODEL}, which is missing. "
                "Name another with --model=FOLDER."
            )
        model = RELEASED_MODEL
    folder = pathlib.Path(model)
    if not folder.is_dir():
        what = "a file" if folder.exists() else "no such folder"
        raise ModelError(
            f"{folder}: the folder of an exported model was expected. Received: {what}. "
            "Check --model."
        )
    versions = [path for path in folder.iterdir() if path.name.isdecimal() and path.is_dir()]
    if (folder / "saved_model.pb").exists() or not versions:
        return folder
    return max(versions, key=lambda path: int(path.name))


def _read_description(folder):
    """What the exporter wrote; read before the model, so that no stranger's graph is loaded."""
    try:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(
            f"{folder}: a model that colorization.export wrote was expected. Received a folder "
            f"without {DESCRIPTION}. Check --model."
        ) from None
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{folder / DESCRIPTION}: cannot be read ({error}). Copy or export the model again."
        ) from error
    # What an earlier program wrote has other calls, and TensorFlow, called in a way that a graph
    # does not know, keeps a lock: the next thread would wait for ever.
    if not isinstance(description, dict) or not _DESCRIBED <= description.keys():
        raise ModelError(
            f"{folder / DESCRIPTION}: expected a JSON object with {', '.join(sorted(_DESCRIBED))}. "
            "Received another, perhaps of an earlier program. Export the model again."
        )
    return description


def _settled(options, knobs):
    return dataclasses.replace(options or Options(), **knobs)


def _mask(options):
    """The mask of options as float levels in `[0, 1]`, or None."""
    if options.mask is None:
        return None
    rgb = _as_photo(options.mask).rgb
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY) / np.float32(np.iinfo(rgb.dtype).max)


def _as_photo(picture):
    if isinstance(picture, (str, os.PathLike)):
        return photo_files.read_photo(picture)[0]
    pixels = np.asarray(picture)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    known = pixels.dtype in (np.uint8, np.uint16)
    if not known or pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or pixels.size == 0:
        raise PictureError(
            "A picture is a path, or a uint8 or uint16 array of shape (height, width) or (height, "
            "width, 1, 3 or 4) with at least one pixel. Received: "
            f"{type(picture).__name__}, dtype={pixels.dtype}, shape={np.shape(picture)}."
        )
    alpha = pixels[..., 3] if pixels.shape[2] == 4 else None
    rgb = np.repeat(pixels, 3, axis=-1) if pixels.shape[2] == 1 else pixels[..., :3]
    return photo_files.Photo(np.ascontiguousarray(rgb), alpha, photo_files.Metadata())
