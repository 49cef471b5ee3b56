# SPDX-License-Identifier: GPL-2.0-only
"""The lab's command line, its table of kernels, and what it would build for a target."""

import importlib
import os
import re
import subprocess
import sys
import tempfile

from lab import __main__ as command_line
from lab import kernels, setup
from lab.harness import test
from lab.paths import REPO
from tests.static.repository import sources

# The kernel's documents, C and data may name it; hooks are for one version.
SPELLS_OUT = re.compile(re.escape(kernels.LAB.version).replace(r"\.", r"(\\?\.|, |\(1\|)"))
TARGETS = re.compile(r"^([a-z-]+):[^#\n]*## ([^|\n]*)\|([^|\n]*)\|", re.M)


def lab(*words, **variables):
    return subprocess.run([sys.executable, "-m", "lab", *words], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, cwd=REPO,
                          env={**os.environ, **variables})


@test("lab: help lists each subcommand, and each has its own")
def subcommands():
    said = lab("help").stdout
    assert said == lab("--help").stdout == lab().stdout
    for name in command_line.SUBCOMMANDS:
        assert re.search(rf"^  {name} +\S", said, re.M), f"{name} is not listed"
        assert importlib.import_module(f"lab.{name}").command.__doc__, f"{name} has no help"


@test("lab: a subcommand that does not exist is refused")
def no_subcommand():
    done = lab("kernle")
    assert done.returncode == 2 and not done.stdout, done
    assert "kernle" in done.stderr and "lab help" in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


@test("lab: a version of the kernel is spelled out in the table of kernels alone")
def versions():
    found = [path for path in [*sources("*"), *(REPO / "packaging").iterdir(), REPO / "Makefile",
                          REPO / ".ci" / "run"]
             if path.suffix in (".py", ".sh", ".conf", "") and "hooks" not in path.parts
             and path.name != "kernels.py" and SPELLS_OUT.search(path.read_text(errors="replace"))]
    assert not found, "\n".join(map(str, found))


def titles(target):
    return [item.title for item in setup.parts(target)]


@test("lab: each target is set up with the kernels that its tests use")
def kernels_of_targets():
    for target in setup.MORE:
        built = {title.removeprefix("kernel ") for title in titles(target)
                 if title.startswith("kernel ")}
        assert built == set(kernels.flavours_for(target)), f"{target}: {built}"
    for name in ("demo", "shell", "bench", "simulate", "soak"):
        assert set(kernels.flavours_for(name)) == {"lab", "nodriver"}, name
    assert set(kernels.FLAVOURS) == {flavour for target in setup.MORE
                                     for flavour in kernels.flavours_for(target)}


@test("lab: with an empty cache the demo says what it builds, and builds nothing else")
def plan_of_demo():
    with tempfile.TemporaryDirectory() as folder:
        done = lab("setup", "--plan", "demo", XDG_CACHE_HOME=folder, T="")
        assert not os.listdir(folder), "a plan is only said"
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"make demo: .* takes about \d+ minutes:", lines[0]), lines[0]
    assert [line.strip().partition(":")[0] for line in lines if line.startswith("  ")] == \
        titles("demo"), lines
    assert any(line.startswith("Then make demo itself: ") for line in lines), lines


@test("lab: make help tells the times of each target that boots something")
def times():
    told = {name: (cold.strip(), warm.strip())
            for name, cold, warm in TARGETS.findall((REPO / "Makefile").read_text())}
    missing = [target for target in setup.MORE if not all(told.get(target, ("", "")))]
    assert not missing, f"no cold and warm time behind ##: {', '.join(missing)}"
