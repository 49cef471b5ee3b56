# SPDX-License-Identifier: GPL-2.0-only
"""A small benchmark: what `make bench` says of 8 tasks and pages of 10 ms."""

import functools

from bench import hosts, rows
from bench.cases import levels, machine
from lab import boot, harness, kernel
from lab.harness import comment
from tests.vm import OUT

# Figures, and bounds in virtual time, are those of a kernel that does not check itself.
test = functools.partial(harness.test, suits=not kernel.checks_itself())

RUNS = (levels.Run(1, 8, 10), levels.Run(1, 8, 10, kernel=True, bystander=True), levels.Run(1, 1, 10))
# Metric at our level -> lowest, highest. The gap is that of one run: one that falls together with
# the faults of all tasks at the start is longer than the median of several.
GOALS = {
    "overlap": (0.99, 1), "hypercalls per fault": (0, 0.01), "stage-2 aborts per fault": (1, 1.1),
    "announcements per fault": (1, 1), "spurious per fault": (0, 0), "halts per fault": (0, 0),
    "worst gap, of the ceiling's": (0.9, 1.5),
}


def check(table, run, level, metric, low, high):
    value = table.value(run.case(), level, run.vcpus, run.tasks, run.page_ms, metric)
    comment(f"{run.name()}, {level}: {metric} {value}")
    assert value is not None and low <= value <= high, \
        f"{run.name()}, {level}: {metric} is {value}, not {low} to {high}"


@test("bench_rows_are_complete", seconds=60)
def bench_rows_are_complete():
    job = levels.Job(RUNS)
    result = boot.run(levels.scenario(job, 1, 0), OUT / "bench_rows_are_complete",
                      **machine.host(1))
    hosts.check(result)
    table = rows.Table(rows.fold(levels.reader(job)(result.out)))
    for run in RUNS:
        for level in machine.LEVELS:
            check(table, run, level, "wall", 1, 60000)
    for run in RUNS[:2]:
        check(table, run, "off", "overlap", 0.1, 0.13)
        for metric, (low, high) in GOALS.items():
            if run.bystander or "gap" not in metric:
                check(table, run, "kernel", metric, low, high)
    check(table, RUNS[1], "announce", "halts per fault", 0.5, 100)
    check(table, RUNS[2], "kernel", "slower than off", -0.1, 0.5)
