# SPDX-License-Identifier: GPL-2.0-only
"""What the user sees while the lab works: steps, percent, the end of a log."""

import contextlib
import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

from lab import paths

LOG_TAIL = 30
INTERRUPTED = 130


class LabError(Exception):
    """The message says what is wrong and what to do; no traceback is wanted."""


def verbose():
    return os.environ.get("V", "0") not in ("", "0")


def say(text):
    print(text, flush=True)


def minutes(seconds):
    """For a human: about how long something takes."""
    if seconds < 45:
        return "less than a minute"
    return "about a minute" if seconds < 90 else f"about {seconds / 60:.0f} minutes"


class Overall:
    """How far a work of several parts has come, by how long each part usually takes."""

    def __init__(self, seconds):
        self.whole = sum(seconds)
        self.done = 0
        self.now = 0
        self.start = time.monotonic()

    def begin(self, seconds):
        """The next part."""
        self.done += self.now
        self.now = seconds

    def text(self, part):
        """part: how much of the current part is done, 0 to 1."""
        share = min(0.99, (self.done + part * self.now) / self.whole)
        spent = time.monotonic() - self.start
        # What this machine is like is known only after a while.
        left = spent / share * (1 - share) if share > 0.1 else self.whole * (1 - share)
        return f"set-up {100 * share:.0f} %, {minutes(left)} left"


# That of what is done now, if it has several parts: each Meter shows it.
OVERALL = None


@contextlib.contextmanager
def overall(seconds):
    """Let each Meter show how far the whole is. Yields what is to be told of each new part."""
    global OVERALL
    OVERALL = Overall(seconds)
    try:
        yield OVERALL
    finally:
        OVERALL = None


class Meter:
    """Counts lines of a log; percent, or the bare count if no total is known."""

    def __init__(self, title, total=None):
        self.overall = OVERALL
        self.title = title
        self.total = total
        self.count = 0
        self.shown = None
        self.live = sys.stdout.isatty() and not verbose()

    def line(self, _text):
        self.count += 1
        if not self.live:
            return
        state = f"{self.count} steps"
        if self.total:
            state = f"{min(99, 100 * self.count // self.total)} %"
        state = f"{self.title}: {state}"
        if self.overall:
            part = min(0.99, self.count / self.total) if self.total else 0
            state = f"{self.overall.text(part)}; {state}"
        if state != self.shown:
            sys.stdout.write(f"\r{state}\x1b[K")
            sys.stdout.flush()
            self.shown = state

    def clear(self):
        if self.live and self.shown:
            sys.stdout.write("\r\x1b[K")
            sys.stdout.flush()


def tail(path, lines=LOG_TAIL):
    with open(path, errors="replace") as log:
        return "".join(log.readlines()[-lines:])


def run_to_log(cmd, log, meter=None, **popen):
    """Run cmd with its output in the file log, line by line. Its status."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "w", buffering=1) as out:
        with subprocess.Popen(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace",
                              **popen) as child:
            for line in child.stdout:
                out.write(line)
                if verbose():
                    sys.stdout.write(line)
                if meter:
                    meter.line(line)
    if meter:
        meter.clear()
    return child.returncode


def run_logged(cmd, log, meter=None, **popen):
    """The same; LabError with the end of the log if it fails."""
    if run_to_log(cmd, log, meter, **popen):
        raise LabError(f"failed: {' '.join(map(str, cmd))}\n{tail(log)}The whole log: {log}")


@contextlib.contextmanager
def step(title):
    """One line per step, with its time."""
    start = time.monotonic()
    if not sys.stdout.isatty():
        say(f"{title} ...")
    yield
    say(f"{title}: done in {time.monotonic() - start:.0f} s")


@contextlib.contextmanager
def cache_lock():
    """Two builds at once would write into the same trees."""
    paths.CACHE.mkdir(parents=True, exist_ok=True)
    with open(paths.CACHE / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another build to let go of {paths.CACHE}/lock")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def command_name(path):
    """How a program is called: of a package, python3 -m names the package."""
    path = Path(path)
    if path.suffix == ".py" and path.is_relative_to(paths.REPO):
        words = path.relative_to(paths.REPO).with_suffix("").parts
        return ".".join(word for word in words if word != "__main__")
    return path.name


def main(function, name=None):
    """Run function as a command: LabError becomes a message and status 1."""
    name = name or command_name(sys.argv[0])
    try:
        sys.exit(function())
    except LabError as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
