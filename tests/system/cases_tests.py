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

DELAY = 20

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
    Case("vfork_child_execs", 2, pages=0),
    Case("vfork_child_exits", 2, pages=0),
    Case("exec_of_an_owner", 4, pages=0),
    Case("exec_from_a_thread", 4, pages=0),
    Case("core_of_cold_memory", 8, pages=0),
    Case("core_of_a_task_that_waits", 4, pages=0),
)
WAITS = (
    Case("attached_and_detached", 8, pages=0),
    Case("single_stepped", 40, pages=0),
    Case("stopped_and_continued", 40, pages=0),
    Case("killed_in_a_storm", 4, pages=0),
    Case("group_killed", 8, pages=0),
    Case("unmapped", 4, pages=0),
    Case("moved", 4, pages=0),
    Case("protected", 4, pages=0),
    Case("given_up", 4, pages=0),
    Case("forked", 4, pages=0),
    Case("cut_off", 4, pages=0),
    Case("read_and_written_from_outside", 4, pages=0),
    Case("cold_process_read_and_written", 4, pages=0),
    Case("served_by_userfaultfd", 4, pages=0),
    Case("locked", 4, pages=0),
    Case("of_a_memfd", 4, pages=0),
)
KERNELS = (
    Case("on_a_cold_stack", 6, pages=0),
    Case("on_a_cold_stack_while_waiting", 6, pages=0),
    Case("timer_while_waiting", 6, pages=0),
    Case("signal_while_the_kernel_waits", 4, pages=0),
    Case("rseq_is_cold", 6, pages=0),
    Case("pending_and_masks", 2, pages=0),
    Case("waits_and_wakes", 2, pages=0),
    Case("requeued", 4, pages=0),
    Case("woken_by_an_operation", 4, pages=0),
    Case("priority_inherited", 6, pages=0),
    Case("pi_words", 3, pages=0),
    Case("robust_list_asked_for", 2, pages=0),
    Case("scattered_and_gathered", 2, pages=0),
    Case("spliced", 2, pages=0),
    Case("random_bytes", 4, pages=0),
    Case("polled", 2, pages=0),
    Case("filled_in", 2, pages=0),
    Case("limited", 3, pages=0),
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


def overlap(outcome, name):
    """How often something was done while another task waited; None if the case does not say."""
    said, begun = None, False
    for record in outcome.records:
        begun |= record.get("stats") == f"{name}-begin"
        if record.get("case") == name:
            break
        if begun:
            said = record.get("overlap", said)
    return said


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


GROUPS = {"exits": EXIT, "waits": WAITS, "kernels": KERNELS}


for _group, _level, _cpus in itertools.product(GROUPS, LEVELS, (1, 2)):
    _name = f"{_group}_{_level}_{_cpus}"
    test(_name, _name, GROUPS[_group], _level, _cpus)(run_cases)
