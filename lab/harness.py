# SPDX-License-Identifier: GPL-2.0-only
"""The harness of the tests that are written in Python: declare, find and choose them, print TAP.

A test is a function with a name, declared by @test in a module *_tests.py of a package.
"""

import dataclasses
import importlib
import os
import re
import traceback
from collections.abc import Callable
from pathlib import Path

from lab.term import LabError

TESTS = []
CURRENT = None


class Skip(Exception):
    """The test cannot run here; the message says why."""


@dataclasses.dataclass
class Test:
    """alone: no other test beside it. seconds: roughly, the longest begin first.

    suite: "" is what `make test` runs; the others have targets of their own. suits: whether it
    can be run with the kernels that were chosen.
    """

    name: str
    function: Callable
    args: tuple
    alone: bool = False
    seconds: int = 0
    suite: str = ""
    suits: bool = True


@dataclasses.dataclass
class Verdict:
    """What came of a test: skip is the reason, said what it has to say of itself."""

    good: bool
    skip: str = ""
    said: str = ""


def test(name, *args, **options):
    """Declare that a function, called with args, is a test. options: those of Test."""
    def declare(function):
        TESTS.append(Test(name, function, args, **options))
        return function
    return declare


def groups(package):
    """The names of a package's modules of tests, without their _tests."""
    folder = Path(importlib.import_module(package).__file__).parent
    return sorted(path.stem.removesuffix("_tests") for path in folder.glob("*_tests.py"))


def discover(package, wanted=()):
    """[Test] of a package: of the groups that are wanted, or of all of them."""
    known = groups(package)
    for group in wanted:
        if group not in known:
            raise LabError(f"there are no tests {group} in {package}, only {', '.join(known)}")
    modules = [f"{package}.{group}_tests" for group in wanted or known]
    for module in modules:
        importlib.import_module(module)
    return [entry for entry in TESTS if entry.function.__module__ in modules]


def chosen(entries):
    """Those whose names match $T."""
    pattern = re.compile(os.environ.get("T", ""))
    return [entry for entry in entries if pattern.search(entry.name)]


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


def plan(entries):
    print(f"1..{len(entries)}", flush=True)


def report(number, entry, verdict):
    words = "ok" if verdict.good else "not ok"
    skip = f" # SKIP {verdict.skip}" if verdict.skip else ""
    print(f"{words} {number} - {entry.name}{skip}", flush=True)
    comment(verdict.said)


def comment(text):
    for line in text.splitlines():
        print(f"# {line}", flush=True)


def names(entries):
    """For --list."""
    for entry in entries:
        print(entry.name)
    return 0


def run_in_turn(entries):
    """One after the other, in this process. Returns the exit status."""
    plan(entries)
    good = True
    for number, entry in enumerate(entries, 1):
        verdict = attempt(entry)
        report(number, entry, verdict)
        good &= verdict.good
    return 0 if good else 1
