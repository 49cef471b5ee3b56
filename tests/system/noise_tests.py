# SPDX-License-Identifier: GPL-2.0-only
"""Delivery while other interrupts come all the time: timers, IPIs."""

from lab import kernel
from lab.harness import comment, test
from tests.vm import BUSY_PC, Vm, check, expect, fewer, run

PAGE_KB = 4
# A kernel that checks itself would do nothing but take interrupts.
NOISE_US = 1000 if kernel.checks_itself() else 100
NOISE = f"--bystander --timer-noise {NOISE_US} --ipi-noise {NOISE_US}"


def cold_mb(pages):
    return pages * PAGE_KB // 1024 + 4


def came(outcome, kind):
    """How many interrupts of a kind came during the run, on all CPUs."""
    before, after = (sum(record[kind]) for record in outcome.find("irqs"))
    return after - before


def noisy(name, pages, delay=1, **options):
    """Many pages while other interrupts come. Says what it was, and checks that all ended well."""
    outcome = run(name, Vm(
        cold=cold_mb(pages), policy=(f"all:delay={delay},order=shuffle,batch=4",),
        steps=("irqs", f"run --tasks 16 --pages {pages} --check first {NOISE}", "irqs", "ps-d",
               "apf"), **options))
    busy = BUSY_PC if options.get("mode") == "mttcg" else ()
    # A vCPU is a thread, which may lose its CPU within the guest's timer interrupt.
    check(outcome, host_may_say=busy, guest_may_say=BUSY_PC)
    figures = outcome.figures()
    comment(f"{figures['announced']} announcements for {pages} faults, "
            f"{figures['spurious']} spurious, {figures['declined']} declined, "
            f"{figures['halted']} halted, "
            f"{figures['stage2_aborts'] / pages:.2f} stage-2 aborts and "
            f"{figures['exits'] / pages:.2f} exits per fault; meanwhile "
            f"{came(outcome, 'timer')} timer interrupts, {came(outcome, 'ipi')} IPIs")
    expect(figures, faults=pages, sync=0)
    guest = outcome.find("guest_apf")[-1]
    expect(guest, killed=0, woken=guest["announced"])
    return outcome


def exact(name, pages, **options):
    """Each page is announced once, to the task that wants it, whatever else comes."""
    outcome = noisy(name, pages, **options)
    expect(outcome.figures(), announced=pages, repeated=0, declined=0, halted=0, spurious=0,
           ready=pages, stage2_aborts=(pages, 1.1 * pages))
    expect(outcome.find("guest_apf")[-1], announced=pages, declined=0)
    return outcome


@test("a_hundred_thousand_faults_in_timer_noise", seconds=90)
def a_hundred_thousand_faults_in_timer_noise():
    """One vCPU has nobody to send it IPIs."""
    outcome = exact("a_hundred_thousand_faults_in_timer_noise", fewer(102400), timeout=900)
    assert came(outcome, "timer") > fewer(30000), outcome.find("irqs")


@test("a_hundred_thousand_faults_in_ipi_noise", seconds=120)
def a_hundred_thousand_faults_in_ipi_noise():
    outcome = exact("a_hundred_thousand_faults_in_ipi_noise", fewer(102400), cpus=2, timeout=900)
    assert came(outcome, "timer") > fewer(30000), outcome.find("irqs")
    assert came(outcome, "ipi") > fewer(30000), outcome.find("irqs")


@test("ten_thousand_faults_in_noise_in_real_parallel", alone=True)
def ten_thousand_faults_in_noise_in_real_parallel():
    outcome = exact("ten_thousand_faults_in_noise_in_real_parallel", 10240, delay=0.2, cpus=2,
                    mode="mttcg", timeout=300)
    assert came(outcome, "ipi") > 1000, outcome.find("irqs")


def pended(name, value, **options):
    """Beside the exact way, the PPI is only pended, which costs announcements, but no wakeup."""
    pages = fewer(10240)
    exact(f"{name}_exact", pages, cpus=2, timeout=300, **options)
    outcome = noisy(name, pages, cpus=2, timeout=300, knobs={"pend_only": value},
                    **options)
    expect(outcome.knobs(), pend_only=(pages, None))
    return outcome.figures()


@test("pended_only_with_raised_priority", seconds=30)
def pended_only_with_raised_priority():
    """On an emulated CPU, which takes it at once, this is as good: see docs/fidelity.md."""
    expect(pended("pended_only_with_raised_priority", 1), announced=fewer(10240), spurious=0)


@test("pended_only_with_the_guests_priority", seconds=30)
def pended_only_with_the_guests_priority():
    figures = pended("pended_only_with_the_guests_priority", 2)
    expect(figures, spurious=(1, None), announced=(fewer(10240) + 1, None))
