# SPDX-License-Identifier: GPL-2.0-only
"""A disk image with programs of Debian for arm64: the user space of real cases.

The packages are unpacked, not installed: none of their programs has to run here.
One image serves host and guest, read-only, with tmpfs where it is to be written.
"""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from lab import apt, busybox, graft, paths
from lab.term import LabError, Meter, cache_lock, run_logged, step

IMAGE = paths.CACHE / "debian" / "debian.ext4"
STAMP = paths.CACHE / "debian" / "debian.stamp"
LOG = paths.LOG / "debian.log"
INIT = paths.REPO / "lab" / "debian-init"
HINT = ("give DEBIAN_IMAGE=<file>, an image that another machine has made "
        f"({IMAGE.relative_to(paths.CACHE)} in its cache)")

PACKAGES = ("busybox-static", "dash", "dmsetup", "e2fsprogs", "iproute2", "pigz",
            "python3", "qemu-system-arm", "redis-server", "redis-tools", "sqlite3", "stress-ng",
            "xz-utils", "zstd")
# What packages depend on to be installed, or for a human.
UNWANTED = ("adduser", "debconf", "dpkg", "init-system-helpers", "iso-codes",
            "libfile-find-rule-perl", "libnumber-compare-perl", "libperl5.36",
            "libtext-glob-perl", "media-types", "passwd", "perl", "perl-base",
            "perl-modules-5.36", "tar")
LEAVE_OUT = ("./usr/share/doc", "./usr/share/man", "./usr/share/locale", "./usr/share/info",
             "./usr/share/lintian", "./usr/share/X11", "./usr/share/bash-completion",
             "./usr/lib/python3*/lib2to3", "./lib/systemd", "./lib/udev", "./etc/init.d",
             "./usr/lib/*/gconv")
# Debian's trees are merged below /usr.
LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib"}
# Others are mounted here.
FOLDERS = ("boot", "dev", "etc", "out", "proc", "run", "sys", "tmp", "var")
ETC = {
    "passwd": "root:x:0:0:root:/tmp:/bin/sh\n",
    "group": "root:x:0:\n",
    "hosts": "127.0.0.1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}
MEBIBYTE = 1 << 20


def fetch(state, names=PACKAGES, unwanted=UNWANTED, log=LOG):
    """All packages needed, as files; without those that are only recommended."""
    state.update(log)
    title = "fetching Debian's packages for arm64"
    run_logged(state.command("install", "--yes", "--download-only", "--no-install-recommends",
                             *names), log, Meter(title))
    return [path for path in state.packages() if path.name.partition("_")[0] not in unwanted]


def unpack(package, root, leave_out=LEAVE_OUT):
    """A folder of a package must not take the place of our links."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package],
                          stdout=subprocess.PIPE) as child:
        done = subprocess.run(
            ["tar", "-x", "-C", root, "--keep-directory-symlink", "--no-same-owner", "--wildcards",
             *(f"--exclude={name}" for name in leave_out)],
            stdin=child.stdout, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            check=False)
    if child.returncode or done.returncode:
        raise LabError(f"{package.name} could not be unpacked:\n{done.stderr}")


def skeleton(root):
    for name in (*LINKS.values(), *FOLDERS):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name, target in LINKS.items():
        (root / name).symlink_to(target)
    for name, text in ETC.items():
        (root / "etc" / name).write_text(text)


def add_shell(root):
    """Busybox under each name that no package has; not as shell, since its own runs its
    own mke2fs and ip whatever else there is.
    """
    (root / "bin/sh").unlink(missing_ok=True)
    (root / "bin/sh").symlink_to("dash")
    for name in busybox.applets(root / "bin/busybox"):
        taken = [(root / folder / name) for folder in ("usr/bin", "usr/sbin")]
        if not any(os.path.lexists(path) for path in taken):
            taken[0].symlink_to("busybox")
    shutil.copyfile(INIT, root / "sbin/init")
    (root / "sbin/init").chmod(0o755)


def fill(root, packages):
    skeleton(root)
    for package in packages:
        unpack(package, root)
    add_shell(root)


def size_of(root):
    """In bytes, as a file system with blocks of 4 KiB needs it."""
    files = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in files) + 64 * 4096


def make_image(root, image, log=LOG):
    """Without a journal, and with names and times that are the same each time."""
    mib = size_of(root) * 110 // 100 // MEBIBYTE + 8
    run_logged(["mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-m", "0", "-L", "debian",
                "-O", "^has_journal,^metadata_csum", "-E", "root_owner=0:0,lazy_itable_init=0",
                "-N", "16384", "-d", root, image, f"{mib}M"], log)


def write():
    STAMP.unlink(missing_ok=True)
    IMAGE.parent.mkdir(parents=True, exist_ok=True)
    new = IMAGE.with_suffix(".new")
    new.unlink(missing_ok=True)
    with apt.state("debian") as state:
        fill(state.folder / "root", fetch(state))
        make_image(state.folder / "root", new)
    new.replace(IMAGE)


def digest():
    """Of what we ask for. Which version of a package Debian has today does not count."""
    return hashlib.sha256(INIT.read_bytes() + Path(__file__).read_bytes()).hexdigest()


def fresh():
    return IMAGE.exists() and graft.read(STAMP) == digest().encode()


def build():
    for tool in ("dpkg-deb", "mke2fs"):
        if not shutil.which(tool):
            raise LabError(f"{tool} is not installed, run `make deps`; or {HINT}")
    try:
        with step("disk image of Debian's packages"):
            write()
    except LabError as error:
        raise LabError(f"{error}\nThe packages come from the Debian archive that /etc/apt names: "
                       f"is it reachable? Or {HINT}") from error
    STAMP.write_text(digest())


def is_due():
    return not os.environ.get("DEBIAN_IMAGE") and not fresh()


def ensure():
    """Path of the image."""
    given = os.environ.get("DEBIAN_IMAGE")
    if given:
        if not Path(given).is_file():
            raise LabError(f"DEBIAN_IMAGE={given}: no such file")
        return Path(given)
    if not fresh():
        with cache_lock():
            if not fresh():
                build()
    return IMAGE


def command(_args):
    """Make the disk image of Debian's arm64 packages, if it is not there yet."""
    print(f"Debian's packages: {ensure()}")
    return 0
