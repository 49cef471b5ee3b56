# SPDX-License-Identifier: GPL-2.0-only
"""The Debian packages: lintian has nothing to say, dkms would build what we build, and apt brings
the headers that it needs for that.
"""

import functools
import os
import re
import shutil
import subprocess
import tempfile

from lab import apt, deb, dkms, harness, stock
from lab.harness import Skip
from lab.paths import REPO
from tests.static.repository import quiet

test = functools.partial(harness.test, suite="packages")


@test("deb: lintian is silent")
def lintian():
    if not shutil.which("lintian"):
        raise Skip("lintian is not installed")
    with tempfile.TemporaryDirectory() as folder:
        quiet(["lintian", "--allow-root", "--fail-on", "warning", *deb.build(folder)])


@test("deb: the same twice")
def reproducible():
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        for first, second in zip(deb.build(one), deb.build(other)):
            assert first.read_bytes() == second.read_bytes(), f"{first.name} differs"


@test("deb: dkms has all the driver's sources")
def sources():
    with tempfile.TemporaryDirectory() as folder:
        package = next(path for path in deb.build(folder) if "dkms" in path.name)
        quiet(["dpkg-deb", "-x", package, folder])
        for source, target in stock.DRIVER.items():
            packed = f"{folder}/{deb.SOURCE}/{target}"
            quiet(["cmp", REPO / source, packed])


def simulate(state, package, kernel):
    """Kernels and headers that apt would install where that package of a kernel is."""
    (state.folder / "status").write_text(
        f"Package: {kernel}\nStatus: install ok installed\nVersion: 99\nArchitecture: arm64\n"
        "Maintainer: nobody <nobody@localhost>\nDescription: for a test\n")
    done = subprocess.run(state.command("--simulate", "install", package), check=False, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert not done.returncode, done.stdout
    return re.findall(r"^Inst (linux-\S+)", done.stdout, re.M)


def check_headers(suite):
    """The dkms of Debian 12 always has linux-headers-arm64 come."""
    name = f"recommends-{os.getpid()}"
    with tempfile.TemporaryDirectory() as folder, apt.state(name, suite=suite) as state:
        package = deb.build(folder)[0]
        state.update(state.folder / "log")
        cloud = simulate(state, package, "linux-image-cloud-arm64")
        ordinary = simulate(state, package, "linux-image-arm64")
    assert "linux-headers-cloud-arm64" in cloud, cloud
    assert suite == dkms.SUITES[0] or "linux-headers-arm64" not in cloud, cloud
    assert not any(re.match(r"linux-image-.*\d-arm64$", name) for name in cloud), cloud
    assert "linux-headers-arm64" in ordinary, ordinary
    assert not any("cloud" in name for name in ordinary), ordinary


for release in dkms.SUITES:
    test(f"deb: apt brings the headers of the kernel that is there ({release})", release)(
        check_headers)
