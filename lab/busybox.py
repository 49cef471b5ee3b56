# SPDX-License-Identifier: GPL-2.0-only
"""A static arm64 busybox for the host's initramfs.

It is that of Debian's package, unless one is given.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from lab import apt, paths
from lab.term import LabError, run_logged, step

BINARY = paths.INITRAMFS / "busybox"
PACKAGE = "busybox-static"
HINT = "give BUSYBOX=<static arm64 busybox>"


def download():
    log = paths.LOG / "busybox.log"
    try:
        with apt.state("busybox") as state:
            state.update(log)
            run_logged(state.command("download", PACKAGE), log, cwd=state.archives)
            run_logged(["dpkg-deb", "-x", state.packages()[0], state.folder / "root"], log)
            found = [path for path in (state.folder / "root").glob("**/bin/busybox")
                     if path.is_file()]
            BINARY.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found[0], BINARY)
    except LabError as error:
        raise LabError(f"{error}\nbusybox for arm64 could not be fetched: {HINT}") from error


def is_there():
    return bool(os.environ.get("BUSYBOX")) or BINARY.exists()


def ensure():
    """Path of the binary."""
    given = os.environ.get("BUSYBOX")
    if given:
        if not Path(given).is_file():
            raise LabError(f"BUSYBOX={given}: no such file")
        return Path(given)
    if not BINARY.exists():
        if not shutil.which("apt-get"):
            raise LabError(f"this machine has no apt-get: {HINT}")
        with step("fetching busybox for arm64"):
            download()
    return BINARY


def applets(binary):
    """Names it answers to: read from the binary, since it does not run here."""
    data = binary.read_bytes()
    match = re.search(rb"\[\x00\[\[\x00(?:[a-z0-9_.+-]+\x00)+", data)
    if not match:
        raise LabError(f"{binary} is not a busybox with the usual applets: {HINT}")
    return [name.decode() for name in match[0].split(b"\0") if name]


def check_static_arm64(binary):
    """An ELF for AArch64 without an interpreter."""
    done = subprocess.run([f"{paths.CROSS_COMPILE}readelf", "-hl", binary], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if "AArch64" not in done.stdout or "INTERP" in done.stdout:
        raise LabError(f"{binary} is not a static arm64 program: {HINT}")
