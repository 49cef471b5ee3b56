# SPDX-License-Identifier: GPL-2.0-only
"""A disk image with programs that judge themselves, the root of a guest of tests/differential.

Debian's arm64 packages, unpacked, and in /opt/kselftest the kernel's own selftests.
"""

import compileall
import hashlib
import py_compile
import shutil
import sys
from pathlib import Path

from lab import apt, debian, graft, paths, selftests, source
from lab.term import LabError, cache_lock, step

FOLDER = paths.CACHE / "programs"
IMAGE = FOLDER / "programs.ext4"
STAMP = FOLDER / "programs.stamp"
LOG = paths.LOG / "programs.log"

# The two sanitizers' libraries are for selftests that are built with them.
PACKAGES = ("busybox-static", "bzip2", "coreutils", "dash", "gzip", "iproute2", "libasan8",
            "libc-bin", "libcap2-bin", "libpython3.11-testsuite", "libubsan1", "memtester",
            "mount", "openssl", "perl", "procps", "python3", "rt-tests",
            "sqlite3", "stress-ng", "util-linux", "xz-utils", "zstd")
# Beside them, to build the selftests; of these the guest gets the libraries alone.
LIBRARIES = ("libcap-dev", "libcap-ng-dev", "libfuse-dev", "libnuma-dev", "libpopt-dev",
             "liburing-dev")
UNWANTED = ("adduser", "debconf", "dpkg", "init-system-helpers", "media-types", "passwd", "tar",
            "libc6-dev", "libc-dev-bin", "linux-libc-dev", "usrmerge")
LEAVE_OUT = tuple(name for name in debian.LEAVE_OUT if name != "./usr/lib/*/gconv") + (
    "./usr/include", "./usr/lib/*/*.a", "./usr/share/zoneinfo/right", "./usr/share/zoneinfo/posix")
PYTHON = (3, 11)
INPUTS = [Path(__file__), Path(selftests.__file__), Path(debian.__file__)]
# More of them than the other image has: programs drop to a user and a group of their own.
ETC = {
    "passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "group": "root:x:0:\nnogroup:x:65534:\n",
    "protocols": "ip 0 IP\nicmp 1 ICMP\ntcp 6 TCP\nudp 17 UDP\n",
    "services": "echo 7/tcp\necho 7/udp\nhttp 80/tcp\nhttps 443/tcp\n",
}


def sysroot(folder, packages):
    """What the selftests are linked with."""
    folder.mkdir()
    for package in packages:
        if package.name.startswith("lib") and not package.name.startswith("libc6"):
            debian.unpack(package, folder, leave_out=())
    return folder


def compile_python(root):
    """No time is lost in the guest, if this machine's Python is of the same kind as its own."""
    if sys.version_info[:2] == PYTHON:
        compileall.compile_dir(root / "usr/lib/python3.11", stripdir=str(root), quiet=2, workers=0,
                               invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)


def fill(state, root):
    packages = debian.fetch(state, PACKAGES + LIBRARIES, UNWANTED, LOG)
    debian.skeleton(root)
    for name in ("opt", "root", "home", "mnt"):
        (root / name).mkdir()
    for package in packages:
        debian.unpack(package, root, LEAVE_OUT)
    for name, text in ETC.items():
        (root / "etc" / name).write_text(text)
    debian.add_shell(root)
    compile_python(root)
    selftests.build(root / "opt/kselftest", sysroot(state.folder / "sysroot", packages))


def digest():
    """Of what we ask for, and of the source of the selftests."""
    total = hashlib.sha256(source.ORIGIN.read_bytes())
    for path in INPUTS:
        total.update(path.read_bytes())
    return total.hexdigest()


def build():
    STAMP.unlink(missing_ok=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    new = IMAGE.with_suffix(".new")
    new.unlink(missing_ok=True)
    with apt.state("programs") as state:
        fill(state, state.folder / "root")
        debian.make_image(state.folder / "root", new, LOG)
    new.replace(IMAGE)


def fresh():
    return IMAGE.exists() and graft.read(STAMP) == digest().encode()


def is_due():
    return not source.ORIGIN.exists() or not fresh()


def ensure():
    """Path of the image."""
    for tool in ("dpkg-deb", "mke2fs"):
        if not shutil.which(tool):
            raise LabError(f"{tool} is not installed, run `make deps`")
    if not source.ORIGIN.exists():
        raise LabError("there is no kernel source: run `make kernel`")
    if not fresh():
        with cache_lock():
            if not fresh():
                with step("disk image of programs for the differential suite"):
                    build()
                STAMP.write_text(digest())
    return IMAGE


def command(_args):
    """Make the disk image of programs that judge themselves, if it is not there yet."""
    print(f"programs: {ensure()}")
    return 0
