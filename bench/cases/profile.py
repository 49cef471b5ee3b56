# SPDX-License-Identifier: GPL-2.0-only
"""Where the instructions of a fault go: QEMU logs each one, and symbols name its function.

Also how many instructions APF adds to a stage-2 fault whose page the host has.

Pages come from a server (userfaultfd), or from swap, where they are read from null_blk.
"""

import dataclasses
import functools
import itertools
import statistics
from collections import Counter

from bench import execlog, page
from bench.cases import FAULTS, Boot, backings, levels, machine
from bench.page import Section
from bench.rows import Sample
from lab.result import ResultError

TASKS, MEGABYTES = 8, 400
PAGE_MS = (2, 0.1)
SWAP = "swap"
PRESENT_SKIP, PRESENT_MEGABYTES, PRESENT_MIB = 64, 40, 8
# A file of zeros in memory: not what the guest expects to find, and it says so, which is no matter.
PRESENT = """\
dd if=/dev/zero of=/tmp/cold bs=1M count={mib} 2>/dev/null
{vm}"""
PRESENT_METRICS = ("stage-2 fault, page present", "of them APF")
TOP = 15

# Beginning of an object's path -> what it is called here; the first that fits.
GROUPS = (
    ("arch/arm64/kvm/apf", "KVM: APF"), ("arch/arm64/kvm/vgic/vgic-apf", "KVM: APF"),
    ("drivers/virt/kvm_apf", "APF driver"),
    ("arch/arm64/kvm/vgic", "KVM: vGIC"), ("arch/arm64/kvm/arch_timer", "KVM: timer"),
    ("arch/arm64/kvm/hyp", "KVM: world switch, page tables"),
    ("arch/arm64/kvm", "KVM: run loop"), ("virt/kvm", "KVM: run loop"),
    ("fs/userfaultfd", "userfaultfd"), ("mm/userfaultfd", "userfaultfd"),
    ("mm/", "memory management"), ("kernel/workqueue", "workqueue"),
    ("kernel/sched", "scheduler"), ("kernel/time", "timers"), ("drivers/clocksource", "timers"),
    ("kernel/irq", "interrupts"), ("drivers/irqchip", "interrupts"), ("kernel/softirq", "interrupts"),
    ("kernel/rcu", "RCU, locks"), ("kernel/locking", "RCU, locks"),
    ("arch/arm64/kernel/entry", "exception entry"), ("arch/arm64/kernel", "arm64, other"),
    ("arch/arm64/lib", "copies of memory"), ("fs/", "files, poll"), ("lib/", "library"),
)


@dataclasses.dataclass(frozen=True)
class Kind:
    """per_page: called once per page that comes, which all else is divided by; skip: so many first."""

    levels: tuple
    page_ms: tuple = PAGE_MS
    per_page: str = "mfill_atomic_copy"
    skip: int = 64


# Of a VM that was paged out, the pages of its own kernel come first.
CASES = {FAULTS[0]: Kind(("off", "kernel")), FAULTS[1]: Kind(("kernel",)),
         SWAP: Kind(("off", "kernel"), (0.1,), "swap_read_folio", 1200)}


def group_of(path):
    return next((called for start, called in GROUPS if path.startswith(start)), "other")


def name_of(case, level, page_ms):
    return f"profile-{case}-{level}-{page_ms:g}ms"


def work(case, page_ms):
    return levels.Job([levels.Run(1, TASKS, page_ms, kernel=case == FAULTS[1])])


def scenario(case, level, page_ms):
    if case == SWAP:
        return backings.swapped(backings.Backing(backings.ANONYMOUS, page_ms), (level,))
    job = work(case, page_ms)
    return machine.start(1) + machine.vm("profile", machine.LEVELS[level], job.steps(level), 1,
                                         job.cold_mib(), job.policies(level))


@functools.cache
def functions():
    return execlog.Functions()


class Profile:
    """Instructions by mode and function, between the first page and the last in the log."""

    def __init__(self, log, per_page):
        self.count, self.pages = Counter(), 0
        since = Counter()
        cache = {}
        for _, mode, pc in execlog.instructions(log):
            name = cache.get(pc)
            if name is None:
                name = cache[pc] = functions().name(pc)
            if name == per_page and pc == functions().start[name]:
                if self.pages:
                    self.count += since
                since.clear()
                self.pages += 1
            since[mode, name] += 1
        self.pages -= 1

    def groups(self):
        """{(mode, group): instructions per page}."""
        found = Counter()
        for (mode, name), count in self.count.items():
            kernel = mode in ("host kernel", "guest EL1")
            found[mode, group_of(functions().object(name)) if kernel else "all"] += count
        return {key: count / self.pages for key, count in found.items()}

    def top(self, mode):
        of = Counter({name: count for (who, name), count in self.count.items() if who == mode})
        return [(name, count / self.pages) for name, count in of.most_common(TOP)]


def profile_reader(case, level, page_ms):
    def read(out):
        log = out.parent / "exec.log"
        profile = Profile(log, CASES[case].per_page)

        def sample(what, value):
            return Sample(f"profile {case}", level, 1, TASKS, page_ms, what, "instructions", value)

        samples = [sample("all, per fault", sum(profile.count.values()) / profile.pages)]
        samples += [sample(f"{mode}: {group}", count)
                    for (mode, group), count in sorted(profile.groups().items(),
                                                       key=lambda item: (item[0][0], -item[1]))]
        samples += [sample(f"host kernel, {name}()", count)
                    for name, count in profile.top("host kernel")]
        log.unlink()
        return samples
    return read


def aborts(log):
    """Per stage-2 abort: instructions from its handler to the guest, and those of our code."""
    names = functions()
    begin, end = names.start["kvm_handle_guest_abort"], names.start["__guest_enter"]
    ours = {name for name in names.names if group_of(names.object(name)) == "KVM: APF"}
    found, now = [], None
    for cpu, mode, pc in execlog.instructions(log):
        if mode != "host kernel":
            continue
        if pc == begin:
            now = [cpu, 0, 0]
        if not now or cpu != now[0]:
            continue
        if pc == end:
            found.append(now[1:])
            now = None
            continue
        now[1] += 1
        now[2] += names.name(pc) in ours
    return found


def read_present(level):
    def read(out):
        log = out.parent / "exec.log"
        found = aborts(log)
        if not found:
            raise ResultError("no stage-2 fault in the log")
        for column, what in enumerate(PRESENT_METRICS):
            yield Sample("nothing missing", level, 1, 1, None, what, "instructions",
                         statistics.median(row[column] for row in found))
        log.unlink()
    return read


def present_scenario(level):
    step = f"run --tasks 1 --pages {256 * PRESENT_MIB} --check first"
    vm = machine.vm("present", machine.LEVELS[level], (step,), 1, PRESENT_MIB,
                    options=("--cold-file", "/tmp/cold"))
    return machine.start(1) + PRESENT.format(mib=PRESENT_MIB, vm=vm)


def tracing(symbol, skip, megabytes):
    return lambda folder: execlog.logging(folder, functions().start[symbol], skip, megabytes)


def boots(full, chosen):
    for case, kind in CASES.items():
        for level, page_ms in itertools.product(kind.levels, kind.page_ms):
            name = name_of(case, level, page_ms)
            if chosen(name) and (full or page_ms == PAGE_MS[0]):
                yield Boot(name, scenario(case, level, page_ms),
                           profile_reader(case, level, page_ms), machine.host(1), seconds=50,
                           beside=tracing(kind.per_page, kind.skip, MEGABYTES))
    for level in ("off", "kernel"):
        if chosen(f"present-{level}"):
            yield Boot(f"present-{level}", present_scenario(level), read_present(level),
                       machine.host(1), seconds=20,
                       beside=tracing("kvm_apf_faultin_pfn", PRESENT_SKIP, PRESENT_MEGABYTES))


def columns(table):
    return [(case, level, ms) for ms in PAGE_MS for case, kind in CASES.items()
            for level in kind.levels
            if table.get(f"profile {case}", level, 1, TASKS, ms, "all, per fault")]


def sections(table):
    shown = columns(table)
    body = ""
    if shown:
        head = ("instructions per fault", *(f"{case}, {level}, {ms:g} ms"
                                            for case, level, ms in shown))
        metrics = dict.fromkeys(row["metric"] for row in table.select(
            case={f"profile {case}" for case in CASES}))
        tops = [metric for metric in metrics if metric.endswith("()")]
        groups = [metric for metric in metrics if metric not in tops]
        rows = {metric: [table.value(f"profile {case}", level, 1, TASKS, ms, metric)
                         for case, level, ms in shown] for metric in metrics}
        lines = [(metric, *("-" if value is None else f"{value:,.0f}" for value in rows[metric]))
                 for metric in groups + tops]
        body += page.paragraph(
            "8 tasks on one vCPU. Guest EL0 does 20,000 instructions of work after each page and checks "
            "the page's content with the rest. Host user is the server of the pages. With swap there "
            "is no server, and what the disk (null_blk) does is in the host's kernel. Again: "
            "`make bench T=profile`.")
        body += page.table(head, lines[:len(groups)])
        body += page.folded("the host kernel's functions with the most instructions",
                            page.table(head, lines[len(groups):]))
    present = [(level, *(table.value("nothing missing", level, 1, 1, None, what)
                                 for what in PRESENT_METRICS))
               for level in ("off", "kernel")]
    if all(None not in row for row in present):
        body += page.paragraph(
            "The cost when nothing is missing: instructions of a stage-2 fault whose page the host has, "
            "from KVM's handler back to the guest, and how many of them are APF's code (medians). Again: "
            "`make bench T=present`.")
        body += page.table(("level", "stage-2 fault", "of them in APF's code"), present)
    return [Section("Where the instructions go", body)]
