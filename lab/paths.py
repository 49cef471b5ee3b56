# SPDX-License-Identifier: GPL-2.0-only
"""Where things lie. Sources in the repository, everything built in CACHE."""

import os
from pathlib import Path

from lab import kernels

REPO = Path(__file__).resolve().parent.parent
HOOKS = REPO / "hooks" / kernels.LAB.hooks
FLAVOURS = REPO / "lab" / "flavours"
# What drives Debian's QEMU in the host, for boot.run().
INSIDE = {path: f"boot/inside/{path.name}" for path in (REPO / "lab" / "inside").glob("*.py")}
OUT = REPO / "out"

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "arm64-apf"
SOURCE = CACHE / "src" / f"linux-{kernels.LAB.version}"
BUILD = CACHE / "build"
HEADERS = CACHE / "headers"
BIN = CACHE / "bin"
INITRAMFS = CACHE / "initramfs"
LOG = CACHE / "log"

CROSS_COMPILE = "aarch64-linux-gnu-"

NAMES = {"cache": CACHE, "source": SOURCE, "headers": HEADERS, "bin": BIN, "log": LOG}


def arguments(parser):
    parser.add_argument("name", choices=NAMES)


def command(args):
    """Print the path of a folder of the cache."""
    print(NAMES[args.name])
    return 0
