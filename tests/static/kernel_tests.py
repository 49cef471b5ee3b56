# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's own checks on our kernel files: sparse, and the warnings of W=1."""

import functools
import subprocess

from lab import graft, harness, kernel
from lab.term import cache_lock

test = functools.partial(harness.test, suite="built")

# The existing files that the hooks have call our functions, or what stands in for them.
HOOKED = [path for patch in graft.Manifest().patches for path in graft.patched_paths(patch)
          if path.startswith("arch/arm64/kvm/") and path.endswith(".c") and "/hyp/" not in path]


def make(*targets, flavour=kernel.BASE_FLAVOUR, sparse="C=2"):
    """What a silent build with all checks says."""
    command = kernel.make_command(flavour, "-s", "--no-print-directory", sparse, "W=1", *targets)
    with cache_lock():
        done = subprocess.run(command, env=kernel.make_environment(), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", check=False)
    return done.returncode, done.stdout.splitlines()


@functools.cache
def upstream(flavour=kernel.BASE_FLAVOUR):
    """What it says of files that are built before any object: none of them ours."""
    make("prepare", flavour=flavour)
    return make("prepare", flavour=flavour)[1]


def check(path, flavour=kernel.BASE_FLAVOUR, sparse="C=2"):
    known = upstream(flavour)
    status, lines = make(path[:-1] + "o", flavour=flavour, sparse=sparse)
    left = "\n".join(line for line in lines if line not in known)
    assert not status and not left, left or f"make failed with status {status}"


for name in graft.Manifest().copies:
    # User space, of the selftests, is not built by Kbuild.
    if name.endswith(".c") and not name.startswith("tools/"):
        test(f"sparse and W=1: {name}", name)(check)

# Sparse has something to say of upstream's lines there.
for name in HOOKED:
    test(f"W=1 without the option: {name}", name, "nodriver", "C=0")(check)
