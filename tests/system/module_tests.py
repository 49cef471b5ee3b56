# SPDX-License-Identifier: GPL-2.0-only
"""The driver as a module, in guests that run Debian's own kernels as they are.

The kernels come from Debian's archive (lab/stock.py). What is not theirs is loaded: the
driver, and a module that gives our cold memory to user space.
"""

import shutil

from lab import kernels, stock
from lab.harness import Skip, test
from lab.result import parse, run_figures
from tests.vm import Vm, check, expect, run

ENODEV, EEXIST = 19, 17
CLOUD = kernels.first("cloud").name
TASKS, PAGES, DELAY = 8, 64, 20
WORK = f"run --tasks {TASKS} --pages {PAGES} --compute 20 --bystander"
DRIVER = "/kvm_apf.ko"
LOADED = "kvm-apf: faults announced by INTID 16, of user tasks only: this kernel has no hook"
NOT_WANTED = "kvm-apf: not loaded: its parameter says enable=0"
NOT_OFFERED = "kvm-apf: not loaded: the host offers no asynchronous page faults"
# Of a kernel's own, some time after its boot: RCU has checked itself.
MAY_SAY = {stock.LOCKDEP: ("Callback from call_rcu_tasks() invoked.",)}
# All pages one after the other, and all tasks' pages at the same time.
ONE_BY_ONE_MS, OVERLAPPED_MS = PAGES * DELAY, PAGES * DELAY / TASKS
NEVER_ANNOUNCED = {"announced": 0, "repeated": 0, "declined": 0, "ready": 0, "spurious": 0}


def need(kernel):
    if stock.release(kernel):
        return
    if not shutil.which("apt-get"):
        raise Skip("not a Debian system, which has no Debian kernels")
    raise AssertionError(f"no kernel {kernel}: run `python3 -m lab stock {kernel}`")


def guest(kernel, when, script="vmm", args=(), **options):
    """A VM of a stock kernel. when: the driver is loaded at boot, or late."""
    need(kernel)
    options = {"policy": (f"all:delay={DELAY}",), "timeout": 300, **options}
    return Vm(image="/boot/stock",
              files={stock.image(kernel): "boot/stock",
                     stock.archive_file(kernel, when): "boot/modules.cpio"},
              args=("--initrd", "/tmp/stock.cpio", *args),
              script=f"cat /boot/guest.cpio /boot/modules.cpio >/tmp/stock.cpio\n{script}",
              **options)


def expect_announced(figures, unit=1):
    """unit: pages of the host in one of the guest, each of them a fault of its own."""
    faults, wall = PAGES * unit, OVERLAPPED_MS * unit
    expect(figures, announced=faults, repeated=0, ready=faults, declined=0, halted=0, sync=0,
           spurious=0, stage2_aborts=(faults, 1.1 * faults), wall_ms=(wall, 1.1 * wall))
    expect(figures["bystander"], worst_gap_ms=(1, 4.5))


def expect_halted(figures, unit=1):
    expect(figures, **NEVER_ANNOUNCED, halted=(PAGES, None), sync=0,
           wall_ms=(OVERLAPPED_MS * unit, 0.6 * ONE_BY_ONE_MS * unit))
    expect(figures["bystander"], worst_gap_ms=(1, 4.5))


def at_boot(name, kernel, unit=1, more=lambda vm: vm):
    """The driver is loaded before there is anything else to do. more: what else to run."""
    outcome = run(name, more(guest(kernel, "boot", steps=(stock.SETTLE, WORK, "ps-d", "apf"))))
    check(outcome, guest_may_say=MAY_SAY.get(kernel, ()))
    expect_announced(outcome.figures(), unit)
    faults = PAGES * unit
    expect(outcome.find("guest_apf")[-1], announced=faults, returned=faults, woken=faults, killed=0)
    return outcome


def built_in_too(vm):
    """The same job for the kernel that has the driver built in, in the same host."""
    built_in = Vm(policy=vm.policy, steps=vm.steps, args=("--result", "/out/built-in"))
    vm.files = {**vm.files, **built_in.all_files()}
    vm.script += f"\napfvm {built_in.command()} || exit 97"
    return vm


@test("module_reaches_nine_tenths_of_the_built_in_driver")
def module_reaches_nine_tenths_of_the_built_in_driver():
    name = "module_reaches_nine_tenths_of_the_built_in_driver"
    outcome = at_boot(name, CLOUD, more=built_in_too)
    built_in = run_figures(parse(outcome.read("built-in"), "built-in"), "run",
                                  "built-in")
    expect_announced(built_in)
    ratio = built_in["wall_ms"] / outcome.figures()["wall_ms"]
    assert ratio >= 0.9, f"{ratio:.2f} of what the built-in driver does"


def errors(outcome, what):
    return [record["errno"] for record in outcome.records if what in record]


def late(name, kernel, times, unit=1, life_ms=60, **options):
    """Without the driver, with it, while it comes and goes under load, and without again.

    life_ms: how long it takes to come, to be there for 15 ms, and to go.
    """
    pages = 2 * PAGES + times * life_ms * TASKS // DELAY
    outcome = run(name, guest(
        kernel, "late", cold=(pages + 2 * PAGES) * unit // 256 + 1, steps=(
            stock.SETTLE, f"{WORK} --label before", f"insmod {DRIVER} enable=0",
            f"insmod {DRIVER}", f"insmod {DRIVER}",
            f"{WORK} --skip {PAGES} --label with", "apf", "rmmod kvm_apf", "apf",
            f"start --tasks {TASKS} --pages {pages - 2 * PAGES} --skip {2 * PAGES} "
            f"--fixed-time {times * life_ms} --label load",
            f"reload {DRIVER} kvm_apf {times} 15", "wait",
            # Those that sleep in the driver are woken when it goes, and cannot run for a while.
            f"insmod {DRIVER}", "policy idle",
            f"start --tasks {TASKS} --pages {TASKS} --skip {pages} --label late",
            "policy other", "sleep 10", "apf", "hog 300", "rmmod kvm_apf", "wait",
            f"{WORK} --skip {pages + TASKS} --label after", "ps-d"), **options))
    check(outcome, guest_may_say=(LOADED, NOT_WANTED, *MAY_SAY.get(kernel, ())))
    expect_halted(outcome.figures("before"), unit)
    expect_announced(outcome.figures("with"), unit)
    expect_halted(outcome.figures("after"), unit)
    assert errors(outcome, "insmod") == [ENODEV, 0, EEXIST, 0], errors(outcome, "insmod")
    assert errors(outcome, "rmmod") == [0, 0], errors(outcome, "rmmod")
    loaded, gone, asleep = outcome.find("guest_apf")
    expect(asleep, announced=TASKS, slept=TASKS, returned=0)
    expect(loaded, announced=PAGES * unit, returned=PAGES * unit)
    assert gone == {}, f"left behind in debugfs: {gone}"
    return outcome


def expect_lives(outcome, times):
    """The driver was there to announce, and had tasks asleep when it went."""
    lives = [record for record in outcome.records if "reload" in record][-1]
    expect(lives, reload=times, announced=(times, None), with_waiters=(times // 2, times))


@test("module_comes_and_goes_under_load")
def module_comes_and_goes_under_load():
    expect_lives(late("module_comes_and_goes_under_load", CLOUD, 20), 20)


@test("module_refuses_a_host_without_the_feature")
def module_refuses_a_host_without_the_feature():
    outcome = run("module_refuses_a_host_without_the_feature", guest(
        CLOUD, "late", level="off",
        steps=(stock.SETTLE, f"insmod {DRIVER}", "apf", WORK, "ps-d")))
    check(outcome, guest_may_say=(NOT_OFFERED,))
    assert errors(outcome, "insmod") == [ENODEV], errors(outcome, "insmod")
    said = [line for record in outcome.find("klog") for line in record]
    assert len(said) == 1 and NOT_OFFERED in said[0], said
    expect(outcome.figures(), **NEVER_ANNOUNCED, halted=0, sync=0, wall_ms=(ONE_BY_ONE_MS, None))
