# SPDX-License-Identifier: GPL-2.0-only
"""The initramfs images: the host's, and in it the guest's."""

import hashlib

from lab import busybox, graft, kernel, paths
from lab.cpio import Archive
from lab.term import LabError, cache_lock

BASE = paths.INITRAMFS / "base.cpio"
STAMP = paths.INITRAMFS / "base.stamp"
SOURCES = paths.REPO / "lab" / "initramfs"
GUEST_PROGRAMS = {"guest-init": "init", "apfload": "bin/apfload", "apfkeep": "bin/apfkeep",
                  "apfcases": "bin/apfcases"}


def programs():
    """What `make vmm`, `make load` and `make guests` have built; not the objects."""
    found = sorted(paths.BIN.iterdir()) if paths.BIN.exists() else []
    return [path for path in found if path.is_file() and path.stat().st_mode & 0o111]


def program(name):
    data = graft.read(paths.BIN / name)
    if data is None:
        raise LabError(f"{paths.BIN / name} is missing: run `make load`")
    return data


def guest_archive():
    archive = Archive()
    for name in ("dev", "proc", "sys", "tmp"):
        archive.folder(name)
    archive.char_device("dev/console", 5, 1)
    for name, target in GUEST_PROGRAMS.items():
        archive.file(target, program(name), 0o755)
    return archive.encode()


def host_archive():
    shell = busybox.ensure()
    busybox.check_static_arm64(shell)
    archive = Archive()
    for name in ("dev", "proc", "sys", "tmp", "out", "sbin", "etc", "boot", "debian"):
        archive.folder(name)
    archive.char_device("dev/console", 5, 1)
    archive.char_device("dev/null", 1, 3)
    archive.file("bin/busybox", shell.read_bytes(), 0o755)
    for name in busybox.applets(shell):
        if name != "busybox":
            archive.link(f"bin/{name}", "busybox")
    archive.file("init", (SOURCES / "host-init").read_bytes(), 0o755)
    for name in ("debian", "disk"):
        archive.file(f"bin/{name}", (SOURCES / name).read_bytes(), 0o755)
    for path in programs():
        if path.name not in GUEST_PROGRAMS:
            archive.file(f"bin/{path.name}", path.read_bytes(), 0o755)
    archive.file("boot/Image", kernel.image(kernel.BASE_FLAVOUR).read_bytes())
    archive.file("boot/Image.nodriver", kernel.image("nodriver").read_bytes())
    archive.file("boot/guest.cpio", guest_archive())
    return archive.encode()


def inputs():
    yield from programs()
    yield from sorted(SOURCES.iterdir())
    yield from (kernel.image(flavour) for flavour in (kernel.BASE_FLAVOUR, "nodriver"))
    yield from (paths.REPO / "lab" / name for name in ("images.py", "cpio.py", "busybox.py"))
    yield busybox.ensure()


def digest():
    total = hashlib.sha256()
    for path in inputs():
        data = graft.read(path)
        if data is None:
            raise LabError(f"{path} is missing: run `make kernel`")
        total.update(f"{path.name} {len(data)}\n".encode() + data)
    return total.hexdigest()


def fresh(now):
    return BASE.exists() and graft.read(STAMP) == now.encode()


def write(now):
    STAMP.unlink(missing_ok=True)
    BASE.parent.mkdir(parents=True, exist_ok=True)
    temporary = BASE.with_suffix(".tmp")
    temporary.write_bytes(host_archive())
    temporary.replace(BASE)
    STAMP.write_text(now)


def is_due():
    """Whether build() has anything to do; nothing is fetched to find out."""
    if not BASE.exists() or not busybox.is_there():
        return True
    try:
        return not fresh(digest())
    except LabError:        # something that goes into it is not built yet
        return True


def build():
    """Returns the host's image; made anew only if something in it has changed."""
    if not fresh(digest()):
        with cache_lock():
            now = digest()
            if not fresh(now):
                write(now)
    return BASE


def command(_args):
    """Make the initramfs images from the kernels and programs built before."""
    print(f"initramfs: {build()}")
    return 0
