# SPDX-License-Identifier: GPL-2.0-only
"""What the static tests look at, and the tools that they call."""

import subprocess

from lab.paths import REPO

FOLDERS = ("abi", "bench", "common", "guest", "hooks", "host", "lab", "load", "selftests", "tests",
           "vmm")


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
