# SPDX-License-Identifier: GPL-2.0-only
"""Faults of the guest's kernel: read(2) and write(2) on cold memory."""

from lab.harness import test
from lab.kernel import checks_itself
from tests.vm import BUSY_PC, Vm, check, expect, run

TASKS = 8


def sleeps(name, delay, pages, at_least, options=""):
    """That many times as fast as one page after the other; docs/delivery.md has the figures."""
    outcome = run(name, Vm(
        policy=(f"all:delay={delay}",),
        steps=(f"run --tasks {TASKS} --pages {pages} --syscall {options} --bystander", "ps-d", "apf")))
    check(outcome)
    figures = outcome.figures()
    expect(figures, announced=pages, repeated=0, ready=pages, declined=0, halted=0, sync=0, spurious=0,
           stage2_aborts=(pages, 1.1 * pages), wall_ms=(pages * delay / TASKS, pages * delay / at_least))
    expect(figures["bystander"], worst_gap_ms=(1, 1.5))
    # A quick page may be there before its task is asleep, if the kernel takes its time.
    slept = (1, pages) if checks_itself() else pages
    expect(outcome.find("guest_apf")[-1], kernel=pages, slept=slept, woken=pages, killed=0)


@test("write2_from_cold_memory_sleeps")
def write2_from_cold_memory_sleeps():
    sleeps("write2_from_cold_memory_sleeps", 50, 128, 7.8)


@test("read2_into_cold_memory_sleeps")
def read2_into_cold_memory_sleeps():
    sleeps("read2_into_cold_memory_sleeps", 50, 128, 7.8, "--write")


@test("read2_of_quick_pages_sleeps")
def read2_of_quick_pages_sleeps():
    sleeps("read2_of_quick_pages_sleeps", 2, 512, 7.2, "--write")


@test("kernel_mode_turned_off_in_the_guest_halts")
def kernel_mode_turned_off_in_the_guest_halts():
    outcome = run("kernel_mode_turned_off_in_the_guest_halts", Vm(
        level="announce", policy=("all:delay=20",),
        steps=("run --tasks 8 --pages 64 --syscall --bystander", "ps-d", "apf",
               "run --tasks 8 --pages 64 --skip 64 --label user", "apf")))
    check(outcome)
    expect(outcome.figures(), announced=0, ready=0, declined=0, halted=(64, None), sync=0)
    expect(outcome.figures("user"), announced=64, ready=64, halted=0, sync=0)
    expect(outcome.find("guest_apf")[-1], kernel=0, slept=64)


def killed_in_the_kernel(name, how, **options):
    """The task touches at 0 ms, is killed at 50, and its page comes at 120."""
    outcome = run(name, Vm(
        policy=("all:delay=120",),
        steps=(f"kill-test {how}", "sleep 50", "ps-d", "apf", "stats now"), **options))
    check(outcome)
    expect(outcome.find("guest_apf")[-1], announced=1, kernel=1, slept=1, killed=0, woken=1,
           declined=0, returned=1)
    expect(outcome.stats("now"), apf_announced=1, apf_repeated=0, apf_declined=0, apf_ready=1,
           apf_halted=0)
    expect(outcome.find("kill_test")[0], dead=True, ms=(60, 100))


@test("killed_while_waiting_in_the_kernel")
def killed_while_waiting_in_the_kernel():
    """Its access is done when the page has come, as without APF, and then it dies."""
    killed_in_the_kernel("killed_while_waiting_in_the_kernel", "syscall")


@test("user_and_kernel_faults_in_real_parallel", alone=True)
def user_and_kernel_faults_in_real_parallel():
    outcome = run("user_and_kernel_faults_in_real_parallel", Vm(
        mode="mttcg", cpus=2, cold=24, policy=("all:delay=0.2,order=shuffle,batch=4",), timeout=240,
        steps=("run --tasks 16 --pages 2048 --check first --syscall --write --bystander",
               "run --tasks 16 --pages 2048 --skip 2048 --check first --label user", "ps-d", "apf")))
    check(outcome, host_may_say=BUSY_PC, guest_may_say=BUSY_PC)
    for label in ("run", "user"):
        expect(outcome.figures(label), announced=2048, ready=2048, sync=0, declined=0, spurious=0)
    expect(outcome.find("guest_apf")[-1], kernel=2048, woken=4096, killed=0)
