"""Pages that show photos before and after: nothing but the page is needed to look at one.

A page embeds small copies of at most `PHOTOS_PER_PAGE` photos, so that twenty photos make one page
to send around, and 50,000 make pages that a browser still opens.
"""

import contextlib
import html
import os
import urllib.parse

import pyvips

from colorization import pages
from colorization.inference import threads
from pipelines.files import atomic_write
from pipelines.photos.photo_files import PictureError, read_picture

FILENAME = "report.html"
PHOTOS_PER_PAGE = 200
# Widest and highest, in pixels.
THUMBNAIL_SIZE = (480, 300)

# A neutral gray lets colors look as they are.
_STYLE = """\
body { background: #777; color: #fff; margin: 2em; max-width: none; }
a { color: inherit; } figcaption { color: #fff; font-size: 15px; }
main { display: flex; flex-wrap: wrap; gap: 2em; }
figure div { display: flex; flex-wrap: wrap; gap: 4px; }
img { height: 300px; max-width: 95vw; object-fit: contain; }
nav { margin: 1em 0; } nav a, nav b { margin-right: .7em; }"""


class Report:
    """The report of an output folder.

    The small pictures are kept in its hidden folder `.thumbnails`: they are made while a photo is
    still in the system's memory, and a later report takes them from there.

    Args:
        folder: Output folder.

    Attributes:
        path: Path of the first page.
    """

    def __init__(self, folder):
        self.path = folder / FILENAME
        self._folder = folder

    def following(self, color_one):
        """Wraps a function that colors a `Job` so that small pictures are made right after."""

        def color_and_shrink(job):
            outputs = color_one(job)
            self._keep_thumbnails(job, outputs)
            return outputs

        return color_and_shrink

    def prepare(self, jobs, records, stop):
        """Makes the small pictures that earlier runs' photos lack; yields None for each job."""
        return threads.run(
            lambda job: self._keep_thumbnails(job, self._outputs(job, records)), jobs, stop
        )

    def write(self, jobs, records):
        """Writes all pages; the first, to which the others belong, comes last.

        `jobs` are in the order of the report, and their thumbnails are kept. Raises `OSError` if a
        page cannot be written. Each page is whole, or what it was before.
        """
        failures, rows = [], []
        for job in jobs:
            record, outputs = records.get(job.name), self._outputs(job, records)
            if outputs:
                rows.append((job, outputs))
            elif job.problem or (record is not None and record.status == "failed"):
                failures.append(job.problem or record.message)
        starts = range(0, max(1, len(rows)), PHOTOS_PER_PAGE)
        for number in reversed(range(len(starts))):
            page = rows[starts[number] :][:PHOTOS_PER_PAGE]
            self._write_page(number, len(starts), page, failures, len(rows))
        number = len(starts)
        while self._page(number).exists():
            # Of an earlier report, which was longer.
            self._page(number).unlink()
            number += 1

    def _outputs(self, job, records):
        record = records.get(job.name)
        if record is not None:
            return [self._folder / output for output in record.outputs]
        # By another program, or by one that was killed before it could note it.
        return [] if job.existing is None else [job.existing]

    def _keep_thumbnails(self, job, outputs):
        if not outputs:
            return
        for picture, thumbnail in self._pictures(job, outputs):
            # A page without this picture is better than none, and coloring went well.
            with contextlib.suppress(PictureError, OSError, MemoryError):
                if not _is_newer(thumbnail, picture):
                    _shrink(picture, thumbnail)

    def _pictures(self, job, outputs):
        cache = self._folder / ".thumbnails"
        yield job.source, cache / "before" / f"{job.name}.jpg"
        for output in outputs:
            yield output, cache / "after" / f"{output.relative_to(self._folder)}.jpg"

    def _page(self, number):
        return self.path if number == 0 else self.path.with_name(f"report_{number + 1}.html")

    def _write_page(self, number, num_pages, rows, failures, num_photos):
        which = f", page {number + 1} of {num_pages}" if num_pages > 1 else ""
        navigation = self._navigation(number, num_pages)
        parts = [
            f"<p>{num_photos:,} photos{which}, before and after. Click a colored photo to open "
            f"its file.</p>\n{navigation}"
        ]
        if failures and number == 0:
            lines = "".join(f"<li>{html.escape(line)}</li>\n" for line in failures)
            parts.append(f"<h2>Failed: {len(failures):,}</h2>\n<ul>\n{lines}</ul>\n")
        figures = [self._figure(job, outputs) for job, outputs in rows]
        parts += ["<main>\n", *figures, "</main>\n", navigation]
        pages.write(self._page(number), pages.page("Colored photos", parts, _STYLE))

    def _navigation(self, number, num_pages):
        if num_pages == 1:
            return ""
        links = [
            f"<b>{page + 1}</b>"
            if page == number
            else f'<a href="{self._page(page).name}">{page + 1}</a>'
            for page in range(num_pages)
        ]
        return f"<nav>{' '.join(links)}</nav>\n"

    def _figure(self, job, outputs):
        pictures = []
        for picture, thumbnail in self._pictures(job, outputs):
            try:
                data = thumbnail.read_bytes()
            except OSError:
                continue
            is_source = picture is job.source
            alt = "before" if is_source else "after"
            image = pages.image(data, alt, 'decoding="async"')
            if not is_source:
                link = urllib.parse.quote(os.fsencode(picture.relative_to(self._folder)))
                image = f'<a href="{link}">{image}</a>'
            pictures.append(image)
        return (
            f"<figure><div>\n{chr(10).join(pictures)}\n</div>\n"
            f"<figcaption>{html.escape(job.name)}{_size(outputs[0])}</figcaption></figure>\n"
        )


def _size(picture):
    """Size of a picture as its header tells it, for people."""
    try:
        header = pyvips.Image.new_from_file(os.fspath(picture))
    except (pyvips.Error, UnicodeError):  # It takes no names that are no text.
        return ""
    return f", {header.width} × {header.height}"


def _is_newer(thumbnail, picture):
    try:
        return os.stat(thumbnail).st_mtime_ns >= os.stat(picture).st_mtime_ns
    except FileNotFoundError:
        return False


def _shrink(picture, thumbnail):
    small = pages.fit(read_picture(picture), *THUMBNAIL_SIZE)
    thumbnail.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(thumbnail) as file:
        file.write(pages.jpeg(small, quality=80))
