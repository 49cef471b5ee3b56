# SPDX-License-Identifier: GPL-2.0-only
"""Guests that run Debian's kernels as they are, without the driver and with it as a module.

Beside the kernel that has it built in: all of them in one host, one after the other.
"""

import contextlib
import dataclasses
import shutil

from bench import page
from bench.cases import Boot, Goal, levels, machine
from bench.page import Section
from bench.rows import Sample
from lab import stock

BUILT_IN = "lab"
RUNS = tuple(levels.Run(1, 8, ms) for ms in (2, 10))
# Level -> the host's, and what a guest of Debian's has: the archive of lab/stock.py.
STOCK_LEVELS = {"off": ("off", "late"), "halt": ("kernel", "late"), "announce": ("kernel", "boot"),
                "ceiling": ("ceiling", "late")}
WORDS = {
    ("stock", "off"): "without the driver", ("stock", "halt"): "without the driver",
    ("stock", "announce"): "driver loaded as a module", ("stock", "ceiling"): "without the driver",
    (BUILT_IN, "halt"): "driver built in, host at halt", (BUILT_IN, "announce"): "driver built in",
}


@dataclasses.dataclass(frozen=True)
class Guest:
    """One VM: a kernel at a level."""

    kernel: str
    level: str

    def name(self):
        return f"{self.kernel}-{self.level}"

    def vm(self, job):
        """sh"""
        level, boot = machine.LEVELS[self.level], {}
        if self.kernel != BUILT_IN:
            host, when = STOCK_LEVELS[self.level]
            level = dataclasses.replace(machine.LEVELS[host], guest="")
            boot = {"kernel": f"/boot/{self.kernel}", "modules": f"/boot/{self.kernel}.{when}"}
        return machine.vm(self.name(), level, (stock.SETTLE, *job.steps(self.level)), 1, job.cold_mib(),
                          job.policies(self.level), boot=boot)


def guests(kernels=stock.FEW):
    return [Guest(kernel, level) for kernel in (BUILT_IN, *kernels) for level in STOCK_LEVELS]


@contextlib.contextmanager
def with_kernels(_folder):
    """Of Debian's archive; not fetched before they are needed."""
    stock.ensure(stock.FEW)
    files = {stock.image(name): f"boot/{name}" for name in stock.FEW}
    files.update({stock.archive_file(name, when): f"boot/{name}.{when}"
                  for name in stock.FEW for when in ("late", "boot")})
    yield {"files": files}


def case(kernel):
    return f"guest {kernel}"


def read(out):
    job = levels.Job(RUNS)
    found = {guest: machine.records(out, guest.name()) for guest in guests()}
    for run, label in job.labels():
        ones = {guest: machine.figures(found[guest], label, guest.name()) for guest in found}
        for guest, one in ones.items():
            yield from samples(run, guest, one, ones[Guest(guest.kernel, "ceiling")])


def samples(run, guest, one, ceiling):
    def sample(metric, unit, value):
        return Sample(case(guest.kernel), guest.level, 1, run.tasks, run.page_ms, metric, unit, value)

    yield sample("wall", "ms", one["wall_ms"])
    if guest.level != "ceiling":
        yield sample("overlap", "ratio", run.bound_ms(ceiling["wall_ms"]) / one["wall_ms"])
        yield sample("announcements per fault", "count", one["announced"] / one["faults"])
        yield sample("halts per fault", "count", one["halted"] / one["faults"])


def boots(full, chosen):
    if chosen("guests") and shutil.which("apt-get"):
        job = levels.Job(RUNS)
        yield Boot("guests", machine.start(1) + "".join(guest.vm(job) for guest in guests()), read,
                   machine.host(1), seconds=90, beside=with_kernels)


def measured(table):
    """Debian's kernels that this run had, which may be others than those of today."""
    found = dict.fromkeys(row["case"] for row in table.rows if row["case"].startswith(case("")))
    return [of.removeprefix(case("")) for of in found if of != case(BUILT_IN)]


def goals(table):
    for kernel in measured(table) or stock.FEW:
        for run in RUNS:
            module, built_in = (table.value(case(of), "announce", 1, run.tasks, run.page_ms, "wall")
                                for of in (kernel, BUILT_IN))
            value = built_in / module if module and built_in else None
            yield Goal(f"throughput with the driver as a module of Debian's {kernel} / "
                       f"with the driver built in, {run.page_ms:g} ms", ">= 0.9", None if value is None else f"{value:.3f}",
                       value is not None and value >= 0.9)


def row(table, guest, run):
    def value(metric, of=guest.level):
        return table.value(case(guest.kernel), of, 1, run.tasks, run.page_ms, metric)

    def ratio(metric, digits):
        return "-" if value(metric) is None else f"{value(metric):.{digits}f}"

    kind = BUILT_IN if guest.kernel == BUILT_IN else "stock"
    return (guest.kernel, f"{run.page_ms:g}", guest.level, WORDS.get((kind, guest.level), ""),
            f"{value('wall'):.1f}", f"{value('wall', 'off') / value('wall'):.2f}",
            ratio("overlap", 3), ratio("announcements per fault", 2), ratio("halts per fault", 2))


def sections(table):
    if not table.select(case=case(BUILT_IN)):
        return []
    rows = [row(table, guest, run) for run in RUNS for guest in guests(measured(table))]
    return [Section("Guests with Debian's own kernels", page.paragraph(
        "8 tasks on one vCPU, as above. Debian's kernels run unmodified. Without the driver their figures "
        "stand for any guest that knows nothing of APF. Again: `make bench T=^guests`.")
        + page.table(("kernel", "page ms", "level", "guest", "wall, ms", "times off", "overlap",
                      "announced per fault", "halts per fault"), rows))]
