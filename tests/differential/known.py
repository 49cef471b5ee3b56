# SPDX-License-Identifier: GPL-2.0-only
"""What fails with APF off as well, in this guest and on this emulator, and why."""

import re

# (program, what it says, reason): regular expressions over whole names.
LISTED = (
    (r"stress-ng/io-uring", r"verdict: fail",
     "its IORING_OP_STATX asks for a file that it has removed (ENOENT)"),
)


def covers(program, what):
    """Whether that is to be expected of the program."""
    return any(re.fullmatch(name, program) and re.fullmatch(said, what) for name, said, _ in LISTED)


def reason(program):
    return "; ".join(why for name, _, why in LISTED if re.fullmatch(name, program))
