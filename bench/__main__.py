# SPDX-License-Identifier: GPL-2.0-only
"""python3 -m bench COMMAND [OPTION...], where COMMAND is one of

    demo          the same work at each level: a table and two pictures
    measure       the benchmark
    report        the report of the recorded run
    instructions  the guest's instructions per announcement

python3 -m bench COMMAND --help says more of each.
"""

import importlib
import sys

from lab import term

COMMANDS = ("demo", "measure", "report", "instructions")


def main():
    command, *options = sys.argv[1:] or [""]
    if command not in COMMANDS:
        asked = command in ("-h", "--help", "help")
        print(__doc__, file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
    return importlib.import_module(f"bench.{command}").main(options)


if __name__ == "__main__":
    term.main(main)
