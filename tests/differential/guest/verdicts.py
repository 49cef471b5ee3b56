# SPDX-License-Identifier: GPL-2.0-only
"""The verdicts within a program's output, by name: TAP, as kselftest and pytests.py speak it."""

import re

POINT = re.compile(r"^[\s#]*(not ok|ok)\b[ \t]*\d*[ \t]*-?[ \t]*(.*)$")
DIRECTIVE = re.compile(r"#\s*(SKIP|XFAIL|TODO)\b", re.I)
# What differs from run to run.
VARYING = re.compile(r"0x[0-9a-f]+|\b\d{4,}\b|\d+\.\d+")
MOST = 2000


def parse(text):
    """Name -> ok, "not ok" or skip. The n-th of the same name has #n behind it."""
    found = {}
    for line in text.splitlines():
        match = POINT.match(line)
        if not match or len(found) >= MOST:
            continue
        skip = DIRECTIVE.search(match[2])
        name = VARYING.sub("N", match[2][:skip.start()] if skip else match[2]).strip()[:120]
        number = 1
        while (key := name if number == 1 else f"{name}#{number}") in found:
            number += 1
        found[key] = "skip" if skip else match[1]
    return found
