# SPDX-License-Identifier: GPL-2.0-only
"""Install what the lab needs: on Debian by package, elsewhere name what is missing.

deps.sh beside this calls it, after it has installed python3 where there is none.
"""

import os
import re
import shutil
import subprocess

from lab import kernels, paths
from lab.term import LabError, Meter, run_logged, say, step

PACKAGES = (
    "bc", "bison", "ccache", "device-tree-compiler", "e2fsprogs", "file", "flex", "gcc",
    "gcc-aarch64-linux-gnu", "gnuplot-nox", "kmod", "libc6-dev", "libc6-dev-arm64-cross",
    "libcmocka-dev", "libelf-dev", "libssl-dev", "make", "patch", "perl", "python3",
    "qemu-system-arm", "rsync", "sparse", "spin", "tar", "xz-utils")
TOOLS = ("aarch64-linux-gnu-gcc", "bc", "bison", "ccache", "dtc", "flex", "gcc", "gnuplot", "make",
         "patch", "perl", "python3", "qemu-system-aarch64", "rsync", "sparse", "spin", "tar", "xz")
LOG = paths.LOG / "deps.log"


def check_tools():
    """Not a Debian: nothing is installed here."""
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        raise LabError(f"not a Debian system, and these programs are missing: {' '.join(missing)}")
    if not os.environ.get("KERNEL_SOURCE") or not os.environ.get("BUSYBOX"):
        raise LabError("not a Debian system: give KERNEL_SOURCE=<tree or tarball of Linux "
                       f"{kernels.LAB.version}> and BUSYBOX=<static arm64 busybox>")


def not_installed(packages):
    """Those that are missing."""
    done = subprocess.run(
        ["dpkg-query", "-W", "-f=${db:Status-Abbrev} ${Package}\\n", *packages], text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    installed = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("ii")}
    return [package for package in packages if package not in installed]


def become_root(missing):
    """What goes before a command."""
    if os.geteuid() == 0:
        return []
    if not shutil.which("sudo"):
        raise LabError("as root: apt-get install --no-install-recommends " + " ".join(missing))
    return ["sudo"]


def check_source():
    """Debian 12 has it, but not in the suite that each machine asks for packages."""
    package = kernels.LAB.package
    done = subprocess.run(["apt-cache", "show", package], stdin=subprocess.DEVNULL, check=False,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if done.returncode:
        raise LabError(f"apt knows no {package}. On Debian 12 it is in {kernels.LAB.suite} (add it "
                       "to /etc/apt); or give KERNEL_SOURCE=<tree or tarball of Linux "
                       f"{kernels.LAB.version}>")


def install(missing):
    say(f"deps: to be installed: {' '.join(missing)}")
    root = become_root(missing)
    with step("installing packages"):
        run_logged([*root, "apt-get", "-q", "update"], LOG)
        if kernels.LAB.package in missing:
            check_source()
        run_logged([*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "--yes",
                    "-o", "Dpkg::Use-Pty=0", "install", "--no-install-recommends", *missing],
                   LOG, Meter("installing packages"))


def arguments(parser):
    parser.add_argument("package", nargs="*", help="Debian packages that are wanted, too")


def command(args):
    """Install the packages that the lab needs, or name the programs that are missing."""
    for package in args.package:
        if not re.fullmatch(r"[a-z0-9][a-z0-9+.-]*", package):
            raise LabError(f"{package} is no name of a Debian package")
    if not shutil.which("apt-get"):
        check_tools()
        return 0
    wanted = [*PACKAGES, *args.package]
    if not os.environ.get("KERNEL_SOURCE"):
        wanted.append(kernels.LAB.package)
    missing = not_installed(wanted)
    if missing:
        install(missing)
    return 0
