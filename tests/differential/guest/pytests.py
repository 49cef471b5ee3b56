# SPDX-License-Identifier: GPL-2.0-only
"""One module of CPython's test suite, with a verdict per test in TAP.

Without what its own driver (test.regrtest) allows only if it is asked to: the network, a lot
of CPU time, large files.
"""

import sys
import unittest

from test import support

SKIPPED = 4


class Points(unittest.TextTestResult):
    """A line for each."""

    count = 0

    def point(self, words, test, skip=""):
        Points.count += 1
        print(f"{words} {Points.count} {test.id()}{skip}", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.point("ok", test)

    def addError(self, test, err):
        super().addError(test, err)
        self.point("not ok", test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.point("not ok", test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.point("ok", test, f" # SKIP {reason}".replace("\n", " "))

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self.point("ok", test)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err:
            self.point("not ok", subtest)


def main():
    support.use_resources = {}
    try:
        suite = unittest.defaultTestLoader.loadTestsFromName(f"test.{sys.argv[1]}")
    except unittest.SkipTest as reason:
        print(f"1..0 # SKIP {reason}")
        return SKIPPED
    result = unittest.TextTestRunner(sys.stdout, resultclass=Points).run(suite)
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
