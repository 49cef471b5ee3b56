# SPDX-License-Identifier: GPL-2.0-only
"""Ordinary programs whose memory is missing: tests/guests/cases, at every level.

A case says itself whether all was as POSIX and Linux promise. Beside that, the pages
that it had paged out must have been missing, and asked for in the way of the level.
"""

import dataclasses
import itertools

from lab.harness import test
from lab.levels import LEVELS
from lab.result import KVM_STATS, difference, sum_stats
from tests.vm import Vm, check, expect, run, slower

DELAY = 20


@dataclasses.dataclass
class Case:
    """What is sure of it, whoever comes first.

    pages: how many are missing when they are touched; kernel: of them, by accesses of the
    guest's kernel to user memory; declined: by others of its accesses; any: by whoever is
    the first. All the others are missing in user space. overlap: how often
    something is done while a task waits, where the others run on.
    """

    name: str
    count: int
    pages: int
    kernel: int = 0
    declined: int = 0
    any: int = 0
    overlap: int = 0

    def step(self):
        return f"case {self.name} {self.count}"

    def user(self):
        return self.pages - self.kernel - self.declined - self.any


EXITS = (
    Case("tid_words", 8, pages=8, kernel=8),
    Case("tid_words_of_killed_tasks", 8, pages=8, kernel=8),
    Case("threads_end_with_cold_tcbs", 8, pages=8, kernel=8),
    Case("threads_return_with_cold_tcbs", 8, pages=16, any=8),
    Case("threads_end_again_and_again", 200, pages=200, kernel=200),
    Case("robust_owner_killed", 1, pages=2, kernel=2),
    Case("robust_owner_exits", 1, pages=2, kernel=2),
    Case("vfork_child_execs", 2, pages=10, kernel=8),
    Case("vfork_child_exits", 2, pages=2, kernel=2),
    Case("exec_of_an_owner", 4, pages=9, kernel=5),
    Case("exec_from_a_thread", 4, pages=9, kernel=5),
    Case("core_of_cold_memory", 8, pages=8, declined=8),
    Case("core_of_a_task_that_waits", 4, pages=4, overlap=4),
)
WAITS = (
    Case("attached_and_detached", 8, pages=16, kernel=6, overlap=4),
    Case("single_stepped", 40, pages=10),
    Case("stopped_and_continued", 40, pages=80, kernel=32, overlap=20),
    Case("killed_in_a_storm", 4, pages=4, overlap=4),
    Case("group_killed", 8, pages=64, kernel=24, overlap=1),
    Case("unmapped", 4, pages=4, overlap=4),
    Case("moved", 4, pages=4, overlap=4),
    Case("protected", 4, pages=4, overlap=4),
    Case("given_up", 4, pages=4, overlap=4),
    Case("forked", 4, pages=4, overlap=4),
    Case("cut_off", 4, pages=4, overlap=4),
    Case("read_from_outside", 4, pages=4, overlap=4),
    Case("cold_process_read_and_written", 4, pages=8, kernel=8),
    Case("served_by_userfaultfd", 4, pages=4, declined=4),
    Case("locked", 4, pages=8),
    Case("of_a_memfd", 4, pages=12, kernel=8),
)
CALLS = (
    Case("on_a_cold_stack", 6, pages=48, kernel=12),
    Case("on_a_cold_stack_while_waiting", 6, pages=60, kernel=12),
    Case("timer_while_waiting", 6, pages=6),
    Case("signal_while_the_kernel_waits", 4, pages=8, kernel=8),
    Case("rseq_is_cold", 6, pages=6, kernel=6),
    Case("pending_and_masks", 2, pages=12, kernel=10),
    Case("waits_and_wakes", 2, pages=6, declined=4),
    Case("requeued", 4, pages=3, declined=2),
    Case("woken_by_an_operation", 4, pages=1, declined=1),
    Case("priority_inherited", 6, pages=9),
    Case("pi_words", 3, pages=9, kernel=3, declined=6),
    Case("robust_list_asked_for", 2, pages=4, kernel=4),
    Case("scattered_and_gathered", 2, pages=60, kernel=60),
    Case("spliced", 2, pages=12, kernel=8, declined=2),
    Case("random_bytes", 4, pages=4, kernel=4),
    Case("polled", 2, pages=10, kernel=8),
    Case("filled_in", 2, pages=14, kernel=14),
    Case("limited", 3, pages=9, kernel=6, overlap=3),
)
GROUPS = {"exits": EXITS, "waits": WAITS, "calls": CALLS}


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


def counted(outcome, name):
    """Of host and guest, over one case; the pages that were missing."""
    end = next((n for n, record in enumerate(outcome.records) if record.get("case") == name), None)
    assert end is not None, "did not come that far"
    before, after = [r["guest_apf"] for r in outcome.records[:end] if "guest_apf" in r][-2:]
    first, last = outcome.record(f"{name}-begin"), outcome.record(f"{name}-end")
    figures = {key: difference(sum_stats(first), sum_stats(last), stat)
               for key, stat in KVM_STATS.items()}
    figures["pages"] = last["uffd"]["requests"] - first["uffd"]["requests"]
    figures["waited"] = figures["halted"] + figures["sync"]
    figures["overlap"] = overlap(outcome, name)
    figures.update({f"guest_{key}": difference(before, after, key) for key in after})
    return outcome.records[end]["good"], figures


def wanted(case, level):
    """What of the counts is sure at a level: where a fault waits, or goes to."""
    counts = {"pages": (case.pages, None)}
    if level == "off":
        counts.update(announced=0, halted=0, sync=0)
    if level == "halt":
        counts.update(announced=0, waited=(case.pages, None))
    if level == "announce":
        counts.update(guest_kernel=0, announced=(case.user(), None),
                      waited=(case.kernel + case.declined, None))
    if level == "kernel":
        counts.update(announced=(case.pages, None), guest_kernel=(case.kernel, None),
                      declined=(case.declined, None))
    if LEVELS[level].announces and case.overlap:
        counts["overlap"] = (case.overlap, None)
    return counts


def complaint(outcome, case, level):
    try:
        good, figures = counted(outcome, case.name)
        assert good, "not as it should be"
        expect(figures, **wanted(case, level))
    except AssertionError as wrong:
        return f"{case.name}: {wrong}"
    return ""


def run_cases(name, cases, level, cpus, delay=DELAY, **options):
    outcome = run(name, Vm(
        level=level, cpus=cpus, cold=0, policy=(f"ram:delay={slower(delay)}",),
        args=("--pageout",), steps=(*(case.step() for case in cases), "ps-d", "apf"), **options))
    wrong = [line for line in (complaint(outcome, case, level) for case in cases) if line]
    assert not wrong, "\n".join(wrong + outcome.find("error"))
    check(outcome)


for _group, _level, _cpus in itertools.product(GROUPS, LEVELS, (1, 2)):
    _name = f"{_group}_{_level}_{_cpus}"
    test(_name, _name, GROUPS[_group], _level, _cpus)(run_cases)


def many_exits(name, level, cpus):
    count = 10000
    run_cases(name, (Case("threads_end_again_and_again", count, pages=count, kernel=count),), level,
              cpus, delay=1, timeout=1200)


for _level, _cpus in itertools.product(LEVELS, (1, 2)):
    _name = f"ten_thousand_threads_end_{_level}_{_cpus}"
    test(_name, _name, _level, _cpus, seconds=300, suite="long")(many_exits)
