# SPDX-License-Identifier: GPL-2.0-only
"""The levels, each with the event counts that make it what it is."""

from lab.harness import test
from tests.vm import BY_VMM, NO_DRIVER, Vm, check, expect, run

TASKS, PAGES, DELAY = 8, 64, 20
WORK = f"run --tasks {TASKS} --pages {PAGES} --compute 20"
STEPS = (WORK + " --bystander", "ps-d", "apf")
POLICY = (f"all:delay={DELAY}",)
# All pages one after the other, and all tasks' pages at the same time.
ONE_BY_ONE_MS, OVERLAPPED_MS = PAGES * DELAY, PAGES * DELAY / TASKS

NEVER_ANNOUNCED = {"announced": 0, "repeated": 0, "declined": 0, "ready": 0, "spurious": 0}
# One abort per fault, but for a few of the kernel's own pages.
ANNOUNCED = {"announced": PAGES, "repeated": 0, "ready": PAGES, "declined": 0, "halted": 0,
             "sync": 0, "spurious": 0, "stage2_aborts": (PAGES, 1.1 * PAGES), "hypercalls": (0, 4)}


def level(name, level_name, steps=STEPS, **options):
    outcome = run(name, Vm(level=level_name, steps=steps, policy=POLICY, **options))
    check(outcome)
    return outcome


@test("off_waits_as_before")
def off_waits_as_before():
    figures = level("off_waits_as_before", "off").figures()
    expect(figures, **NEVER_ANNOUNCED, halted=0, sync=0, wall_ms=(ONE_BY_ONE_MS, None),
           stage2_aborts=(PAGES, PAGES + 8))
    expect(figures["bystander"], worst_gap_ms=(DELAY, DELAY + 2))


@test("halt_lets_interrupts_in")
def halt_lets_interrupts_in():
    outcome = level("halt_lets_interrupts_in", "halt")
    figures = outcome.figures()
    expect(figures, **NEVER_ANNOUNCED, halted=(PAGES, None), sync=0,
           wall_ms=(OVERLAPPED_MS, 0.6 * ONE_BY_ONE_MS))
    expect(figures["bystander"], worst_gap_ms=(1, 4.5))
    assert outcome.find("guest_apf") == [{}], "the driver is active, with nothing offered"


@test("halt_without_bystander_lives_on_the_tick")
def halt_without_bystander_lives_on_the_tick():
    figures = level("halt_without_bystander_lives_on_the_tick", "halt", (WORK, "ps-d")).figures()
    expect(figures, **NEVER_ANNOUNCED, halted=(PAGES, None), sync=0,
           wall_ms=(OVERLAPPED_MS, 0.9 * ONE_BY_ONE_MS))


@test("the_page_ends_a_halt_at_once")
def the_page_ends_a_halt_at_once():
    """One task and no bystander: 21 ms is between two ticks of 4 ms."""
    outcome = run("the_page_ends_a_halt_at_once", Vm(
        level="halt", policy=("all:delay=21",), steps=("run --tasks 1 --pages 16", "ps-d")))
    check(outcome)
    expect(outcome.figures(), **NEVER_ANNOUNCED, halted=(16, None), sync=0,
           wall_ms=(16 * 21, 16 * 21 * 1.02))


@test("halt_needs_no_driver")
def halt_needs_no_driver():
    outcome = level("halt_needs_no_driver", "kernel", image=NO_DRIVER)
    figures = outcome.figures()
    expect(figures, **NEVER_ANNOUNCED, halted=(PAGES, None), sync=0,
           wall_ms=(OVERLAPPED_MS, 0.6 * ONE_BY_ONE_MS))
    expect(figures["bystander"], worst_gap_ms=(1, 4.5))


@test("no_kvmapf_leaves_the_halt_level")
def no_kvmapf_leaves_the_halt_level():
    outcome = level("no_kvmapf_leaves_the_halt_level", "kernel", append="no-kvmapf")
    expect(outcome.figures(), **NEVER_ANNOUNCED, halted=(PAGES, None), sync=0)
    assert outcome.find("guest_apf") == [{}], "the driver is active, though told not to be"


def check_announced(outcome):
    figures = outcome.figures()
    expect(figures, **ANNOUNCED, wall_ms=(OVERLAPPED_MS, 1.1 * OVERLAPPED_MS))
    expect(figures["bystander"], worst_gap_ms=(1, 1.5))
    expect(outcome.find("guest_apf")[-1], slept=PAGES, woken=PAGES, ready=PAGES, announced=PAGES,
           declined=0, killed=0)


@test("announce_runs_other_tasks")
def announce_runs_other_tasks():
    check_announced(level("announce_runs_other_tasks", "kernel"))


@test("announce_asked_for_by_the_vmm")
def announce_asked_for_by_the_vmm():
    check_announced(level("announce_asked_for_by_the_vmm", "kernel", apf=BY_VMM))


@test("announce_one_task_alone_loses_nothing")
def announce_one_task_alone_loses_nothing():
    outcome = level("announce_one_task_alone_loses_nothing", "kernel",
                    ("run --tasks 1 --pages 16", "ps-d"))
    expect(outcome.figures(), announced=16, ready=16, sync=0, halted=0,
           wall_ms=(16 * DELAY, 16 * DELAY * 1.02))


@test("announce_by_stores_too")
def announce_by_stores_too():
    outcome = level("announce_by_stores_too", "kernel", (WORK + " --write", "ps-d"))
    expect(outcome.figures(), **ANNOUNCED)
