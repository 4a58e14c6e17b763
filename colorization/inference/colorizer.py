"""Photo in, color photo out, with an exported model and no training code."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from colorization.inference import graph, plan, sheets, tone
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
        self, picture: Picture, *, saturation: float = 1.0, mask: Picture | None = None
    ) -> np.ndarray:
        """Colors one photo: its size and its lightness stay, its colors, if any, are replaced.

        Args:
            picture: Path of a picture file, of which the first page is taken, or array of shape
                `(height, width)` or `(height, width, channels)`: uint8 or uint16 sRGB of 1 channel
                (gray), 3, or 4, of which the last is kept as transparency.
            saturation: What chroma is multiplied by, in `[0, 2]`; 0 gives gray.
            mask: Picture of any size, spread over the photo: color comes where it is white, gray
                stays where it is black.

        Returns:
            Array of the photo's type and size, of 3 channels, or 4 where the photo has
            transparency.

        Raises:
            PictureError: If a file cannot be read, an array is of another sort, an option is out of
                range, or memory does not suffice.
        """
        (colored,) = self.variants(picture, 1, saturation=saturation, mask=mask)
        return colored

    def variants(
        self,
        picture: Picture,
        count: int,
        *,
        seed: int = 0,
        saturation: float = 1.0,
        mask: Picture | None = None,
        onto: Picture | None = None,
    ) -> list[np.ndarray]:
        """Colors one photo in several ways.

        Args:
            picture: As for `colorize`.
            count: How many colorings are wanted, 1 to 25.
            seed: Equal seeds give equal colorings; at least 0.
            saturation: As for `colorize`.
            mask: As for `colorize`.
            onto: The same photo at another size, which is then what is returned in color: a small
                one gives previews of large photos, at little cost.

        Returns:
            List of up to `count` arrays, the likeliest first, which is what `colorize` returns;
            fewer where the model sees no other choice.

        Raises:
            PictureError: As for `colorize`, and if the model gives one coloring only.
        """
        photo, options = _as_photo(picture), self._options(count, seed, saturation, mask)
        shown = photo if onto is None else _as_photo(onto)
        colorings = list(self._colorings(photo.rgb, *options, onto=shown.rgb))
        if shown.alpha is None:
            return colorings
        return [np.concatenate([rgb, shown.alpha[..., None]], axis=-1) for rgb in colorings]

    def colorize_file(
        self,
        source: str | os.PathLike,
        destination: str | os.PathLike,
        *,
        overwrite: bool = False,
        num_variants: int = 1,
        variant: int | None = None,
        seed: int = 0,
        saturation: float = 1.0,
        mask: Picture | None = None,
        keep_colored: bool = False,
    ) -> list[pathlib.Path]:
        """Colors a file into a file: all pages, with metadata, transparency and depth kept.

        Args:
            source: Path of the photo.
            destination: Path to write, whose suffix says the format. Several variants go to
                `plan.variant_paths(destination, num_variants)`, and all of them, small, to
                `plan.sheet_path(destination)`.
            overwrite: Whether files that are there already are replaced.
            num_variants: 1 to 25.
            variant: Number of the one that is wanted of them, from 1, which goes to `destination`
                itself; default all.
            seed: As for `variants`.
            saturation: As for `colorize`.
            mask: As for `colorize`.
            keep_colored: Whether a photo that has colors already is left alone.

        Returns:
            Paths of the colorings, each whole: none if the photo was left alone, fewer than
            `num_variants` where the model sees no other choice.

        Raises:
            PictureError: As for `variants`, and if a file cannot be written.
        """
        options = self._options(num_variants, seed, saturation, mask, variant)
        pages, written = photo_files.read_photo(source), []
        for path, colored in self._files(pages, destination, options, keep_colored, variant):
            photo_files.write_photo(path, colored, overwrite=overwrite, note=self._note())
            written.append(path)
        # The last of several is their sheet.
        return written[:-1] or written

    def colorize_bytes(
        self,
        data: bytes,
        source: str,
        destination: str,
        *,
        num_variants: int = 1,
        seed: int = 0,
        saturation: float = 1.0,
        mask: Picture | None = None,
        keep_colored: bool = False,
    ) -> Iterator[tuple[str, list[bytes]]]:
        """Colors a file's bytes into the bytes of the files that `colorize_file` writes.

        Args:
            data: Bytes of the photo's file, whole.
            source: What errors call that file; nothing is read there.
            destination: As for `colorize_file`, or a URL; nothing is written there.
            num_variants: As for `colorize_file`.
            seed: As for `variants`.
            saturation: As for `colorize`.
            mask: As for `colorize`.
            keep_colored: As for `colorize_file`.

        Yields:
            Pairs of a path and the pieces of its file, in the order in which `colorize_file` writes
            them: none if the photo was left alone.

        Raises:
            PictureError: As for `colorize_file`, but for what has to do with storing.
        """
        options = self._options(num_variants, seed, saturation, mask)
        # Paths of this machine would make one slash of two.
        folder, slash, name = destination.rpartition("/")
        pages = photo_files.decode_photo(source, data)
        for path, colored in self._files(pages, name, options, keep_colored):
            path = f"{folder}{slash}{path}"
            yield path, photo_files.encode_photo(path, colored, self._note())

    def _files(self, pages, destination, options, keep_colored, only=None):
        """Yields paths with pages: of each coloring, and last of a sheet if there are several."""
        paths, small = plan.variant_paths(destination, 1 if only else options[0]), []
        colorings = self._colored_pages(pages, options, keep_colored, only)
        for path, colored in zip(paths, colorings, strict=False):
            yield path, colored
            small.append(sheets.shrink(colored[0].rgb))
        if len(small) > 1:
            yield plan.sheet_path(destination), [photo_files.Photo(sheets.sheet(small))]

    def _colored_pages(self, pages, options, keep_colored, only=None):
        """Yields a photo's pages in each coloring of `_colorings`, none if it is left alone."""
        if keep_colored and any(tone.has_colors(page.rgb) for page in pages):
            return
        # Strict is no use here: pages may have unlike numbers of variants.
        colorings = zip(
            *(self._colorings(page.rgb, *options, only=only) for page in pages), strict=False
        )
        for colored in colorings:
            yield [
                dataclasses.replace(page, rgb=rgb) for page, rgb in zip(pages, colored, strict=True)
            ]

    def _note(self):
        return photo_files.Note(str(self.description["name"]), str(self.description["version"]))

    def _options(self, count, seed, saturation, mask, variant=None):
        """Checks the options of a call, and reads the mask."""
        if not 1 <= count <= plan.MAX_VARIANTS:
            raise PictureError(
                f"1 to {plan.MAX_VARIANTS} variants can be asked for. Received: {count}."
            )
        if count > 1 and not self.description["gives_variants"]:
            raise PictureError(
                f"The model {self.description['name']} gives one coloring of a photo. Received: "
                f"{count} variants. Ask for one, or take another model."
            )
        if not 0 <= seed < 2**31:
            raise PictureError(f"A seed is a number from 0 to {2**31 - 1}. Received: {seed}.")
        if not 0 <= saturation <= 2:
            raise PictureError(f"Saturation is a number from 0 to 2. Received: {saturation}.")
        if mask is not None:
            rgb = _as_photo(mask).rgb
            mask = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY) / np.float32(np.iinfo(rgb.dtype).max)
        if variant is not None and not 1 <= variant <= count:
            raise PictureError(
                f"Of {count} variants one from 1 to {count} can be chosen. Received: {variant}."
            )
        return count, seed, np.float32(saturation), mask

    def _colorings(
        self, rgb, count, seed, saturation, mask, onto=None, only=None
    ) -> Iterator[np.ndarray]:
        """Yields a photo's colorings, likeliest first, or one; `onto` is what gets the colors."""
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
