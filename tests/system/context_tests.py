# SPDX-License-Identifier: GPL-2.0-only
"""Faults of the guest's kernel in each of its contexts: it sleeps only where it may.

The guest checks itself (lockdep, atomic sleep, RCU): whatever it has to say of a
context is in its log, which has to be silent.
"""

from lab.harness import test
from lab.result import KVM_STATS, difference
from tests.system.kernel_mode_tests import killed_in_the_kernel
from tests.vm import Vm, check, expect, run

DELAY = 20

# What becomes of one fault, in the host's counters and in the driver's.
NOBODY = {"kernel": 0, "slept": 0, "woken": 0, "declined": 0, "announced": 0}
SLEEPS = (
    {"announced": 1, "declined": 0, "halted": 0, "sync": 0, "ready": 1},
    {**NOBODY, "announced": 1, "kernel": 1, "slept": 1, "woken": 1})
# Each tick of the guest ends the halt, and the same fault is not declined twice. The tick
# may find the page before the host has said so: then its ready bit comes later.
DECLINES = (
    {"announced": 1, "declined": 1, "halted": (2, None), "sync": 0, "ready": (0, 2)},
    {**NOBODY, "declined": 1})
WAITS = ({"announced": 0, "declined": 0, "halted": 0, "sync": 1, "ready": 0}, NOBODY)
# Masked by PMR, PSTATE.I is clear: no interrupt ends the halt, the page does.
HALTS_ONCE = ({"announced": 0, "declined": 0, "halted": 1, "sync": 0, "ready": 0}, NOBODY)

MAY_SLEEP = ("process", "kthread", "kworker", "plugged-kworker", "copy-to-user", "copy-from-user")
CANNOT_SLEEP = ("pagefault-disabled", "inatomic-copy", "spinlock", "rcu", "bh-disabled", "preempt-disabled",
                "softirq", "idle", "interruptible", "kernel-address", "zeropad", "nofault")
MASKED = ("irqs-off", "hardirq")


def counted(outcome, context):
    """Host's and guest's counters over one context."""
    end = next((n for n, record in enumerate(outcome.records) if record.get("context") == context),
               None)
    assert end is not None, "did not come that far"
    assert outcome.records[end]["good"], "failed"
    before, after = [r["guest_apf"] for r in outcome.records[:end] if "guest_apf" in r][-2:]
    first, last = outcome.stats(f"{context}-begin"), outcome.stats(f"{context}-end")
    host = {key: difference(first, last, stat) for key, stat in KVM_STATS.items()}
    return host, {key: difference(before, after, key) for key in after}


def complaint(outcome, context, expected):
    try:
        for got, wanted in zip(counted(outcome, context), expected):
            expect(got, **wanted)
    except AssertionError as wrong:
        return f"{context}: {wrong}"
    return ""


def contexts(name, expected, steps=(), append="", guest="paranoid"):
    """expected: context -> counts. guest: a flavour that has the test in its driver."""
    touches = [f"context {context} {page}" for page, context in enumerate(expected)]
    touches += ["sleep 100", "stats after-all"]
    outcome = run(name, Vm(guest=guest, policy=(f"all:delay={DELAY}",), append=append,
                           steps=(*touches, *steps, "ps-d", "apf")))
    wrong = [complaint(outcome, context, counts) for context, counts in expected.items()]
    wrong = "\n".join(line for line in wrong if line)
    assert not wrong, wrong + "\n" + "\n".join(map(str, outcome.find("error") + outcome.find("klog")))
    check(outcome)
    check_each_ready(outcome, expected)
    return outcome


def check_each_ready(outcome, expected):
    """Whatever was announced is told ready, once."""
    before, after = outcome.stats(f"{next(iter(expected))}-begin"), outcome.stats("after-all")
    got = {key: difference(before, after, key)
           for key in ("apf_announced", "apf_repeated", "apf_ready")}
    expect(got, apf_repeated=0, apf_ready=got["apf_announced"])


@test("kernel_sleeps_where_an_ordinary_fault_may", seconds=60)
def kernel_sleeps_where_an_ordinary_fault_may():
    """The worker's block plug was flushed before it slept, or its step is not good."""
    contexts("kernel_sleeps_where_an_ordinary_fault_may", dict.fromkeys(MAY_SLEEP, SLEEPS))


@test("kernel_declines_where_it_cannot_sleep", seconds=60)
def kernel_declines_where_it_cannot_sleep():
    contexts("kernel_declines_where_it_cannot_sleep", dict.fromkeys(CANNOT_SLEEP, DECLINES))


@test("kernel_with_interrupts_masked_is_not_announced", seconds=60)
def kernel_with_interrupts_masked_is_not_announced():
    contexts("kernel_with_interrupts_masked_is_not_announced", dict.fromkeys(MASKED, WAITS))


@test("contexts_with_pseudo_nmis", seconds=90)
def contexts_with_pseudo_nmis():
    """What masks interrupts there is the GIC's PMR, and the announcement is no NMI."""
    expected = {**dict.fromkeys(MASKED, HALTS_ONCE), **dict.fromkeys(MAY_SLEEP, SLEEPS),
                **dict.fromkeys(CANNOT_SLEEP, DECLINES)}
    outcome = contexts("contexts_with_pseudo_nmis", expected, append="irqchip.gicv3_pseudo_nmi=1",
                       steps=("run --tasks 8 --pages 128 --skip 64 --bystander",))
    expect(outcome.figures(), announced=128, ready=128, repeated=0, declined=0, halted=0, sync=0,
           spurious=0)


@test("quick_pages_with_pseudo_nmis", seconds=90)
def quick_pages_with_pseudo_nmis():
    """They come while the guest's PMR masks interrupts: a ready PPI is no NMI either."""
    outcome = run("quick_pages_with_pseudo_nmis", Vm(
        guest="paranoid", cold=24, policy=("all:delay=0.3,order=shuffle,batch=4",),
        append="irqchip.gicv3_pseudo_nmi=1",
        steps=("run --tasks 8 --pages 2048 --check first --bystander",
               "run --tasks 8 --pages 2048 --skip 2048 --check first --syscall --write --label kernel",
               "ps-d", "apf")))
    check(outcome)
    for label in ("run", "kernel"):
        expect(outcome.figures(label), announced=2048, ready=2048, repeated=0, declined=0, sync=0,
               spurious=0)
    expect(outcome.find("guest_apf")[-1], woken=4096, killed=0)


@test("killed_in_a_copy_of_the_kernels_own_memory", seconds=30)
def killed_in_a_copy_of_the_kernels_own_memory():
    """As under read(2) from a cold page cache."""
    killed_in_the_kernel("killed_in_a_copy_of_the_kernels_own_memory", "copy-to-user",
                         guest="paranoid")
