# SPDX-License-Identifier: GPL-2.0-only
"""The lab's command line: python3 -m lab SUBCOMMAND, from the root of the repository.

A subcommand is a module of this package. Its command(args) is run, whose description is the
help text; arguments(parser), if it has any, declares the options.
"""

import argparse
import importlib
import inspect
import sys

from lab import term

SUBCOMMANDS = {
    "boot": "boot the host in QEMU, and run a scenario or a shell in it",
    "deb": "make the Debian packages, in out/deb",
    "debian": "make the disk image of Debian's arm64 programs",
    "deps": "install the packages that the lab needs",
    "graft": "put our code into a kernel tree, or take it out",
    "images": "make the initramfs images of host and guest",
    "installed": "install Debian on a disk, for the guest of an owner",
    "kernel": "unpack, graft and build the lab's kernels",
    "paths": "print the path of a folder of the cache",
    "programs": "make the disk image of programs that judge themselves",
    "setup": "build what a target of make needs, and say before how long it takes",
    "stock": "fetch Debian's own kernels, and build our modules for them",
    "userspace": "build our own programs: the VMM, what guests run, what only tests run",
}
HELP = ("help", "-h", "--help")
USAGE = 2


def usage():
    width = max(map(len, SUBCOMMANDS))
    lines = [f"  {name:{width}}  {text}" for name, text in SUBCOMMANDS.items()]
    return "\n".join(["usage: python3 -m lab SUBCOMMAND [OPTION...]", "", *lines, "",
                      "python3 -m lab SUBCOMMAND --help: its options"])


def run(name, words):
    module = importlib.import_module(f"lab.{name}")
    parser = argparse.ArgumentParser(prog=f"python3 -m lab {name}",
                                     description=inspect.getdoc(module.command),
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    if hasattr(module, "arguments"):
        module.arguments(parser)
    return module.command(parser.parse_args(words))


def main():
    name, *words = sys.argv[1:] or ["help"]
    if name in HELP:
        print(usage())
        return 0
    if name not in SUBCOMMANDS:
        print(f"lab: there is no subcommand {name}: `python3 -m lab help` lists them",
              file=sys.stderr)
        return USAGE
    return run(name, words)


if __name__ == "__main__":
    term.main(main, f"lab {' '.join(sys.argv[1:2])}".strip())
