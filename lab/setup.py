# SPDX-License-Identifier: GPL-2.0-only
"""What a target of make needs: built in the right order, if it is not there yet.

Before anything is built, all of it is told, with the time that it usually takes.
"""

import dataclasses
import os
import re
import shutil
from collections.abc import Callable

from lab import (debian, images, installed, kernel, kernels, paths, programs, source, stock, term,
                 userspace)
from lab.term import LabError, cache_lock, minutes, say

# To bring a kernel or a folder of programs up to date takes less than the first build.
AGAIN = 0.15
# The figures here were measured with so many CPUs.
CPUS = 2
# What is over so soon is not announced.
SHORT = 20
# What a target needs beside the kernels, by lab/kernels.py, the VMM, the workload and the images.
MORE = {
    "demo": (), "shell": (),
    "bench": ("debian", "stock"), "bench-full": ("debian", "stock"),
    "test": ("guests", "debian", "programs", "stock"),
    "test-paranoid": ("guests", "stock"),
    "test-guests": ("guests", "debian", "stock", "firmware", "installed"),
    "test-long": ("guests",),
    "test-differential": ("programs",),
    "simulate": (), "soak": (),
}
# A target that needs nothing but the images.
BASE = "demo"
# What is built alone, under a name of its own. KERNELS stands for all of `make test`.
KERNELS = "kernels"
PARTS = {
    "kernel": ("source", KERNELS, "headers"),
    "vmm": ("source", "headers", "vmm"),
    "load": ("source", "headers", "load"),
    "guests": ("source", "headers", "vmm", "guests"),
    "debian": ("debian",),
    "programs": ("source", "headers", "programs"),
}
# A run of a target that is ready, as the Makefile tells it.
WARM = re.compile(r"^([a-z-]+):[^#\n]*## [^|\n]*\|([^|\n]*)\|", re.M)


@dataclasses.dataclass
class Part:
    """seconds: how long it takes where nothing is there yet, with CPUS; again: otherwise.

    parallel: it takes as much less with more CPUs.
    """

    title: str
    seconds: float
    is_due: Callable
    build: Callable
    is_fresh: Callable = lambda: True
    parallel: bool = False

    def usual(self):
        """Seconds, on this machine."""
        seconds = self.seconds if self.is_fresh() else self.seconds * AGAIN
        return seconds * CPUS / os.cpu_count() if self.parallel else seconds


def locked(function, *args):
    def build():
        with cache_lock():
            function(*args)
    return build


def source_part():
    return Part("the kernel source", 15, lambda: not source.ORIGIN.exists(), locked(source.ensure))


def kernel_part(flavour):
    return Part(f"kernel {flavour}", kernels.FLAVOURS[flavour].seconds,
                lambda: kernel.is_due(flavour), locked(kernel.build, flavour),
                lambda: kernel.is_fresh(flavour), parallel=True)


def userspace_part(title, group, seconds):
    return Part(title, seconds, lambda: userspace.is_due(group), locked(userspace.build, group),
                parallel=True)


def stock_part(names):
    theirs = [name for name in names if name in stock.KERNELS]
    return Part(f"Debian's kernels {', '.join(theirs)}", 45 * len(theirs),
                lambda: bool(shutil.which("apt-get")) and stock.is_due(names),
                lambda: stock.provide(names),
                lambda: not all(map(stock.is_fetched, theirs)))


def part(name, target):
    """The Part that has this name among those of a target."""
    if name == "stock":
        own = tuple(flavour for flavour in kernels.flavours_for(target) if flavour == stock.LOCKDEP)
        return stock_part((*kernels.stock_for(target), *own))
    return {
        "source": source_part,
        "headers": lambda: Part("the kernel's headers", 10, kernel.headers_due,
                                locked(kernel.ensure_headers)),
        "vmm": lambda: userspace_part("the VMM", "vmm", 15),
        "load": lambda: userspace_part("the workload", "load", 10),
        "guests": lambda: userspace_part("what only tests run", "guests", 30),
        "images": lambda: Part("the initramfs images", 10, images.is_due, images.build),
        "debian": lambda: Part("disk image of Debian's programs", 60, debian.is_due, debian.ensure),
        "programs": lambda: Part("disk image of programs that judge themselves", 230,
                                 programs.is_due, programs.ensure),
        "firmware": lambda: Part("UEFI for QEMU", 10, lambda: not stock.FIRMWARE.exists(),
                                 locked(stock.firmware)),
        "installed": lambda: Part("an installation of Debian", 900, installed.is_due,
                                  installed.ensure),
    }[name]()


def names_of(target):
    """What PARTS has, or would have if it had all targets."""
    if target in PARTS:
        return PARTS[target]
    more = MORE[BASE if target == "images" else target]
    # Of a benchmark that is only a part, what a case needs is made when it is run.
    if target.startswith("bench") and os.environ.get("T"):
        more = ()
    return ("source", KERNELS, "headers", "vmm", "load",
            *(name for name in more if name == "guests"), "images",
            *(name for name in more if name != "guests"))


def parts(target):
    """[Part], in the order in which they need each other."""
    flavours = kernels.flavours_for({"images": BASE, "kernel": "test"}.get(target, target))
    found = []
    for name in names_of(target):
        found += map(kernel_part, flavours) if name == KERNELS else [part(name, target)]
    return found


def warm(target):
    """How long the target itself takes, in the Makefile's words; "" if it does not know."""
    found = dict(WARM.findall((paths.REPO / "Makefile").read_text()))
    return found.get(target, "").strip(" ?")


def announce(target, due):
    """What is to be built, and about how long that takes."""
    seconds = sum(item.usual() for item in due)
    if seconds < SHORT:
        return
    say(f"make {target}: some things are to be built first, once; that takes {minutes(seconds)}:")
    for item in due:
        say(f"  {item.title}" + (f": {minutes(item.usual())}" if item.usual() >= SHORT else ""))
    own = warm(target) if target in MORE and not os.environ.get("T") else ""
    if own:
        say(f"Then make {target} itself: {own}.")
    say(f"What a build says is in {paths.LOG}, line by line.")


def build(all_parts, due):
    """All of them: only what is due takes time, and is shown."""
    if not due:
        for item in all_parts:
            item.build()
        return
    with term.overall([item.usual() for item in due]) as overall:
        for item in all_parts:
            if item in due:
                overall.begin(item.usual())
            item.build()


def arguments(parser):
    parser.add_argument("target", choices=(*MORE, "images", *PARTS), metavar="TARGET",
                        help=f"of {' '.join((*MORE, 'images', *PARTS))}")
    parser.add_argument("--plan", action="store_true", help="only say what is to be built")
    parser.add_argument("--quiet", action="store_true", help="do not say it before")


def command(args):
    """Build what a target of make needs, if it is not there yet; say before how long that takes."""
    all_parts = parts(args.target)
    due = [item for item in all_parts if item.is_due()]
    if not args.quiet:
        announce(args.target, due)
    if not args.plan:
        build(all_parts, due)
    return 0
