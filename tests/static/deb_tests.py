# SPDX-License-Identifier: GPL-2.0-only
"""The Debian packages: lintian has nothing to say, and dkms would build what we build."""

import shutil
import tempfile

from harness import REPO, Skip, quiet, test
from lab import deb, stock


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
