# SPDX-License-Identifier: GPL-2.0-only
"""Which Python package may import from which, and how: no circle between folders."""

import ast

from lab.harness import test
from lab.paths import REPO

# Folder -> those that its modules import from, beside itself.
MAY_IMPORT = {
    "lab": (),
    "bench": ("lab",),
    "tests": ("lab",),
    "tests/simulate": ("lab", "tests"),
    "tests/differential": ("lab", "tests"),
    "tests/system": ("lab", "tests", "tests/simulate", "tests/differential"),
    "tests/static": ("lab", "tests", "tests/simulate", "tests/differential"),
}
# The benchmark's own tests.
OF_BENCH = ("tests/static/bench_tests.py", "tests/system/measure_tests.py")
# They run in a guest or a host, from a folder of their own.
INSIDE = ("lab/inside", "tests/differential/guest")


def modules():
    for top in ("lab", "bench", "tests"):
        for path in sorted((REPO / top).rglob("*.py")):
            name = str(path.relative_to(REPO))
            if not name.startswith(INSIDE):
                yield name, ast.parse(path.read_text())


def imported(tree):
    """The modules that it imports, and what it imports from them: any may be a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert not node.level, "a relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def folder_of(name):
    """The folder in the table of a path or a module, or None: not one of ours."""
    parts = name.replace(".", "/").split("/")
    found = ["/".join(parts[:n]) for n in (2, 1) if "/".join(parts[:n]) in MAY_IMPORT]
    return found[0] if found else None


@test("imports: only from below, and nothing from bench but its own tests")
def from_below():
    wrong = []
    for name, tree in modules():
        own = folder_of(name)
        allowed = {own, *MAY_IMPORT[own], *(("bench",) if name in OF_BENCH else ())}
        wrong += [f"{name} imports {module}" for module in imported(tree)
                  if folder_of(module) not in (None, *allowed)]
    assert not wrong, "\n".join(wrong)


@test("imports: of packages, with sys.path as it is")
def path_untouched():
    wrong = [name for name, tree in modules() for node in ast.walk(tree)
             if isinstance(node, ast.Attribute) and node.attr == "path"
             and isinstance(node.value, ast.Name) and node.value.id == "sys"]
    assert not wrong, "\n".join(wrong)
