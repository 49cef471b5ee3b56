# SPDX-License-Identifier: GPL-2.0-only
"""Static tests, in TAP.

A group is a module of tests here, GROUP_tests.py. Without one: all tests that need nothing but the
sources. $T: a regular expression that chooses among the tests by name.
"""

import argparse

from lab import harness, term


def arguments():
    parser = argparse.ArgumentParser(prog="python3 -m tests.static", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("group", nargs="*",
                        help=f"of {', '.join(harness.groups('tests.static'))}")
    parser.add_argument("--built", action="store_true",
                        help="those that need the kernels of `make test`, instead of the others")
    parser.add_argument("--list", action="store_true", help="only name the tests")
    return parser.parse_args()


def main():
    args = arguments()
    entries = harness.discover("tests.static", args.group)
    if not args.group:
        suite = "built" if args.built else ""
        entries = [entry for entry in entries if entry.suite == suite]
    if args.list:
        return harness.names(entries)
    return harness.run_in_turn(harness.chosen(entries))


if __name__ == "__main__":
    term.main(main)
