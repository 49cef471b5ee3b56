# SPDX-License-Identifier: GPL-2.0-only
"""Debian packages: the driver for dkms, and the contract for who writes a VMM."""

import gzip
import hashlib
import os
import shutil
from pathlib import Path

from lab import kernels, paths, stock
from lab.term import run_logged

VERSION = "1.0"
PARTS = paths.REPO / "packaging"
# Debian's own variables name who makes the package.
MAINTAINER = (f"{os.environ.get('DEBFULLNAME', 'arm64-apf maintainers')} "
              f"<{os.environ.get('DEBEMAIL', 'arm64-apf@users.noreply.github.com')}>")
DATE = "Sun, 22 Nov 2026 12:00:00 +0000"
# Of all files, so that two builds are the same to the byte.
EPOCH = 1795348800
RULES = "usr/lib/udev/rules.d/60-kvm-apf.rules"
OPTIONS = "usr/lib/modprobe.d/kvm-apf.conf"
FUNCTIONS = "usr/share/kvm-apf-dkms/functions"
SOURCE = f"usr/src/kvm-apf-{VERSION}"
# Headers of the kernel that is there. `linux-headers-arm64 | linux-headers-cloud-arm64`, in
# whatever order, does not do it: apt takes the first choice unless another is installed or about
# to be. On Debian 12 dkms itself has linux-headers-arm64 come; on Debian 13 headers depend on
# their kernel, so that the wrong choice brings a kernel, which is booted next. So each is asked
# for unless a kernel of another kind is there. Where there are both kinds, or another, nothing
# comes and the postinst says what to install; where there is no kernel, both come.
OTHERS = "linux-image-rt-arm64 | linux-image-arm64-16k"
RECOMMENDS = (f"linux-headers-cloud-arm64 | linux-image-arm64 | {OTHERS}, "
              f"linux-headers-arm64 | linux-image-cloud-arm64 | {OTHERS}")

DKMS = {
    "Package": "kvm-apf-dkms",
    "Section": "kernel",
    "Depends": "dkms (>= 3.0.10), kmod",
    "Recommends": RECOMMENDS,
    "Description": """asynchronous page faults for KVM/arm64 guests (DKMS)
 When a virtual machine touches memory that its host does not have at hand, the
 host tells the kernel, and this driver lets other tasks run until it is there.
 .
 It does nothing on a host that does not offer it.""",
}
HEADERS = {
    "Package": "arm64-apf-headers",
    "Section": "libdevel",
    "Description": """asynchronous page faults for KVM/arm64, header for VMMs
 What host, guest and VMM agree upon: the bit that offers asynchronous page
 faults to a VM, and the registers that save, restore and migrate them.""",
}


# What dkms is told of the kernels that the driver has been tested with.
TESTED = "|".join(version.replace(".", r"\.") for version in
                  sorted({row.version for row in kernels.STOCK.values()}))
WORDS = {"@VERSION@": VERSION, "@TESTED@": TESTED, "@BESIDE@": kernels.BESIDE}


def text(name):
    found = (PARTS / name).read_text()
    for word, value in WORDS.items():
        found = found.replace(word, value)
    return found


def put(root, name, content, mode=0o644):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)


def document(root, package):
    folder = f"usr/share/doc/{package}"
    put(root, f"{folder}/copyright", text("copyright"))
    change = (f"arm64-apf ({VERSION}) unstable; urgency=medium\n\n  * First packages.\n\n"
              f" -- {MAINTAINER}  {DATE}\n")
    put(root, f"{folder}/changelog.gz", gzip.compress(change.encode(), mtime=EPOCH))


def control(root, fields):
    files = [path for path in sorted(root.rglob("*"))
             if path.is_file() and "DEBIAN" not in path.parts]
    size = sum(-(-path.stat().st_size // 1024) for path in files)
    head = {"Package": fields["Package"], "Source": "arm64-apf", "Version": VERSION,
            "Architecture": "all", "Maintainer": MAINTAINER, "Installed-Size": str(size),
            "Priority": "optional", **fields}
    order = [name for name in head if name != "Description"] + ["Description"]
    put(root, "DEBIAN/control", "".join(f"{name}: {head[name]}\n" for name in order))
    put(root, "DEBIAN/md5sums", "".join(
        f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(root)}\n"
        for path in files))


def pack(root, out, fields):
    document(root, fields["Package"])
    control(root, fields)
    for path in (root, *root.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)
        os.utime(path, (EPOCH, EPOCH))
    package = out / f"{fields['Package']}_{VERSION}_all.deb"
    run_logged(["dpkg-deb", "--root-owner-group", "-Zxz", "--build", root, package],
               paths.LOG / "deb.log", env={**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)})
    return package


def fill_dkms(root):
    stock.stage(stock.DRIVER, root / SOURCE)
    for path in (root / SOURCE).rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    put(root, f"{SOURCE}/dkms.conf", text("dkms.conf"))
    put(root, RULES, text("60-kvm-apf.rules"))
    put(root, OPTIONS, text("kvm-apf.conf"))
    put(root, FUNCTIONS, text("functions"))
    put(root, "DEBIAN/postinst", text("postinst"), 0o755)
    put(root, "DEBIAN/prerm", text("prerm"), 0o755)


def fill_headers(root):
    put(root, "usr/include/arm64-apf/kvm_apf.h", (paths.REPO / "abi/kvm_apf.h").read_bytes())


def build(out):
    """Makes both in a folder; returns their paths."""
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    made = []
    for fill, fields in ((fill_dkms, DKMS), (fill_headers, HEADERS)):
        root = out / f"{fields['Package']}.root"
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        fill(root)
        made.append(pack(root, out, fields))
        shutil.rmtree(root)
    return made


def command(_args):
    """Make the Debian packages, in out/deb."""
    for package in build(paths.OUT / "deb"):
        print(package)
    return 0
