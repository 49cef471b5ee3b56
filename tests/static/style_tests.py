# SPDX-License-Identifier: GPL-2.0-only
"""House style that can be counted."""

import ast
import re
import statistics

from lab.harness import comment, test
from lab.paths import REPO
from tests.static.repository import sources

MEDIAN_LINES, P90_LINES, MAX_LINES = 13, 45, 100
# A file with more lines than the first gives a warning, with more than the second an error.
LONG_FILE, MAX_FILE = 400, 500
# No room for a first line in these: a patch, a document, data.
# What C of a folder may include from others. What goes into the kernel finds its headers there.
INCLUDES = {"common": set(), "vmm": {"common"}, "load": {"common"}, "tests": {"common", "vmm", "load", "host"}}
NO_SPDX = {".patch", ".md", ".svg", ".json", ".txt", ".png"}
C_FOLDERS = ("abi", "common", "guest", "host", "load", "tests", "vmm")


def c_functions(path):
    """(name, lines) of each function: in kernel style its braces stand in column 0."""
    start, head = None, ""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line == "{":
            start = number
        elif line == "}" and start:
            yield f"{path.relative_to(REPO)}: {head}", number - start + 1
            start = None
        elif line[:1].isalpha():
            head = line


def python_functions(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield f"{path.relative_to(REPO)}: {node.name}", node.end_lineno - node.lineno + 1


def is_python(path):
    with open(path, "rb") as text:
        return path.suffix == ".py" or text.readline().startswith(b"#!/usr/bin/env python3")


def python_files():
    return [path for path in sources("*") if is_python(path)]


def check_lengths(functions):
    lengths = sorted(length for _, length in functions)
    if not lengths:
        return
    median, p90 = statistics.median(lengths), lengths[len(lengths) * 9 // 10]
    comment(f"{len(lengths)} functions: median {median} lines, p90 {p90}, longest {lengths[-1]}")
    long = [f"{name}: {length} lines" for name, length in functions if length > MAX_LINES]
    assert not long, f"over {MAX_LINES} lines:\n" + "\n".join(long)
    assert median <= MEDIAN_LINES, f"median over {MEDIAN_LINES}"
    longest = sorted(functions, key=lambda item: -item[1])[:10]
    assert p90 <= P90_LINES, f"p90 over {P90_LINES}; the longest:\n" + "\n".join(map(str, longest))


@test("style: length of C functions")
def c_lengths():
    check_lengths([entry for path in sources("*.c", "*.h") for entry in c_functions(path)])


@test("style: length of Python functions")
def python_lengths():
    check_lengths([entry for path in python_files() for entry in python_functions(path)])


@test("style: length of files")
def file_lengths():
    files = {*sources("*.c", "*.h"), *python_files()}
    lengths = {str(path.relative_to(REPO)): len(path.read_text().splitlines()) for path in files}
    for name, lines in sorted(lengths.items()):
        if LONG_FILE < lines <= MAX_FILE:
            comment(f"warning: {name}: {lines} lines, over {LONG_FILE}")
    long = [f"{name}: {lines} lines" for name, lines in lengths.items() if lines > MAX_FILE]
    assert not long, f"over {MAX_FILE} lines:\n" + "\n".join(sorted(long))


@test("style: each file says its licence first")
def licences():
    bad = []
    for path in [*sources("*"), REPO / "Makefile", REPO / ".ci" / "run"]:
        if path.suffix in NO_SPDX or path.suffix in (".o", ".d"):
            continue
        with open(path, errors="replace") as text:
            first = text.readline()
            if first.startswith("#!"):
                first = text.readline()
        if "SPDX-License-Identifier: GPL-2.0" not in first:
            bad.append(str(path.relative_to(REPO)))
    assert not bad, "no SPDX-License-Identifier in the first line:\n" + "\n".join(bad)


@test("style: Python compiles")
def python_compiles():
    for path in python_files():
        compile(path.read_text(), path, "exec")


@test("style: C includes from other folders only what it may")
def includes():
    found, bad = 0, []
    for path in sources("*.c", "*.h", "*.S"):
        own = path.relative_to(REPO).parts[0]
        if own not in INCLUDES:
            continue
        for name in re.findall(r'^#include "(\.\./[^"]+)"', path.read_text(), re.M):
            target = (path.parent / name).resolve().relative_to(REPO).parts[0]
            found += 1
            if target != own and target not in INCLUDES[own]:
                bad.append(f"{path.relative_to(REPO)}: {name}")
    assert found >= 20, f"only {found} includes from other folders"
    assert not bad, "\n".join(bad)
