"""What all commands of both packages share: quiet start, one line for a mistake, a status."""

import contextlib
import importlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import select
import sys
import threading
import time

from pipelines import errors


def run_command(main, define_flags, expand=list):
    """Parses flags, runs a command, and ends the process.

    `main` is a function of the positional arguments that returns an exit status or None; `expand`
    writes out what the command abbreviates in its command line, program name first.
    """
    from absl import app, flags, logging

    def guarded(argv):
        # Here, since absl sets it to INFO after parsing, and marks it as the user's wish.
        if not flags.FLAGS["verbosity"].present:
            logging.set_verbosity(logging.WARNING)
        sys.exit(main(argv[1:]))

    define_flags()

    def run():
        app.run(guarded, argv=read_command_line(flags.FLAGS, expand(sys.argv)))

    sys.exit(exit_status(run))


def read_command_line(values, argv):
    """Reads flagfiles, and expands `~` to the user's home folder, as a shell does between words.

    A shell expands `--output ~/colored` but not `--output=~/colored` or `--data=folder:~/photos`.
    The lines of each flagfile stand in place of `--flagfile`; one that can't be read is a
    `UserError`.
    """
    from absl import flags

    program, *words = argv
    try:
        words = values.read_flags_from_files(words, force_gnu=False)
        is_text = not any(word.startswith("\ufeff") or "\0" in word for word in words)
    except flags.Error as error:
        raise errors.UserError(str(error).removeprefix("ERROR:: ")) from error
    except UnicodeDecodeError:
        is_text = False
    if not is_text:
        named = " ".join(word for word in argv if "flagfile" in word)
        raise errors.UserError(
            f"A flagfile is text in UTF-8 without a byte order mark. Received: {named}, which has "
            "a mark or another encoding. Save it as UTF-8."
        )
    home = os.path.expanduser("~")
    start = re.compile(r"(?:^|(?<=[=:,]))~(?=/|,|$)")
    return [program, *(start.sub(lambda _: home, word) for word in words)]


def exit_status(work):
    """Does a command's work, and prints what ends it early; returns the exit status.

    It is that of `work`, 0 for None; 1 if a `UserError` or an `OSError`, either printed as one
    line, ended it; 130 for Ctrl-C; 141 if nobody reads its output any more, as after `| head`.
    Other errors are bugs, and are raised.
    """
    try:
        try:
            status = work()
        except SystemExit as end:
            status = end.code
        except KeyboardInterrupt:
            print("Stopped.", file=sys.stderr)
            status = 130
        except (errors.UserError, OSError) as error:
            if isinstance(error, BrokenPipeError) and _is_unread():
                raise
            print_error(error)
            status = 1
        sys.stdout.flush()
        return status or 0
    except BrokenPipeError:
        if not _is_unread():
            raise
        return end_unread()


def num_processors():
    """Tells how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def count(number, noun):
    """Says how many: `1 photo`, `2 photos`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def installed_versions(packages):
    """Returns a dict of the versions of Python and of packages; None for what is not installed."""
    versions = {"python": platform.python_version()}
    for name in packages:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def print_error(error):
    """Prints an error as one line to standard error."""
    message = str(error)
    if isinstance(error, OSError) and error.filename and error.strerror:
        message = f"{error.filename}: {error.strerror}."
    # Names may hold line ends.
    print("Error:", " ".join(message.splitlines()), file=sys.stderr, flush=True)


def end_unread():
    """Shuts output up for good after a `BrokenPipeError`; returns the exit status for it."""
    # Python itself flushes at its end, and would complain.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    return 141


def _is_unread():
    """Whether standard output or error is a pipe without a reader; sockets break pipes as well."""
    poll = select.poll()
    for stream in (1, 2):
        poll.register(stream, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


@contextlib.contextmanager
def doing(what):
    """Says on a terminal what is being done and for how many seconds; the line goes at the end.

    Nothing is said where standard error is no terminal.
    """
    if not sys.stderr.isatty():
        yield
        return
    done = threading.Event()
    # A descriptor of its own: what is being done may silence standard error.
    with os.fdopen(os.dup(2), "w") as terminal:
        ticking = threading.Thread(target=_tick, args=(what, terminal, done), daemon=True)
        ticking.start()
        try:
            yield
        finally:
            done.set()
            ticking.join()


def _tick(what, terminal, done):
    start, is_done = time.monotonic(), False
    while not is_done:
        # The cursor goes back, so that other output replaces the line.
        terminal.write(f"\r\033[K{what}: {time.monotonic() - start:.0f} s\r")
        terminal.flush()
        is_done = done.wait(1)
    terminal.write("\033[K")
    terminal.flush()


def progress(what, total, unit, is_hidden=False):
    """A bar of `tqdm` on a terminal that goes at its end; nothing elsewhere, or if it is hidden."""
    from tqdm import tqdm

    # None: only on a terminal.
    return tqdm(desc=what, total=total, unit=unit, disable=is_hidden or None, leave=False)


def import_quietly(*others):
    """Imports TensorFlow without its notes about the machine, which no setting turns off.

    `others` are modules that take seconds to import as well. Raises `UserError` if TensorFlow is
    not installed, as where photos are only colored.
    """
    if all(name in sys.modules for name in ("tensorflow", *others)):
        return
    if importlib.util.find_spec("tensorflow") is None:
        raise errors.UserError(
            "This needs TensorFlow, which is not installed. Install it: "
            "pip install 'colorization[train]'"
        )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with doing("Loading TensorFlow"), silence_stderr():
        for name in ("tensorflow", *others):
            importlib.import_module(name)


@contextlib.contextmanager
def silence_stderr():
    """Keeps what libraries write to standard error, past Python, to themselves."""
    sys.stderr.flush()
    with open(os.devnull, "wb") as nowhere, contextlib.ExitStack() as stack:
        kept = os.dup(2)
        stack.callback(os.close, kept)
        stack.callback(os.dup2, kept, 2)
        os.dup2(nowhere.fileno(), 2)
        yield
