# SPDX-License-Identifier: GPL-2.0-only
"""Who controls it: the VMM by registers, the host by a parameter, the guest by an option."""

import re

from lab import boot
from lab.harness import test
from lab.paths import REPO
from tests.vm import BY_VMM, OUT, Outcome, Vm, check, check_log, expect, run

CASES = REPO / "tests" / "host" / "control.c"


def in_host(name, command, host_may_say=(), timeout=300, image=None):
    """A program in the host, whose output is returned."""
    result = boot.run(command, OUT / name, timeout=timeout, image=image)
    assert not result.lab_error, result.lab_error
    said = (result.out / "scenario.log").read_text(errors="replace")
    check_log("host", result.klog.splitlines(), host_may_say)
    return result, said


@test("registers_as_the_contract_has_them")
def registers_as_the_contract_has_them():
    """Values, times, orders, and the vGIC around them: tests/host/control.c."""
    not_free = "INTID 20 is not free, no faults are announced"
    result, said = in_host("registers_as_the_contract_has_them", "control",
                           (not_free,))
    cases = re.findall(r"CASE\((\w+)\),", CASES.read_text())
    assert cases, f"no cases in {CASES}"
    bad = [case for case in cases if f"\nok {case}\n" not in f"\n{said}"]
    assert not bad and result.status == 0, f"not ok: {', '.join(bad)}\n{said}"
    # A PPI that is lost is not lost in silence.
    assert result.klog.count(not_free) == 1, result.klog


@test("get_reg_list_knows_the_registers")
def get_reg_list_knows_the_registers():
    """The kernel's own test: gets and sets every register, and names those it does not know."""
    result, said = in_host("get_reg_list_knows_the_registers", "get-reg-list")
    assert result.status == 0, said
    assert "vregs: PASS" in said, said
    assert "new registers" not in said, said


@test("option_off_offers_nothing")
def option_off_offers_nothing():
    """A host without CONFIG_KVM_ARM_APF: KVM's own tests see nothing of it, and a VM runs."""
    vm = Vm(level="off", cold=4, steps=("run --tasks 1 --pages 4", "ps-d", "stats now"))
    asked = Vm(apf=BY_VMM)
    result, said = in_host("option_off_offers_nothing", f"""
ls /sys/module/kvm-arm/parameters/apf /sys/kernel/debug/kvm/apf
/bin/apf_test; echo "apf_test: status $?"
apfvm {asked.command()}; echo "--apf on: status $?"
get-reg-list; echo "get-reg-list: status $?"
apfvm {vm.command()} 2>/out/vmm.err; echo $? >/out/status
""", image="nodriver")
    assert result.status == 0, said
    for word in ("apf_test: status 4", "--apf on: status 1", "CONFIG_KVM_ARM_APF=y",
                 "get-reg-list: status 0", "vregs: PASS"):
        assert word in said, said
    assert said.count("No such file or directory") == 2, said
    assert "new registers" not in said, said
    outcome = Outcome(result, "nodriver")
    check(outcome)
    stats = outcome.record("now")["vcpus"]
    assert stats and not [key for vcpu in stats for key in vcpu if key.startswith("apf_")], stats


def faults(name, **options):
    """Faults of user space and of the kernel, on two vCPUs."""
    outcome = run(name, Vm(cpus=2, policy=("all:delay=20",), steps=(
        "run --tasks 8 --pages 64 --pin-each", "run --tasks 8 --pages 64 --skip 64 --syscall "
        "--label kernel", "irqs", "ps-d", "apf", "stats now"), **options))
    check(outcome)
    return outcome


@test("another_intid_of_the_vmm")
def another_intid_of_the_vmm():
    outcome = faults("another_intid_of_the_vmm", apf=BY_VMM, args=("--apf-intid", "22"))
    for label in ("run", "kernel"):
        expect(outcome.figures(label), announced=64, ready=64, sync=0, halted=0, spurious=0)
    assert all(count > 0 for count in outcome.find("irqs")[0]["apf"]), \
        outcome.find("irqs")
    expect(outcome.find("guest_apf")[-1], woken=128, killed=0)


@test("a_timers_intid_is_refused")
def a_timers_intid_is_refused():
    outcome = run("a_timers_intid_is_refused", Vm(apf=BY_VMM, args=("--apf-intid", "27")))
    assert outcome.status == 1, outcome.status
    assert "--apf-intid 27" in outcome.read("vmm.err"), outcome.read("vmm.err")


# Parameter of the host, what the VMM says, what the guest says -> announced, halted.
SWITCHES = (
    ("on", "default", "", True, False), ("halt", "default", "", False, True),
    ("off", "default", "", False, False), ("off", "on", "", True, False),
    ("halt", "on", "", True, False), ("on", "off", "", False, False),
    ("halt", "off", "", False, True), ("on", "default", "no-kvmapf", False, True),
    ("on", "default", "kvm_apf.kernel=0", True, True),
)


@test("every_switch_switches")
def every_switch_switches():
    for parameter, apf, append, announced, halted in SWITCHES:
        outcome = faults("every_switch_switches", apf=(parameter, apf), append=append)
        got = outcome.stats("now")
        assert bool(got["apf_announced"]) == announced and bool(got["apf_halted"]) == halted, \
            f"host {parameter}, VMM {apf}, guest '{append}': {got}"
