# SPDX-License-Identifier: GPL-2.0-only
"""How near the system tests come to their bounds: an assertion that luck decides is a defect.

python3 -m tests.margins [RUNS]: run the system tests (T=REGEX: some of them) RUNS times
(10), and list each bound by the least distance that a value had from it, the nearest first. A
distance is relative to the bound; exact values have none.
"""

import collections
import json
import os
import subprocess
import sys

from lab import paths

RECORD = "APF_MARGINS"      # the file that note() appends to
NEAR = 0.05                 # what the list marks


def note(test, key, got, low, high):
    """One assertion of a test: a line of JSON, if somebody asked for it."""
    if test and RECORD in os.environ and low != high:
        with open(os.environ[RECORD], "a") as out:
            out.write(json.dumps([test.name, key, got, low, high]) + "\n")


def distance(got, bound, sign):
    return sign * (got - bound) / (abs(bound) or 1)


def bounds(record):
    """(test, key, bound), and how far the value was from it."""
    test, key, got, low, high = record
    if low is not None:
        yield (test, key, f">= {low:.6g}"), distance(got, low, 1)
    if high is not None:
        yield (test, key, f"<= {high:.6g}"), distance(got, high, -1)


def table(records):
    found = collections.defaultdict(list)
    for record in records:
        for bound, far in bounds(record):
            found[bound].append((far, record[2]))
    for (test, key, bound), seen in sorted(found.items(), key=lambda item: min(item[1])):
        values = sorted(value for _, value in seen)
        mark = "*" if min(seen)[0] < NEAR else " "
        yield (f"{mark} {min(seen)[0]:8.3f}  {test}: {key} {bound}  "
               f"({len(seen)}: {values[0]:.6g} to {values[-1]:.6g})")


def main():
    runs = int(sys.argv[1]) if sys.argv[1:] else 10
    out = paths.OUT / "margins"
    out.mkdir(parents=True, exist_ok=True)
    log = out / "assertions"
    log.unlink(missing_ok=True)
    failed = 0
    for number in range(runs):
        print(f"run {number + 1} of {runs}", file=sys.stderr)
        failed += subprocess.run([sys.executable, "-m", "tests.system"], cwd=paths.REPO,
                                 env={**os.environ, RECORD: str(log)}, check=False).returncode != 0
    lines = list(table(map(json.loads, log.read_text().splitlines())))
    (out / "table").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
