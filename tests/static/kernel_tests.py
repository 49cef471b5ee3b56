# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's own checks on our kernel files: sparse, and the warnings of W=1."""

from harness import quiet, test
from lab import graft, kernel, paths
from lab.term import run_logged


def ours():
    return [path for path in graft.Manifest().copies if path.endswith(".c")]


def prepare():
    """What the objects need; its warnings are upstream's."""
    run_logged(kernel.make_command(kernel.BASE_FLAVOUR, "W=1", "prepare"),
               paths.LOG / "static.log", env=kernel.make_environment())


def check(path):
    prepare()
    quiet(kernel.make_command(kernel.BASE_FLAVOUR, "-s", "--no-print-directory", "C=2", "W=1",
                              path[:-1] + "o"), env=kernel.make_environment())


for name in ours():
    test(f"sparse and W=1: {name}", name)(check)
