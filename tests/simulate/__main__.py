# SPDX-License-Identifier: GPL-2.0-only
"""Run seeds: of each its configuration follows, and in virtual time all that then happens.

Fixed consecutive seeds from --from on; without a number of them, new ones each day. With
--seed one alone, which is compared with what it did before. The results are lines of JSON in
out/simulate/results.jsonl; the folder of a seed that failed is kept beside it.
"""

import argparse
import os

from lab import term
from tests.simulate import many


def number(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return value


def arguments():
    parser = argparse.ArgumentParser(prog="python3 -m tests.simulate", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--seeds", type=number, metavar="N", help="as many, from --from on")
    what.add_argument("--seed", type=number, metavar="K", help="this one alone")
    parser.add_argument("--from", type=number, default=1, metavar="K", dest="first",
                        help="the first one of --seeds (1)")
    parser.add_argument("--jobs", type=number, default=os.cpu_count(), metavar="J",
                        help="QEMUs at a time (as many as CPUs)")
    parser.add_argument("--show", action="store_true", help="only the configurations")
    return parser.parse_args()


def main():
    args = arguments()
    if args.seed:
        return many.alone(args.seed, args.show)
    first, count = (args.first, args.seeds) if args.seeds else many.of_today()
    return many.run(range(first, first + count), args.jobs, args.show)


if __name__ == "__main__":
    term.main(main)
