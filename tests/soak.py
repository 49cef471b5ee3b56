# SPDX-License-Identifier: GPL-2.0-only
"""Run the tests that are chains and loops again and again, in TAP, until the time is over.

MINUTES says how long (30). No round is quite like another: in virtual time QEMU gives
each machine other random seeds, and in real parallel nothing repeats.
"""

import os
import re
import subprocess
import sys
import time

from lab import paths

RUN = (sys.executable, "-m", "tests.system")
TESTS = ("ten_generations_of_restore", "cpus_offline_and_online_in_a_loop",
         "user_and_kernel_faults_in_real_parallel")


def minutes():
    text = os.environ.get("MINUTES", "30")
    if not re.fullmatch(r"\d+(\.\d+)?", text) or float(text) <= 0:
        sys.exit(f"make soak: MINUTES={text} is no number of minutes")
    return float(text)


def one_round(number, tests):
    done = subprocess.run(RUN, cwd=paths.REPO, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          text=True, env={**os.environ, "T": tests}, check=False)
    bad = done.returncode or not re.search(r"^ok ", done.stdout, re.M)
    print(f"{'not ok' if bad else 'ok'} {number + 1} - round {number + 1}", flush=True)
    if bad:
        print(re.sub(r"^", "# ", done.stdout, flags=re.M), flush=True)
    return not bad


def main():
    end = time.monotonic() + 60 * minutes()
    tests = os.environ.get("T") or f"^({'|'.join(TESTS)})$"
    rounds, failed = 0, 0
    while not rounds or time.monotonic() < end:
        failed += not one_round(rounds, tests)
        rounds += 1
    print(f"1..{rounds}")
    print(f"{rounds - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
