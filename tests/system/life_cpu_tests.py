# SPDX-License-Identifier: GPL-2.0-only
"""CPUs that go and come, and a guest that suspends, with tasks that wait for pages."""

from lab.harness import test
from tests.system.life import check_in_flight, live
from tests.vm import CPU_NOISE, expect, slower

SUSPEND_NOISE = ("PM: suspend", "Filesystems sync", "Freezing", "OOM killer", "Restarting tasks",
                 "random: crng reseeded")


@test("cpus_offline_and_online_in_a_loop")
def cpus_offline_and_online_in_a_loop():
    # Slower pages than the scheduler takes to empty a CPU, see cpu_offline_with_waiters.
    pause = f"sleep {slower(20)}"
    rounds = [step for n in range(6) for step in (
        pause, f"online {n % 3 + 1} 0", pause, f"online {(n + 2) % 3 + 1} 1")]
    outcome = live(
        "cpus_offline_and_online_in_a_loop",
        ("online 3 0", "start --tasks 32 --pages 256 --pin-each", *rounds, "stats turned", "wait"),
        cpus=4, policy=(f"all:delay={slower(400)}",), timeout=300, guest_may_say=CPU_NOISE)
    guest = outcome.find("guest_apf")[-1]
    expect(guest, woken=guest["announced"], killed=0)
    # Woken as its CPU goes, a task faults on its page again: mostly 21 do. Fewer, if many of them
    # have just got their pages then.
    expect(outcome.stats("idle"), apf_announced=(256 + 6, None), apf_sync=0)


@test("suspended_with_tasks_that_wait")
def suspended_with_tasks_that_wait():
    """The freezer gets them all, though their pages come after it would have given up."""
    outcome = live(
        "suspended_with_tasks_that_wait",
        ("write /sys/power/pm_freeze_timeout 500", "write /sys/module/suspend/parameters/pm_test_delay 0",
         "write /sys/power/pm_test freezer", "start --tasks 8 --pages 16", "sleep 100", "stats waiting",
         "write /sys/power/state freeze", "stats resumed", "wait", "run --tasks 8 --pages 64 --skip 64"),
        cpus=2, policy=("all:delay=2000", "64-2048:delay=20"), guest_may_say=SUSPEND_NOISE)
    check_in_flight(outcome, 8)
    expect(outcome.stats("resumed"), apf_ready=0, apf_sync=0)
    expect(outcome.figures(), announced=64, ready=64, halted=0, sync=0)
