# SPDX-License-Identifier: GPL-2.0-only
"""Guests with other kinds of preemption, and the driver built in: `make test-guests`."""

import functools

from lab import harness
from tests.system.context_tests import (CANNOT_SLEEP, DECLINES, MASKED, MAY_SLEEP, NOBODY, SLEEPS,
                                        WAITS, contexts)
from tests.system.fault_tests import thousands
from tests.system.kernel_mode_tests import killed_in_the_kernel
from tests.vm import BUSY_PC, Vm, check, expect, run

test = functools.partial(harness.test, suite="guests")

PAGES = 128
SAYS = "kvm-apf: faults announced by INTID 16, of user tasks"
# Not told of faults of the kernel: the host halts, wherever interrupts are unmasked.
HALTS = ({"announced": 0, "declined": 0, "halted": (1, None), "sync": 0, "ready": 0}, NOBODY)


def in_contexts(name, guest, expected, says):
    """In each context what is expected; then user tasks sleep, as in any guest."""
    outcome = contexts(name, {**expected, **dict.fromkeys(MASKED, WAITS)}, guest=guest, steps=(
        f"run --tasks 8 --pages {PAGES} --skip 64 --bystander", "said kvm-apf:"))
    expect(outcome.figures(), announced=PAGES, ready=PAGES, repeated=0, declined=0, halted=0,
           sync=0, spurious=0)
    said = outcome.find("said")[-1]
    assert len(said) == 1 and said[0].endswith(SAYS + says), f"{said}, not {SAYS + says}"


@test("voluntary_announces_user_faults_only", seconds=60)
def voluntary_announces_user_faults_only():
    """It does not count preemption, so that nobody could say where its kernel may sleep.

    A halt does not flush the task's plug: that context tests a sleep.
    """
    halts = dict.fromkeys((*MAY_SLEEP, *CANNOT_SLEEP), HALTS)
    del halts["plugged-kworker"]
    in_contexts("voluntary_announces_user_faults_only", "voluntary", halts,
                " only: this kernel does not count preemption")


@test("rt_sleeps_where_it_may", seconds=60)
def rt_sleeps_where_it_may():
    """Spinlocks, and sections without softirqs, leave no trace in its preempt count."""
    in_contexts("rt_sleeps_where_it_may", "rt",
                {**dict.fromkeys(MAY_SLEEP, SLEEPS), **dict.fromkeys(CANNOT_SLEEP, DECLINES)},
                " and of the kernel")


@test("rt_killed_in_the_kernel", seconds=30)
def rt_killed_in_the_kernel():
    killed_in_the_kernel("rt_killed_in_the_kernel", "syscall", guest="rt")


@test("rt_user_and_kernel_faults_in_real_parallel", alone=True, seconds=60)
def rt_user_and_kernel_faults_in_real_parallel():
    outcome = run("rt_user_and_kernel_faults_in_real_parallel", Vm(
        guest="rt", mode="mttcg", cpus=2, cold=24, timeout=300,
        policy=("all:delay=0.2,order=shuffle,batch=4",),
        steps=("run --tasks 16 --pages 2048 --check first --half-syscall --write --bystander",
               "ps-d", "apf")))
    check(outcome, host_may_say=BUSY_PC, guest_may_say=BUSY_PC)
    expect(outcome.figures(), announced=2048, ready=2048, sync=0, declined=0, spurious=0)
    expect(outcome.find("guest_apf")[-1], kernel=1024, woken=2048, killed=0)


# A voluntary kernel that makes 4,000 tasks is not preempted for 6.5 ms, with APF off as well.
for flavour, gap in (("voluntary", (1, 7)), ("rt", (1, 2))):
    name = f"thousands_of_tasks_on_one_huge_page_{flavour}"
    test(name, name, flavour, gap, seconds=60)(
        lambda name, guest, gap: thousands(name, gap=gap, guest=guest))
