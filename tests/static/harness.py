# SPDX-License-Identifier: GPL-2.0-only
"""What the static tests share: collecting them, and printing TAP."""

import os
import re
import subprocess
import sys
import traceback
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(REPO))
FOLDERS = ("abi", "bench", "guest", "hooks", "host", "lab", "selftests", "tests", "vmm")
TESTS = []


class Skip(Exception):
    """The test cannot run here; the message says why."""


def test(name, *args):
    """Register a function, called with args, under a name."""
    def register(function):
        TESTS.append((name, function, args))
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


def run_one(number, name, function, args):
    try:
        function(*args)
    except Skip as reason:
        print(f"ok {number} - {name} # SKIP {reason}", flush=True)
    except AssertionError as failure:
        print(f"not ok {number} - {name}", flush=True)
        comment(str(failure) or traceback.format_exc())
        return False
    except Exception:       # a test that breaks is a test that fails
        print(f"not ok {number} - {name}", flush=True)
        comment(traceback.format_exc())
        return False
    else:
        print(f"ok {number} - {name}", flush=True)
    return True


def comment(text):
    for line in text.splitlines():
        print(f"# {line}", flush=True)


def run_all():
    pattern = re.compile(os.environ.get("T", ""))
    chosen = [entry for entry in TESTS if pattern.search(entry[0])]
    print(f"1..{len(chosen)}", flush=True)
    good = [run_one(number, *entry) for number, entry in enumerate(chosen, 1)]
    return 0 if all(good) else 1
