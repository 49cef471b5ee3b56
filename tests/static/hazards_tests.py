# SPDX-License-Identifier: GPL-2.0-only
"""docs/hazards.md: each hazard names tests, and they exist."""

import re

from lab import harness
from lab.harness import test
from lab.paths import REPO

PAGE = REPO / "docs" / "hazards.md"
# Where a test's name is written: pattern of the files, and of the name in them.
DEFINITIONS = (
    ("selftests/*.c", r'\.name = "(\w+)"'),
    ("tests/unit/*.c", r"cmocka_unit_test\w*\((\w+)"),
    ("models/run", r'\("(model[^"]*)"'),
)
ROW = re.compile(r"^\|([^|]+)\|([^|]+)\|([^|]+)\|([^|]*)\|$", re.M)
# Tests, what was taken out, what they said then.
EXPERIMENT = re.compile(r"^\|([^|]+)\|([^|]+)\|([^|]+)\|$", re.M)
HEADINGS = ("hazard", "test")


def system_tests():
    """Of all suites, whatever the kernels that were chosen can run."""
    return {entry.name for entry in harness.discover("tests.system")}


def defined():
    return system_tests() | {name for pattern, name_is in DEFINITIONS for path in REPO.glob(pattern)
            for name in re.findall(name_is, path.read_text())}


def rows(pattern=ROW):
    """Hazard, tests, what they assert, what stands in where the lab cannot show it."""
    found = [[cell.strip() for cell in row] for row in pattern.findall(PAGE.read_text())]
    return [row for row in found if row[0] not in HEADINGS and not set(row[0]) <= set("-: ")]


@test("hazards_name_tests_that_exist")
def hazards_name_tests_that_exist():
    known = defined()
    assert len(rows()) >= 30, f"only {len(rows())} hazards in {PAGE}"
    wrong = []
    for hazard, tests, asserts, _ in rows():
        names = re.findall(r"`([^`]+)`", tests)
        if not names or not asserts:
            wrong.append(f"{hazard}: no test, or nothing that it asserts")
        wrong += [f"{hazard}: there is no test {name}" for name in names if name not in known]
    assert not wrong, "\n".join(wrong)


@test("each_test_of_a_life_was_seen_to_fail")
def each_test_of_a_life_was_seen_to_fail():
    seen = {name for tests, *_ in rows(EXPERIMENT) for name in re.findall(r"`([^`]+)`", tests)}
    life = {name for path in (REPO / "tests" / "system").glob("life_*_tests.py")
            for name in re.findall(r'^@test\("(\w+)"', path.read_text(), re.M)}
    assert len(life) >= 20, life
    assert not seen - defined(), f"there is no test {', '.join(sorted(seen - defined()))}"
    assert not life - seen, f"not seen to fail: {', '.join(sorted(life - seen))}"
