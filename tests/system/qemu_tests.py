# SPDX-License-Identifier: GPL-2.0-only
"""A VMM that knows nothing of APF: Debian's arm64 QEMU, unmodified, in the lab's host.

A guest's tasks keep data in memory (load/keep.c) while QEMU moves the VM from
process to process, over a network that takes a millisecond each way. The guest
enables APF once, in the first of them.
"""

import functools
import shlex

from lab import boot, debian, harness, kernel, paths
from lab.result import check_end, sum_stats
from tests.vm import BUSY_PC, OUT, Outcome, check_silent, command_line, expect

# The lean kernels have nothing that mounts QEMU's disk.
test = functools.partial(harness.test, suits=kernel.chosen() not in kernel.LEAN)

CPUS = 2
TOKENS = 64
TASKS = 8
STEPS = (f"keep --tasks {TASKS} --pages 512 --rest 2000 --half-syscall", "stats go", "until done",
         "stop", "stats end", "apf", "ps-d")
# KVM's own hypercalls of a boot: FEATURES, and ENABLE on each CPU.
CALLS = 1 + CPUS

# Read beforehand: in virtual time a disk takes as long as the PC's, which is no time to rely on.
SCENARIO = """
echo on >/sys/module/kvm-arm/parameters/apf
debian sh -c 'cat /usr/bin/qemu-system-aarch64 /usr/bin/python3.11 /lib/aarch64-linux-gnu/*.so* \\
	>/dev/null'
debian python3 /boot/inside/drive.py --cpus {cpus} --append {append} {actions}
echo $? >/out/status
cat /out/qemu.*.log /out/console >&2
"""


def drive(name, *actions, mode="icount", files=None, more_steps=()):
    """What came of it, with all that does not depend on how the VM was moved.

    A host of one CPU: docs/fidelity.md says what becomes of two. The guest's timer
    interrupt may itself wait for a page of its code. files: to be put in the place of
    those that the host has.
    """
    steps = (*STEPS, *more_steps)
    scenario = SCENARIO.format(cpus=CPUS, append=shlex.quote(command_line(steps)),
                               actions=shlex.join(actions))
    result = boot.run(scenario, OUT / name, mode=mode, timeout=900, smp=1,
                      files={**paths.INSIDE, **(files or {})},
                      disks={"debian": debian.ensure()})
    assert not result.lab_error, result.lab_error
    outcome = Outcome(result)
    assert outcome.status == 0, outcome.read("scenario.log")
    check_silent(outcome, guest_may_say=BUSY_PC)
    check_end(outcome.records, "guest")
    assert outcome.find("ps_d") == [0], outcome.find("ps_d")
    kept = outcome.find("run")[0]
    expect(kept, tasks=TASKS, pages_bad=0, pages_verified=kept["faults"], rounds=(1, None))
    return outcome


def figures(outcome, key):
    """Of each record of that kind: KVM's counts in that process, and all calls so far."""
    return [{**sum_stats(record), "calls": record["calls"]}
            for record in outcome.records if key in record]


def check_all_told(outcome, calls=CALLS, missing=16):
    """In the last process: faults were announced, and each was told, as was each vCPU at first."""
    end = outcome.record("end")
    told = sum_stats(end)
    expect({**told, "calls": end["calls"]}, calls=calls, apf_announced=(missing, None),
           apf_ready=told["apf_announced"] - told["apf_repeated"] + TOKENS * CPUS)
    guest = outcome.find("guest_apf")[-1]
    expect(guest, killed=0, woken=guest["announced"], slept=(0, guest["announced"]))


@test("stock_qemu_postcopy_there_and_back", seconds=90)
def stock_qemu_postcopy_there_and_back():
    """To hosts whose own default is off, then halt: what counts is in the registers."""
    outcome = drive("stock_qemu_postcopy_there_and_back", "await:go", "apf:off", "postcopy",
                    "apf:halt", "postcopy", "say:done", "end")
    expect(outcome.record("go"), calls=CALLS, process=0)
    arrived = figures(outcome, "arrived")
    assert len(arrived) == 2, arrived
    for process in arrived:
        expect(process, calls=CALLS, apf_announced=(16, None), apf_ready=(TOKENS * CPUS + 1, None))
    check_all_told(outcome)


@test("stock_qemu_saved_to_a_file", seconds=90)
def stock_qemu_saved_to_a_file():
    """And moved with all its memory. Nothing is missing there, but in the post-copy after it."""
    outcome = drive("stock_qemu_saved_to_a_file", "await:go", "apf:off", "file", "precopy",
                    "postcopy", "say:done", "end")
    left = figures(outcome, "left")
    assert len(left) == 3, left
    for process, woken in zip(left, (0, TOKENS * CPUS, TOKENS * CPUS)):
        expect(process, calls=CALLS, apf_announced=0, apf_ready=woken)
    check_all_told(outcome)


@test("stock_qemu_reset_in_postcopy", seconds=120)
def stock_qemu_reset_in_postcopy():
    """With faults in flight. The next boot finds its memory, enables APF, and is moved, too."""
    outcome = drive("stock_qemu_reset_in_postcopy", "await:go", "reset-in-postcopy", "await:go",
                    "postcopy", "say:done", "end")
    reset = figures(outcome, "reset")[0]
    expect(reset, calls=CALLS, apf_announced=(16, None))
    announced = reset["apf_announced"] - reset["apf_repeated"]
    assert announced > reset["apf_ready"] - TOKENS * CPUS, f"nothing was in flight: {reset}"
    check_all_told(outcome, calls=2 * CALLS)
