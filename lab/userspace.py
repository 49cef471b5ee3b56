# SPDX-License-Identifier: GPL-2.0-only
"""Our own programs in C, for arm64, in CACHE/bin: each folder has a Makefile that builds its own."""

import os
import subprocess

from lab import kernel, paths
from lab.term import LabError, Meter, cache_lock, run_logged, say, tail

# What is built together -> the folders, in the order in which they need each other.
GROUPS = {
    "vmm": ("vmm",),
    "load": ("load", "tests/guests/cases"),
    "guests": ("tests/guests", "tests/host", "selftests"),
}
# The kernel's Makefile, which this one calls, always has something to do.
ALWAYS = {"selftests": "apf_test"}
# A log with this word in it is worth a look.
WARNING = "warning:"


def make_command(folder, *args):
    return ["make", "--no-print-directory", f"-j{os.cpu_count()}", "-C", str(paths.REPO / folder),
            f"CROSS_COMPILE={paths.CROSS_COMPILE}", f"KHDR={paths.HEADERS}/include",
            f"KSRC={paths.SOURCE}", f"O={paths.BIN}", *args]


def is_due(group):
    """Whether there is anything to build, as far as can be told without doing it."""
    if not (paths.HEADERS / "include").exists() or not paths.BIN.exists():
        return True
    for folder in GROUPS[group]:
        if folder in ALWAYS:
            if not (paths.BIN / ALWAYS[folder]).exists():
                return True
        elif subprocess.run(make_command(folder, "-q"), env=kernel.make_environment(),
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, check=False).returncode:
            return True
    return False


def build(group):
    if not (paths.HEADERS / "include").exists():
        raise LabError("the kernel's headers are missing: run `make kernel`")
    paths.BIN.mkdir(parents=True, exist_ok=True)
    for folder in GROUPS[group]:
        log = paths.LOG / f"make-{folder.replace('/', '-')}.log"
        run_logged(make_command(folder), log, Meter(f"programs in {folder}/"),
                   env=kernel.make_environment())
        if WARNING in log.read_text():
            say(f"{tail(log)}The compiler warns, see {log}")


def arguments(parser):
    parser.add_argument("group", nargs="*", choices=(*GROUPS, []), metavar="GROUP",
                        help=f"of {' '.join(GROUPS)} (default: all of them)")


def command(args):
    """Build our own programs, against the headers of the lab's kernel."""
    with cache_lock():
        for group in args.group or GROUPS:
            build(group)
    return 0
