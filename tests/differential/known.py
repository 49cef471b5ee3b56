# SPDX-License-Identifier: GPL-2.0-only
"""What fails with APF off as well, in this guest and on this emulator, or is a bound of time; and why."""

import re

# (program, what it says, reason): regular expressions over whole names.
LISTED = (
    (r"stress-ng/io-uring", r"verdict: fail",
     "its IORING_OP_STATX asks for a file that it has removed (ENOENT)"),
    # Differs from off: there, the vCPU stands still for the page, and with it the hog.
    (r"kselftest/cgroup/test_cpu", r"sub: test_cpucg_stats",
     "a task burns CPU time until another, whose pages are missing, stops it; the bound is 40 ms"),
)


def covers(program, what):
    """Whether that is to be expected of the program."""
    return any(re.fullmatch(name, program) and re.fullmatch(said, what) for name, said, _ in LISTED)


def reason(program):
    return "; ".join(why for name, _, why in LISTED if re.fullmatch(name, program))
