# SPDX-License-Identifier: GPL-2.0-only
"""Ordinary programs whose memory is missing: tests/guests/cases, at every level.

A case says itself whether all was as POSIX and Linux promise. Beside that, the pages
that it had paged out must have been missing, and asked for in the way of the level.
"""

import dataclasses
import itertools

from bench import report
from harness import test
from vm import Vm, check, expect, run

DELAY = 5

# Level -> Vm's, and what the guest's command line has for it. "announce" leaves the faults
# of the guest's kernel to the host.
LEVELS = {
    "off": ("off", ""),
    "halt": ("halt", ""),
    "announce": ("announce", "kvm_apf.kernel=0"),
    "kernel": ("announce", ""),
}


@dataclasses.dataclass
class Case:
    """pages: how many are missing, at least; kernel: of them, by accesses of the guest's kernel."""

    name: str
    count: int
    pages: int
    kernel: int = 0

    def step(self):
        return f"case {self.name} {self.count}"


EXIT = (
    Case("tid_words", 8, pages=8, kernel=8),
    Case("tid_words_of_killed_tasks", 8, pages=8, kernel=8),
    Case("threads_end_with_cold_tcbs", 8, pages=8, kernel=8),
    Case("threads_return_with_cold_tcbs", 8, pages=8),
    Case("threads_end_again_and_again", 64, pages=64, kernel=64),
    Case("robust_owner_killed", 1, pages=2, kernel=2),
    Case("robust_owner_exits", 1, pages=2, kernel=2),
)


def counted(outcome, name):
    """Of host and guest, over one case; the pages that were missing."""
    end = next((n for n, record in enumerate(outcome.records) if record.get("case") == name), None)
    assert end is not None, "did not come that far"
    before, after = [r["guest_apf"] for r in outcome.records[:end] if "guest_apf" in r][-2:]
    first, last = outcome.record(f"{name}-begin"), outcome.record(f"{name}-end")
    figures = {key: report.difference(report.sum_stats(first), report.sum_stats(last), stat)
               for key, stat in report.KVM_STATS.items()}
    figures["pages"] = last["uffd"]["requests"] - first["uffd"]["requests"]
    figures.update({f"guest_{key}": report.difference(before, after, key) for key in after})
    return outcome.records[end]["good"], figures


def wanted(case, level):
    """What of the counts is sure, whoever comes first."""
    counts = {"pages": (case.pages, None)}
    if level in ("off", "halt"):
        counts["announced"] = 0
    if level == "halt":
        counts["halted"] = (case.pages, None)
    if level == "announce":
        counts.update(guest_kernel=0, announced=(case.pages - case.kernel, None))
        if case.kernel:
            counts["halted"] = (case.kernel, None)
    if level == "kernel":
        counts.update(announced=(case.pages, None), guest_kernel=(case.kernel, None))
    return counts


def complaint(outcome, case, level):
    try:
        good, figures = counted(outcome, case.name)
        assert good, "not as it should be"
        expect(figures, **wanted(case, level))
    except AssertionError as wrong:
        return f"{case.name}: {wrong}"
    return ""


def run_cases(name, cases, level, cpus, **options):
    base, append = LEVELS[level]
    outcome = run(name, Vm(
        level=base, append=append, cpus=cpus, cold=0, policy=(f"ram:delay={DELAY}",),
        args=("--pageout",), steps=(*(case.step() for case in cases), "ps-d", "apf"), **options))
    wrong = [line for line in (complaint(outcome, case, level) for case in cases) if line]
    assert not wrong, "\n".join(wrong + outcome.find("error"))
    check(outcome)


def exits(level, cpus):
    run_cases(f"exits_{level}_{cpus}", EXIT, level, cpus)


for _level, _cpus in itertools.product(LEVELS, (1, 2)):
    test(f"exits_{_level}_{_cpus}", _level, _cpus)(exits)
