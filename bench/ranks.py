# SPDX-License-Identifier: GPL-2.0-only
"""The Mann-Whitney test, exact: how likely two samples of the same thing differ that much."""

from fractions import Fraction
from functools import cache


@cache
def ways(n, m, u):
    """In how many orders of n and m values u pairs stand the other way round."""
    if u < 0:
        return 0
    if n == 0 or m == 0:
        return int(u == 0)
    return ways(n - 1, m, u - m) + ways(n, m - 1, u)


def mann_whitney(first, second):
    """The two-sided p of two samples. Ties count as half a pair, rounded to the cautious side."""
    n, m = len(first), len(second)
    pairs = sum(Fraction(1, 2) if a == b else int(a > b) for a in first for b in second)
    u = min(pairs, n * m - pairs)
    tail = sum(ways(n, m, k) for k in range(int(u + Fraction(1, 2)) + 1))
    total = sum(ways(n, m, k) for k in range(n * m + 1))
    return min(1.0, 2 * tail / total)
