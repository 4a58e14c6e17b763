import contextlib
import errno
import io
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import skimage.data

pytest.importorskip("apache_beam")

import apache_beam.io.filesystem as beam_files

from colorization import batch
from colorization.beam import places, steps
from colorization.inference import colorizer
from colorization.inference.colorizer import Colorizer
from colorization.inference.options import OptionError, Options
from pipelines.photos.photo_files import PictureError, read_picture, write_picture

pytestmark = pytest.mark.xdist_group("processes")

ROOT = pathlib.Path(__file__).parents[2]
HERE = "--direct_running_mode=in_memory --direct_num_workers=1"


@pytest.fixture(scope="module")
def subject():
    """The model, loaded: this takes longer than a batch of small pictures."""
    return Colorizer()


@pytest.fixture
def album(tmp_path, monkeypatch):
    """A folder with four photos, one damaged and one that is none, to work in."""
    monkeypatch.chdir(tmp_path)
    for variable in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "VIPS_CONCURRENCY"):
        monkeypatch.setenv(variable, "1")
    os.makedirs("album/1931")
    for seed, name in enumerate(("a.png", "b.jpg", "1931/c.jpg", "1931/d.tif")):
        picture = np.random.default_rng(seed).integers(0, 256, (20, 30, 3), dtype=np.uint8)
        write_picture(f"album/{name}", picture)
    # Of which the model sees several colorings.
    write_picture("album/b.jpg", skimage.data.astronaut()[:256:4, 80:336:4], overwrite=True)
    pathlib.Path("album/cut.png").write_bytes(pathlib.Path("album/a.png").read_bytes()[:-30])
    pathlib.Path("album/1931/notes.txt").write_text("Dear diary")
    return tmp_path


@pytest.fixture
def run(album, subject, capfd, monkeypatch):
    """Runs a batch in this process; gives the status and what it printed, without the rate."""
    monkeypatch.setattr(colorizer, "Colorizer", {None: subject}.get)

    def call(*patterns, output="out", overwrite=False, **options):
        capfd.readouterr()
        status = batch.color(
            patterns or ["album/**"],
            output,
            model=None,
            options=Options(**options),
            overwrite=overwrite,
            beam_options=HERE,
        )
        said = capfd.readouterr().out.splitlines()
        return status, said[0].rpartition("photos/s")[2].strip(" ,)."), said[1:]

    return call


def files(folder="out"):
    found = (path for path in pathlib.Path(folder).rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def pictures(folder="out"):
    return {name: data for name, data in files(folder).items() if "json" not in name}


def letters(folder="out"):
    lines = pathlib.Path(folder, steps.DEAD_LETTERS).read_text().splitlines()
    return {letter["path"]: letter["reason"] for letter in map(json.loads, lines)}


def ages(folder="out"):
    return {name: os.stat(f"{folder}/{name}").st_mtime_ns for name in pictures(folder)}


def colorized(subject, names, **options):
    """What the command `colorize` writes by."""
    for name in names:
        os.makedirs(os.path.dirname(f"expected/{name}"), exist_ok=True)
        subject.colorize_file(f"album/{name}", f"expected/{name}", **options)
    return pictures("expected")


NAMES = ("a.png", "b.jpg", "1931/c.jpg", "1931/d.tif")


@pytest.mark.slow
def test_pictures_are_byte_for_byte_those_of_colorize(run, subject):
    status, notes, more = run()
    assert (status, notes) == (1, "1 failed")
    assert more == ["What failed, and why: out/dead_letters.jsonl"]
    assert pictures() == colorized(subject, NAMES)


@pytest.mark.slow
def test_options_are_those_of_colorize(run, subject):
    write_picture("mask.png", np.full((4, 4, 3), 90, np.uint8))
    options = {"num_variants": 2, "seed": 3, "saturation": 0.5}
    assert run(mask="mask.png", **options)[0] == 1
    assert pictures() == colorized(subject, NAMES, mask="mask.png", **options)


def test_a_dead_letter_says_what_colorize_says(run, subject):
    run()
    with pytest.raises(PictureError) as error:
        subject.colorize_file("album/cut.png", "x.png")
    assert letters() == {"album/cut.png": str(error.value)}


@pytest.mark.slow
def test_a_second_run_colors_nothing_and_tries_the_failed_again(run):
    run()
    before = ages()
    assert run()[1].endswith("4 skipped, 1 failed")
    assert ages() == before
    shutil.copy("album/a.png", "album/cut.png")
    assert run()[:2] == (0, "4 skipped")
    assert files()[steps.DEAD_LETTERS] == b""


@pytest.mark.slow
def test_what_is_missing_is_made(run):
    run()
    whole = pictures()
    os.remove("out/1931/c.jpg")
    pathlib.Path("out/.0123456789abcdef.part").write_bytes(b"half")
    assert run()[1] == "3 skipped, 1 failed"
    assert pictures().items() >= whole.items()


@pytest.mark.slow
def test_other_options_leave_what_is_there_unless_overwriting_is_asked_for(run, subject):
    run("album/*.jpg")
    before = pictures()
    status, notes, more = run("album/*.jpg", saturation=0.5)
    assert (status, pictures()) == (0, before)
    assert notes.endswith("1 skipped") and "with other options. Add --overwrite" in more[0]
    assert run("album/*.jpg", saturation=0.5, overwrite=True)[0] == 0
    assert pictures() == colorized(subject, ["b.jpg"], saturation=0.5)
    # It is as asked for now, and a run that was to overwrite goes on where it stood.
    made = ages()
    assert run("album/*.jpg", saturation=0.5, overwrite=True)[1].endswith("1 skipped")
    assert ages() == made


@pytest.mark.slow
def test_a_photo_that_changed_is_made_anew_by_overwriting(run):
    run("album/*.jpg")
    before = pictures()
    os.remove("album/b.jpg")
    write_picture("album/b.jpg", np.zeros((8, 8, 3), np.uint8))
    assert "made of another file" in run("album/*.jpg")[2][0]
    assert pictures() == before
    run("album/*.jpg", overwrite=True)
    assert read_picture("out/b.jpg").shape == (8, 8, 3)


@pytest.mark.slow
def test_of_variants_the_first_tells_that_all_are_there(run):
    run("album/*.jpg", num_variants=2)
    whole = pictures()
    assert sorted(whole) == ["b_1.jpg", "b_2.jpg", "b_sheet.jpg"]
    # A run was killed between the two.
    os.remove("out/b_1.jpg")
    assert run("album/*.jpg", num_variants=2)[1] == ""
    assert pictures() == whole


def test_photos_with_colors_are_kept_if_asked(run):
    assert run("album/*.jpg", keep_colored=True)[:2] == (0, "Colored 0 of 1 photos, in out (1 kept")
    assert pictures() == {}


@pytest.mark.slow
def test_photos_that_would_share_a_name_are_told_apart(run):
    for name in ("a.bmp", "a.gif"):
        shutil.copy("album/a.png", f"album/{name}")
    status, notes, _ = run("album/a.*")
    assert (status, notes) == (0, "")
    assert sorted(pictures()) == ["a.bmp.png", "a.gif.png", "a.png"]
    assert run("album/a.*")[1].endswith("3 skipped")


def test_of_two_photos_for_one_name_the_first_is_colored(run):
    for name in ("a.bmp", "a.bmp.png"):
        shutil.copy("album/a.png", f"album/{name}")
    status, notes, _ = run("album/a.*")
    assert (status, notes) == (1, "1 failed")
    assert sorted(pictures()) == ["a.bmp.png", "a.png"]
    reason = "album/a.bmp: out/a.bmp.png is where album/a.bmp.png goes. Color it in a separate run."
    assert letters() == {"album/a.bmp": reason}


@pytest.mark.slow
def test_one_photo_that_matches_two_patterns_is_colored_once(run):
    assert run("album/a*", "album/*.png")[1] == "1 failed"
    assert list(pictures()) == ["a.png"]


@pytest.mark.slow
def test_the_output_folder_is_no_input(run):
    run("./**.jpg")
    assert run("./**.jpg")[1].endswith("2 skipped")


def test_names_need_not_be_text(run):
    os.rename("album/b.jpg", b"album/\xff\n.jpg")
    shutil.copy("album/cut.png", b"album/cut\xff.png")
    assert run("album/*")[1] == "2 failed"
    assert set(os.listdir(b"out")) > {b"a.png", b"\xff\n.jpg"}
    assert {os.fsencode(path) for path in letters()} == {b"album/cut.png", b"album/cut\xff.png"}


@pytest.mark.slow
def test_a_full_disk_stops_the_run_and_blames_no_photo(run, monkeypatch):
    def write(path, pieces):
        if not path.endswith(steps.DEAD_LETTERS):
            raise PictureError(path) from OSError(errno.ENOSPC, "No space left on device")

    kept = places.write
    run("album/a.png")
    monkeypatch.setattr(places, "write", write)
    status, notes, more = run("album/**.jpg")
    assert (status, notes, more) == (1, "Colored 0 of 2 photos, in out (2 not reached", [])
    monkeypatch.setattr(places, "write", kept)
    assert run("album/**.jpg")[0] == 0


@pytest.mark.parametrize(
    "patterns, change, message",
    [
        (["none/**"], {}, "matches no file"),
        (["album/**"], {"mask": "none.png"}, "no such file"),
        (["album/**"], {"mask": "album/cut.png"}, "--mask: expected a whole PNG"),
        (["gs://bucket/**"], {}, "gs://bucket"),
    ],
)
def test_a_wrong_request_is_refused_before_anything_is_written(run, patterns, change, message):
    with pytest.raises(ValueError, match=message) as error:
        run(*patterns, **change)
    assert type(error.value).__module__.startswith(("colorization", "pipelines"))
    assert "\n" not in str(error.value) and not os.path.exists("out")


def test_a_model_of_one_coloring_gives_no_variants(run, subject, monkeypatch):
    about = {"name": "plain", "version": 1, "gives_variants": False}
    monkeypatch.setattr(subject, "description", about)
    with pytest.raises(OptionError, match="plain gives one coloring.*num_variants=1"):
        run(num_variants=2)


def test_files_that_are_no_photos_are_none(run):
    status, _, _ = run("album/*.png", output="other")
    assert status == 1
    assert batch._tell(batch.collections.Counter(), None, 1) == 1


def test_workers_log_their_rate(run, monkeypatch, caplog):
    monkeypatch.setattr(steps, "_SILENCE", 0.0)
    with caplog.at_level("INFO", "colorization"):
        run("album/*.jpg")
    assert re.fullmatch(r"Worker \d+: 1 photos in \d+ s, [\d.]+/s\.", caplog.messages[-1])


class Memory(beam_files.FileSystem):
    """A store without folders, like those of clouds: renaming is copying and deleting."""

    files, clock = {}, [0]

    @classmethod
    def scheme(cls):
        return "memory"

    def join(self, base, *parts):
        return "/".join([base.rstrip("/"), *parts])

    def split(self, path):
        return tuple(path.rsplit("/", 1))

    def has_dirs(self):
        return False

    def mkdirs(self, path):
        raise NotImplementedError

    def _list(self, start):
        for path, (data, changed) in sorted(self.files.items()):
            if path.startswith(start):
                yield beam_files.FileMetadata(path, len(data), changed)

    @contextlib.contextmanager
    def create(self, path, mime_type=None, compression_type=None):
        file, self.clock[0] = io.BytesIO(), self.clock[0] + 1
        yield file
        self.files[path] = file.getvalue(), self.clock[0]

    def open(self, path, mime_type=None, compression_type=None):
        return io.BytesIO(self.files[path][0])

    def rename(self, sources, destinations):
        for source, destination in zip(sources, destinations, strict=True):
            self.files[destination] = self.files.pop(source)

    def delete(self, paths):
        for path in paths:
            self.files.pop(path, None)

    def exists(self, path):
        return path in self.files

    def metadata(self, path):
        return next(self._list(path))

    def copy(self, sources, destinations):
        raise NotImplementedError

    size = last_updated = checksum = copy


@pytest.mark.slow
def test_any_file_system_of_beam_will_do(run, subject, monkeypatch):
    stored = {f"memory://in/{name}": (data, 0) for name, data in files("album").items()}
    monkeypatch.setattr(Memory, "files", stored)
    status, notes, more = run("memory://in/**", output="memory://out/colored/")
    assert (status, notes) == (1, "1 failed")
    assert more == ["What failed, and why: memory://out/colored/dead_letters.jsonl"]
    assert run("memory://in/**", output="memory://out/colored")[1].endswith("4 skipped, 1 failed")
    start = "memory://out/colored/"
    made = {path[len(start) :]: data for path, (data, _) in stored.items() if start in path}
    assert made.pop(places.STATEMENT) and b"memory://in/cut.png" in made.pop(steps.DEAD_LETTERS)
    assert made == colorized(subject, NAMES)


def command(*flags):
    words = [sys.executable, "-m", "colorization.batch", "--input=album/**", "--output=out"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [*words, *flags],
        text=True,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


@pytest.mark.slow
def test_two_processes_killed_and_started_again_make_what_one_makes(album, subject):
    for number in range(24):
        shutil.copy("album/b.jpg", f"album/more{number}.jpg")
    names = (*NAMES, *(f"more{number}.jpg" for number in range(24)))
    process = command("--beam_options=--direct_num_workers=2")
    while process.poll() is None and not list(pathlib.Path("out").glob("more*")):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.02)
    process.kill()
    process.communicate()
    again = command("--beam_options=--direct_num_workers=2")
    output, errors = again.communicate(timeout=120)
    assert again.returncode == 1, errors
    assert "1 failed" in output and errors == ""
    made = {name: data for name, data in pictures().items() if not name.endswith(".part")}
    assert made == colorized(subject, names)
    assert list(letters()) == ["album/cut.png"]


@pytest.mark.slow
def test_ctrl_c_ends_all_processes_with_one_line(album):
    for number in range(240):
        shutil.copy("album/b.jpg", f"album/more{number}.jpg")
    process = command()
    while process.poll() is None and not list(pathlib.Path("out").glob("more*")):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    # On a slow machine a worker has told its rate by then.
    lines = [line for line in errors.splitlines() if not line.startswith("Worker ")]
    assert (process.returncode, lines) == (130, ["Stopped."])


def test_no_beam_is_one_line(album):
    program = (
        "import sys; sys.modules['apache_beam'] = None\n"
        "from colorization import batch\n"
        "from pipelines import console\n"
        "sys.argv = ['batch', '--input=album/**', '--output=out']\n"
        "console.run_command(batch.main, batch.define_flags)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "pip install 'colorization[scale]'" in done.stderr


def test_a_mistake_in_the_command_line_is_one_line(album):
    process = command("--saturation=nan")
    assert process.communicate()[1].startswith(
        "Error: saturation is a number from 0 to 2. Received: nan."
    )
    assert process.returncode == 1
