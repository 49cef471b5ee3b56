# SPDX-License-Identifier: GPL-2.0-only
"""The host's kernel at EL1, with KVM's own code alone at EL2 (nVHE): all counts as ever."""

from lab.harness import test
from tests.system.fault_tests import check_nothing_lost
from tests.system.level_tests import NEVER_ANNOUNCED
from tests.system.selftest_tests import selftest
from tests.vm import Vm, check, expect, run

NVHE = "kvm-arm.mode=nvhe"
# Which timer the kernel lives by says where it runs: INTID 30 is EL1's, 26 EL2's.
TIMER = "grep arch_timer /proc/interrupts >/out/timer\n"
AT_EL1 = " 30 "


def nvhe(name, vm):
    vm.host_append = NVHE
    vm.script = TIMER + vm.script
    outcome = run(name, vm)
    check(outcome)
    assert AT_EL1 in outcome.read("timer"), f"this host is not nVHE: {outcome.read('timer')}"
    return outcome


@test("nvhe_two_vcpus_announce")
def nvhe_two_vcpus_announce():
    outcome = nvhe("nvhe_two_vcpus_announce", Vm(
        cpus=2, policy=("all:delay=20",),
        steps=("run --tasks 16 --pages 256 --compute 20 --pin-each --bystander", "irqs", "ps-d",
               "apf")))
    expect(check_nothing_lost(outcome, 256), wall_ms=(320, 360))
    assert all(count > 0 for count in outcome.find("irqs")[0]["apf"]), "one vCPU was told nothing"


@test("nvhe_read2_into_cold_memory_sleeps")
def nvhe_read2_into_cold_memory_sleeps():
    outcome = nvhe("nvhe_read2_into_cold_memory_sleeps", Vm(
        policy=("all:delay=50",),
        steps=("run --tasks 8 --pages 128 --syscall --write --bystander", "ps-d", "apf")))
    figures = check_nothing_lost(outcome, 128)
    expect(figures, wall_ms=(800, 128 * 50 / 7.8))
    expect(figures["bystander"], worst_gap_ms=(1, 1.5))
    expect(outcome.find("guest_apf")[-1], kernel=128, slept=128)


@test("nvhe_halt_lets_interrupts_in")
def nvhe_halt_lets_interrupts_in():
    outcome = nvhe("nvhe_halt_lets_interrupts_in", Vm(
        level="halt", policy=("all:delay=20",),
        steps=("run --tasks 8 --pages 64 --compute 20 --bystander", "ps-d")))
    figures = outcome.figures()
    expect(figures, **NEVER_ANNOUNCED, halted=(64, None), sync=0, wall_ms=(160, 0.6 * 64 * 20))
    expect(figures["bystander"], worst_gap_ms=(1, 4.5))


@test("nvhe_kvm_selftest")
def nvhe_kvm_selftest():
    selftest("nvhe_kvm_selftest", "icount", "-n 2000", append=NVHE)
