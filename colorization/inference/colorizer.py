"""Photo in, color photo out, with an exported model and no training code."""

from __future__ import annotations

import dataclasses
import logging
import os
import pathlib
import threading
import typing
from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from colorization.inference import (
    color_hints,
    drawing,
    full_size,
    hint_reach,
    model_folder,
    plan,
    sight,
)
from colorization.inference.color_hints import HintError
from colorization.inference.options import OptionError, Options
from colorization.inference.reference import Reference
from colorization.pages import sheet, shrink
from pipelines.color.gray import has_colors, is_bilevel
from pipelines.photos import photo_files
from pipelines.photos.photo import Note
from pipelines.photos.photo_files import PictureError, as_photo

_LOGGER = logging.getLogger(__name__)
Picture = str | os.PathLike | npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


class Colorizer:
    """Colors photos with an exported model. Threads may share it.

    Args:
        model: Folder of an exported model, or the folder that holds its numbered versions, of which
            the highest is taken; default the released model. With `server`, the model's name there.
        engine: What runs the network: one of `model_folder.ENGINES`, or an engine itself. `"auto"`
            takes LiteRT, which starts ten times as fast, where the model has a file for it, and
            TensorFlow for what LiteRT cannot do: several variants of a network that makes them from
            noise.
        server: Address of a TF Serving that runs the network, such as `grpc://host:8500`; default
            none. Photos stay here: only small pictures of their lightness are sent.

    Attributes:
        description: Dict of what the exporter wrote about the model: its name, version, codec and
            recipe.

    Raises:
        ModelError: If there is no such model, it is damaged, or another program made it; or if the
            server is not there, or has no such model.
    """

    description: dict

    def __init__(
        self,
        model: str | os.PathLike | None = None,
        *,
        engine: typing.Any = "auto",
        server: str | None = None,
    ):
        self._folder, self._many, self._lock = None, None, threading.Lock()
        if server is not None:
            from colorization.inference.engines.remote import RemoteEngine

            engine = RemoteEngine(server, model)
        elif isinstance(engine, str):
            folder = model_folder.find(model)
            description = model_folder.read_description(folder)
            if engine == "auto":
                self._folder = folder
            engine = model_folder.open_engine(folder, description, engine)
        self._engine = engine
        self.description = engine.description

    @property
    def engine(self):
        """What runs the network for one coloring; see `model_folder`."""
        return self._engine

    def colorize(
        self, picture: Picture, options: Options | None = None, **knobs: typing.Any
    ) -> np.ndarray:
        """Colors one photo: its size and its lightness stay, its colors, if any, are replaced.

        Args:
            picture: Path of a picture file, of which the first page is taken; `PIL.Image.Image`,
                which is turned upright; or array of shape `(height, width)` or `(height, width,
                channels)`: uint8 or uint16 sRGB of 1 channel (gray), 3, or 4, of which the last is
                kept as transparency.
            options: `Options`; default its defaults.
            knobs: Fields of `Options` that are set in place of those, such as `saturation=0.8` or
                `hints=[Hint(310, 220, "#3a5f0b")]`.

        Returns:
            Array of the photo's type and size, of 3 channels, or 4 where the photo has
            transparency.

        Raises:
            PictureError: If a file cannot be read, an array is of another sort, or memory does not
                suffice.
            OptionError: If an option is out of range, or the model cannot do it.
            HintError: If hints don't suit the photo, or the model takes none.
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
        """Colors one photo in several ways. Other arguments and errors are those of `colorize`.

        `count` colorings are wanted, in place of `num_variants`. `onto` is the same photo at
        another size, which is then what is returned in color: a small one gives previews of large
        photos, at little cost.

        Returns a list of up to `count` arrays, the likeliest first, which is what `colorize`
        returns; fewer where the model sees no other choice.
        """
        options = self._ready(options, {"num_variants": count} | knobs, picture)
        photo = as_photo(picture)
        shown = photo if onto is None else as_photo(onto)
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
            knobs: As for `colorize`.
            overwrite: Whether files that are there already are replaced.

        Returns:
            Paths of the colorings, each whole: none if the photo was left alone, fewer than
            `num_variants` where the model sees no other choice.

        Raises:
            PictureError: If a file cannot be read or written; other errors are those of `colorize`.
        """
        options = self._ready(options, knobs, source)
        pages, written = photo_files.read_photo(source, options.salvage), []
        _warn_of_bilevel(source, pages)
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
            PictureError: If the bytes cannot be read; other errors are those of `colorize`.
        """
        options = self._ready(options, knobs)
        # Paths of this machine would make one slash of two.
        folder, slash, name = destination.rpartition("/")
        pages = photo_files.decode_photo(source, data, options.salvage)
        _warn_of_bilevel(source, pages)
        for path, colored in self._files(pages, name, options):
            path = f"{folder}{slash}{path}"
            yield path, photo_files.encode_photo(path, colored, self._note())

    def suggest(
        self,
        picture: Picture,
        x: float,
        y: float,
        options: Options | None = None,
        **knobs: typing.Any,
    ) -> list[drawing.Suggestion]:
        """Tells which colors the model itself thinks likely at a place of a photo.

        Args:
            picture: As for `colorize`.
            x: Column in the photo's own pixels; 0 is the left edge.
            y: Row, from the top.
            options: As for `colorize`. Of them only hints matter.
            knobs: As for `colorize`.

        Returns:
            List of `drawing.Suggestion`, the likeliest first: a color, of a lightness at which
            it can be told from others, and the share of the model's belief that it stands for.

        Raises:
            OptionError: If the model can't tell.
            HintError: As `colorize`, and if the place lies outside the photo or on its margin.
        """
        options = self._ready(options, knobs, picture)
        if not self.description.get("gives_suggestions"):
            raise OptionError(
                f"The model {self.description['name']} suggests no colors: it was exported without "
                "its beliefs, or has none. Export it again, or take another model."
            )
        rgb = as_photo(picture).rgb
        boxes = self._prints(rgb, options)
        box = color_hints.find_print(x, y, rgb.shape[:2], boxes)
        part = sight.within(box, rgb.shape[:2])
        rows, columns = part
        place = [
            min(max((at + 0.5 - side.start) / (side.stop - side.start), 0.0), 1.0)
            for at, side in ((y, rows), (x, columns))
        ]
        lightness, *hints = self._seen(rgb, box, options)
        engine = self._engine if self._engine.gives_suggestions else self._saved_model()
        found = engine.suggest(lightness, place, hint_reach.told(*hints))
        return drawing.suggestions(*found, drawing.level_at(lightness, place))

    def check(self, options: Options):
        """Checks that this model, and what runs it, can do what options ask for.

        Raises:
            OptionError: If it gives one coloring of a photo, and several are asked for.
            HintError: If it takes no hints, and some are given, or a reference is.
        """
        told = "hints" if options.hints else "reference" if options.reference is not None else None
        if told and not self.description.get("takes_hints"):
            raise HintError(
                f"The model {self.description['name']} takes no {told}: it was trained without "
                f"hints. Leave {told} out, or take a model of the codec hinted_ab."
            )
        if options.num_variants == 1:
            return
        if not self.description["gives_variants"]:
            raise OptionError(
                f"The model {self.description['name']} gives one coloring of a photo. Received: "
                f"num_variants={options.num_variants}. Set num_variants=1, or take another model."
            )
        if not self._engine.gives_variants and self._folder is None:
            raise OptionError(
                "LiteRT gives one coloring of a photo by this model. Received: "
                f"num_variants={options.num_variants}. Set num_variants=1, or engine=saved_model."
            )

    def open_reference(self, picture: Picture) -> Reference:
        """Opens a photo in color, as for `colorize`, that others take colors from, once for many.

        Returns what the option `reference` takes in place of that picture, with this model. Raises
        `PictureError` as `colorize`, and `OptionError` if it has no colors.
        """
        if isinstance(picture, Reference):
            return picture
        rgb = as_photo(picture).rgb
        if not has_colors(rgb):
            raise OptionError(
                "A reference is a photo in color. Received: one without colors. Take another."
            )
        return Reference(self._engine, rgb)

    def _files(self, pages, destination, options):
        """Yields paths with pages: of each coloring, and last of a sheet if there are several."""
        count = 1 if options.variant else options.num_variants
        paths, small = plan.variant_paths(destination, count), []
        for path, colored in zip(paths, self._colored_pages(pages, options), strict=False):
            yield path, colored
            if count > 1:
                small.append(shrink(colored[0].rgb))
        if len(small) > 1:
            yield plan.sheet_path(destination), [photo_files.Photo(sheet(small))]

    def _colored_pages(self, pages, options):
        """Yields a photo's pages in each coloring of `_colorings`, none if it is left alone."""
        if options.keep_colored and any(has_colors(page.rgb) for page in pages):
            return
        mask = _mask(options)
        # Hints are meant for the first page.
        ways = [options] + [dataclasses.replace(options, hints=None)] * (len(pages) - 1)
        colorings = (
            self._colorings(page.rgb, way, mask) for page, way in zip(pages, ways, strict=True)
        )
        # Strict is no use here: pages may have unlike numbers of variants.
        colorings = zip(*colorings, strict=False)
        for colored in colorings:
            yield [
                dataclasses.replace(page, rgb=rgb) for page, rgb in zip(pages, colored, strict=True)
            ]

    def _note(self):
        return Note(str(self.description["name"]), str(self.description["version"]))

    def _colorings(self, rgb, options, mask, onto=None) -> Iterator[np.ndarray]:
        """Yields a photo's colorings, likeliest first, or one; `onto` is what gets the colors."""
        shown = rgb if onto is None else onto
        height, width = shown.shape[:2]
        if mask is not None:
            mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR)
        try:
            # What is around a print must not change its colors, and gets none.
            boxes = self._prints(rgb, options)
            predicted = [self._predict(rgb, box, options) for box in boxes]
            places = [sight.scaled(box, rgb.shape[:2], shown.shape[:2]) for box in boxes]
            # Strict is no use here: prints may have unlike numbers of variants.
            colorings = list(zip(*predicted, strict=False))
            only = options.variant
            for coefficients in colorings if only is None else colorings[only - 1 : only]:
                yield full_size.apply_to_prints(
                    shown, places, coefficients, options.saturation, mask
                )
        except (MemoryError, cv2.error) as error:
            raise PictureError(
                f"A photo of {rgb.shape[1]} x {rgb.shape[0]} pixels does not fit into memory. "
                "Make it smaller."
            ) from error

    def _prints(self, rgb, options):
        """Boxes of a photo's prints, once hints are known to suit them."""
        boxes = sight.find_prints(rgb)
        if options.hints:
            color_hints.check(options.hints, rgb.shape[:2], boxes)
        return boxes

    def _predict(self, rgb, box, options):
        """Coefficients of the colorings of one print."""
        lightness, *hints = self._seen(rgb, box, options)
        if options.num_variants == 1:
            return hint_reach.coefficients(self._engine, lightness, *hints)
        engine = self._engine if self._engine.gives_variants else self._saved_model()

        def ask(told):
            return engine.variants(lightness, options.seed, options.num_variants, told)

        return hint_reach.coefficients(engine, lightness, *hints, ask)

    def _seen(self, rgb, box, options):
        """The lightness that the network sees of a print, and what hints and a reference say."""
        part = sight.within(box, rgb.shape[:2])
        lightness = sight.seen(rgb[part], self.description)
        hints, size = None, lightness.shape[1:3]
        if options.hints:
            hints = color_hints.draw(options.hints, box, part, size)[None]
        reference = options.reference and options.reference.hints(lightness)
        return lightness, hints, reference

    def _ready(self, options, knobs, picture=None):
        """Options with their files read, and checked; `picture` is what hints may lie beside."""
        options = _settled(options, knobs)
        self.check(options)
        if isinstance(options.hints, str) and options.hints == color_hints.SIDECAR:
            is_file = isinstance(picture, (str, os.PathLike))
            own = color_hints.find_beside(picture) if is_file else None
            options = dataclasses.replace(options, hints=own)
        options = options.load_files()
        if options.reference is None:
            return options
        return dataclasses.replace(options, reference=self.open_reference(options.reference))

    def _saved_model(self):
        """The engine for what LiteRT can't do, opened when that is first asked for."""
        with self._lock:
            if self._many is None:
                self._many = model_folder.open_engine(self._folder, self.description, "saved_model")
            return self._many


def _warn_of_bilevel(source, pages):
    if any(is_bilevel(page.rgb) for page in pages):
        _LOGGER.warning(
            "%s: it has black and white pixels alone, which can't take colors, and stays as it is. "
            "Scan it in grays.",
            source,
        )


def _settled(options, knobs):
    return dataclasses.replace(options or Options(), **knobs)


def _mask(options):
    """The mask of options as float levels in `[0, 1]`, or None."""
    if options.mask is None:
        return None
    rgb = as_photo(options.mask).rgb
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY) / np.float32(np.iinfo(rgb.dtype).max)
