# SPDX-License-Identifier: GPL-2.0-only
"""What static and system tests share: collecting them, and printing TAP."""

import dataclasses
import os
import re
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(REPO))
FOLDERS = ("abi", "bench", "common", "guest", "hooks", "host", "lab", "load", "selftests", "tests",
           "vmm")
TESTS = []
CURRENT = None


class Skip(Exception):
    """The test cannot run here; the message says why."""


@dataclasses.dataclass
class Test:
    """alone: no other test beside it. seconds: roughly, the longest begin first.

    long: not one of `make test`, but of `make test-long`.
    """

    name: str
    function: Callable
    args: tuple
    alone: bool = False
    seconds: int = 0
    long: bool = False


@dataclasses.dataclass
class Verdict:
    """What came of a test: skip is the reason, said what it has to say of itself."""

    good: bool
    skip: str = ""
    said: str = ""


def test(name, *args, alone=False, seconds=0, long=False):
    """Register a function, called with args, under a name."""
    def register(function):
        TESTS.append(Test(name, function, args, alone, seconds, long))
        return function
    return register


def sources(*patterns):
    """Files of the repository's own folders, whether committed or not yet."""
    found = {path for folder in FOLDERS for pattern in patterns
             for path in (REPO / folder).rglob(pattern) if path.is_file()}
    return sorted(path for path in found if "__pycache__" not in path.parts)


def quiet(command, **options):
    """Run a command that has to say nothing and succeed; returns what it said."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
                          **options)
    assert not done.returncode and not done.stdout.strip(), \
        f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout}"


def attempt(entry):
    global CURRENT
    CURRENT = entry
    try:
        entry.function(*entry.args)
    except Skip as reason:
        return Verdict(True, skip=str(reason))
    except AssertionError as failure:
        return Verdict(False, said=str(failure) or traceback.format_exc())
    except Exception:       # a test that breaks is a test that fails
        return Verdict(False, said=traceback.format_exc())
    return Verdict(True)


def report(number, entry, verdict):
    words = "ok" if verdict.good else "not ok"
    skip = f" # SKIP {verdict.skip}" if verdict.skip else ""
    print(f"{words} {number} - {entry.name}{skip}", flush=True)
    comment(verdict.said)


def comment(text):
    for line in text.splitlines():
        print(f"# {line}", flush=True)


def chosen():
    """The tests whose names match $T; prints the plan."""
    pattern = re.compile(os.environ.get("T", ""))
    entries = [entry for entry in TESTS if pattern.search(entry.name)]
    print(f"1..{len(entries)}", flush=True)
    return entries


def run_all():
    good = True
    for number, entry in enumerate(chosen(), 1):
        verdict = attempt(entry)
        report(number, entry, verdict)
        good &= verdict.good
    return 0 if good else 1
