# SPDX-License-Identifier: GPL-2.0-only
"""Fixed seeds of `make simulate` (tests/simulate): the same of the same code, in every run."""

import functools

from lab import harness, kernel
from lab.harness import comment
from tests.simulate import one

# Figures, and bounds in virtual time, are those of a kernel that does not check itself.
test = functools.partial(harness.test, suits=not kernel.checks_itself())

SEEDS, PARTS = 50, 5


def simulated(first, end):
    failed = []
    for seed in range(first, end):
        record = one.run(seed)
        if not record["good"]:
            failed.append(one.describe(record))
    comment(f"seeds {first} to {end - 1}")
    assert not failed, "\n".join(failed)


for part in range(PARTS):
    begin, behind = (1 + SEEDS * n // PARTS for n in (part, part + 1))
    test(f"simulated_seeds_{begin}_to_{behind - 1}", begin, behind, seconds=60)(simulated)
