# SPDX-License-Identifier: GPL-2.0-only
"""A choice of the other tests, on kernels that check themselves; and allocations that fail.

`make test-paranoid` runs all of them there, by $KERNEL_FLAVOUR.
"""

import os

from lab import kernel
from lab.harness import test
from tests.system.end_tests import cpu_offline_with_waiters, vmm_killed_with_faults_in_flight
from tests.system.fault_tests import two_vcpus_announce
from tests.system.kernel_mode_tests import write2_from_cold_memory_sleeps
from tests.system.selftest_tests import selftest
from tests.vm import Vm, check, expect, run

FLAVOUR = "paranoid"
QUICK = (two_vcpus_announce, write2_from_cold_memory_sleeps, vmm_killed_with_faults_in_flight,
         cpu_offline_with_waiters)

# Allocations of one function, and those that cannot wait of the whole VMM.
FAILSLAB = """
cd /sys/kernel/debug/failslab
echo 0 >verbose
echo -1 >times
{filter}
echo {percent} >probability
cd /out
vmm
"""
IN_WORK_PREPARE = """
symbols() { grep -v '[][]' /proc/kallsyms; }
start=$(symbols | awk '$3 == "apf_work_prepare" { print $1 }')
end=$(symbols | awk -v start="$start" '$1 > start && (!end || $1 < end) { end = $1 } END { print end }')
echo 0x$start >require-start
echo 0x$end >require-end
echo 16 >stacktrace-depth
echo N >task-filter
"""
OF_THE_VMM = """
echo Y >ignore-gfp-wait
echo Y >task-filter
echo 1 >/proc/self/make-it-fail
"""


def on_paranoid(function):
    """In a process of its own, as each test: nobody else sees the variable."""
    os.environ["KERNEL_FLAVOUR"] = FLAVOUR
    function()


def allocations_fail(name, where, percent):
    pages = 256
    outcome = run(name, Vm(
        host=FLAVOUR, policy=("all:delay=5",), steps=(f"run --tasks 8 --pages {pages}", "ps-d", "apf"),
        script=FAILSLAB.format(filter=where, percent=percent)))
    check(outcome)
    figures = outcome.figures()
    # Without a work item the fault is waited for, as without APF.
    expect(figures, sync=(8, pages - 8), announced=pages - figures["sync"], repeated=0,
           ready=figures["announced"], halted=0)
    guest = outcome.find("guest_apf")[-1]
    expect(guest, woken=guest["announced"], killed=0)


def allocation_of_the_work_item_fails():
    allocations_fail("allocation_of_the_work_item_fails", IN_WORK_PREPARE, 30)


def allocations_of_the_vmm_fail():
    allocations_fail("allocations_of_the_vmm_fail", OF_THE_VMM, 10)


def selftest_on_paranoid():
    selftest("kvm_selftest_on_paranoid", "icount", "-n 50")


# Where another kernel was chosen, they are run on that.
SUITS = kernel.chosen() == kernel.BASE_FLAVOUR

test("allocation_of_the_work_item_fails", seconds=60)(allocation_of_the_work_item_fails)
test("allocations_of_the_vmm_fail", seconds=60)(allocations_of_the_vmm_fail)
test("kvm_selftest_on_paranoid", selftest_on_paranoid, seconds=200, suits=SUITS)(on_paranoid)
for quick in QUICK:
    test(f"{quick.__name__}_on_paranoid", quick, seconds=90, suits=SUITS)(on_paranoid)
