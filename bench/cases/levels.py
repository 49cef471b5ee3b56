# SPDX-License-Identifier: GPL-2.0-only
"""The matrix: levels, vCPUs, tasks, page latencies, faults of tasks and of the kernel, in virtual time.

One boot has one VM per level, each of which does all runs that there are for its number of
vCPUs. So the levels are interleaved, and each boot has its own ceiling to compare with.
"""

import dataclasses

from bench.cases import FAULTS, Boot, machine
from bench.cases.levels_report import goals, sections  # noqa: F401
from bench.rows import Sample

ROUNDS = 3
COMPUTE_US = 20
LATENCIES = (0.03, 0.1, 0.5, 2, 10, 50)
# For the break-even. 0: as soon as the server can.
FINE = (0, 0.01, 0.02, 0.05, 0.2)
TASKS = (1, 2, 4, 8, 16, 32, 64)

# Metric, per fault -> figure of a run, and the levels where it says something.
MISSING = ("off", "halt", *machine.TOLD)
PER_FAULT = {
    "exits per fault": ("exits", MISSING),
    "stage-2 aborts per fault": ("stage2_aborts", MISSING),
    "hypercalls per fault": ("hypercalls", MISSING),
    "halts per fault": ("halted", MISSING[1:]),
    "waited for per fault": ("sync", MISSING[1:]),
    "announcements per fault": ("announced", machine.TOLD),
    "spurious per fault": ("spurious", machine.TOLD),
}


@dataclasses.dataclass(frozen=True)
class Run:
    """What all levels do. kernel: the guest's kernel touches the pages, in write(2)."""

    vcpus: int
    tasks: int
    page_ms: float
    kernel: bool = False
    bystander: bool = False
    same_page: bool = False
    each: int = 0

    def case(self):
        return FAULTS[self.kernel] + "+same-page" * self.same_page + "+bystander" * self.bystander

    def name(self):
        return f"{self.case()}-v{self.vcpus}-t{self.tasks}-{self.page_ms:g}ms"

    def pages(self):
        """Enough per task that start and end do not count for much; at most 1024 and a few."""
        most = 16 if self.page_ms >= 50 else 64 if self.page_ms >= 10 else 128
        each = self.each or max(16, min(most, 1024 // self.tasks))
        return each if self.same_page else each * self.tasks

    def step(self, label, first):
        return (f"run --tasks {self.tasks} --pages {self.pages()} --skip {first} "
                f"--compute {COMPUTE_US} --label {label}" + " --syscall" * self.kernel
                + " --bystander" * self.bystander + " --same-page" * self.same_page)

    def bound_ms(self, ceiling_ms, strict=False):
        """No schedule on one CPU ends earlier.

        The CPU has all the work to do that it does where no page is missing. A task
        has a page's latency to wait for, and its own work to do, one after the other; strict
        leaves the work out. With --same-page no two pages are under way at once.
        """
        chains = 1 if self.same_page else self.tasks
        work = 0 if strict else ceiling_ms
        return max(ceiling_ms, (self.pages() * self.page_ms + work) / chains)


def basics():
    """The choice of `make bench`, on one vCPU."""
    for kernel in (False, True):
        yield from (Run(1, 8, ms, kernel) for ms in LATENCIES)
        yield from (Run(1, 1, ms, kernel) for ms in (2, 10))
        yield from (Run(1, 8, ms, kernel, bystander=True) for ms in (0.5, 2, 10, 50))
    yield from (Run(1, 8, ms) for ms in FINE)
    yield from (Run(1, 1, ms) for ms in (0.03, 0.1, 0.5, 50))
    yield from (Run(1, tasks, 10) for tasks in TASKS)
    yield from (Run(1, tasks, 2) for tasks in (2, 4, 16, 64))
    yield from (Run(1, 8, ms, bystander=True, same_page=True) for ms in (2, 10))


def parallel_basics():
    for vcpus in (2, 4):
        yield from (Run(vcpus, 8, ms, kernel) for kernel in (False, True) for ms in (0.5, 2, 10))
        yield from (Run(vcpus, 16, ms) for ms in (2, 10))
        yield Run(vcpus, 1, 2)
        yield Run(vcpus, 8, 10, bystander=True)


def everything():
    for kernel in (False, True):
        yield from (Run(1, tasks, ms, kernel) for tasks in TASKS for ms in LATENCIES)
        yield from (Run(1, 8, ms, kernel) for ms in FINE)
        for ms in LATENCIES:
            yield Run(1, 8, ms, kernel, bystander=True)
            yield Run(1, 8, ms, kernel, bystander=True, same_page=True)
    for vcpus in (2, 4):
        for kernel in (False, True):
            yield from (Run(vcpus, tasks, ms, kernel) for tasks in (1, 8, 64) for ms in LATENCIES)
        yield from (Run(vcpus, 8, ms, bystander=True) for ms in LATENCIES)


def runs(full, chosen):
    """Without doubles, those of a latency together: apfvm takes 15 policies."""
    wanted = [*basics(), *parallel_basics(), *(everything() if full else ())]
    picked = dict.fromkeys(run for run in wanted if chosen(run.name()))
    return sorted(picked, key=lambda run: run.page_ms)


class Job:
    """The runs of one VM, with their places in the cold memory."""

    def __init__(self, of):
        self.runs = of
        self.first = []
        self.pages = 0
        for run in of:
            self.first.append(self.pages)
            self.pages += run.pages()

    def labels(self):
        return [(run, f"r{number}") for number, run in enumerate(self.runs)]

    def steps(self, level):
        steps = [run.step(label, first) for (run, label), first in zip(self.labels(), self.first)]
        if level == "ceiling":
            steps.insert(0, f"run --tasks 1 --pages {self.pages} --check first --label warm")
        return [*steps, "ps-d", "apf"]

    def policies(self, level):
        if level == "ceiling":
            return []
        ends = {}
        for run, first in zip(self.runs, self.first):
            start, _ = ends.get(run.page_ms, (first, 0))
            ends[run.page_ms] = start, first + run.pages()
        return [f"{start}-{end}:delay={ms:g}" if ms else f"{start}-{end}:now"
                for ms, (start, end) in ends.items()]

    def cold_mib(self):
        return -(-self.pages // machine.PAGES_PER_MIB)


def scenario(job, vcpus, turn):
    return machine.start(vcpus) + "".join(
        machine.vm(name, machine.LEVELS[name], job.steps(name), vcpus, job.cold_mib(),
                   job.policies(name)) for name in machine.rotated(turn))


def of_the_wall(run, level, wall, off, ceiling):
    """(metric, unit, value) that follow from how long it took."""
    yield "wall", "ms", wall
    if level in MISSING:
        yield "overlap", "ratio", run.bound_ms(ceiling) / wall
    if level in machine.TOLD:
        yield "overlap, strict", "ratio", run.bound_ms(ceiling, strict=True) / wall
    if level in MISSING[1:]:
        yield "speed-up", "times off", off / wall
        if run.tasks == 1:
            yield "slower than off", "%", 100 * (wall / off - 1)


def of_the_bystander(one, ceiling):
    yield "worst gap", "ms", one["bystander_worst_gap_ms"]
    yield "p99 gap", "ms", one["bystander_p99_gap_ms"]
    yield ("worst gap, of the ceiling's", "ratio",
           one["bystander_worst_gap_ms"] / ceiling["bystander_worst_gap_ms"])


def samples_of(run, level, one, off, ceiling):
    """One run at one level; off, ceiling: the same run in the same boot."""
    found = [*of_the_wall(run, level, one["wall_ms"], off["wall_ms"], ceiling["wall_ms"])]
    if level in ("off", "kernel", "ceiling"):
        found.append(("wall per fault", "us", 1000 * one["wall_ms"] / one["faults"]))
    found += [(metric, "count", one[key] / one["faults"])
              for metric, (key, levels) in PER_FAULT.items() if level in levels]
    if run.bystander:
        found += of_the_bystander(one, ceiling)
    return [Sample(run.case(), level, run.vcpus, run.tasks, run.page_ms, *what) for what in found]


def reader(job):
    def read(out):
        found = {name: machine.records(out, name) for name in machine.LEVELS}
        samples = []
        for run, label in job.labels():
            ones = {name: machine.figures(found[name], label, name) for name in found}
            for name, one in ones.items():
                samples += samples_of(run, name, one, ones["off"], ones["ceiling"])
        return samples
    return read


def boots(full, chosen):
    wanted = runs(full, chosen)
    for turn in range(ROUNDS):
        for vcpus in sorted({run.vcpus for run in wanted}):
            job = Job([run for run in wanted if run.vcpus == vcpus])
            yield Boot(f"levels-v{vcpus}-{turn + 1}", scenario(job, vcpus, 2 * turn), reader(job),
                       machine.host(vcpus), seconds=30 + 3 * len(job.runs))
