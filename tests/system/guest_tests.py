# SPDX-License-Identifier: GPL-2.0-only
"""Each of Debian's kernels, as it is, with the driver as a module, and one that checks its
locks as the driver comes and goes: `make test-guests`.
"""

import functools

from lab import harness, kernels, stock
from lab.result import sum_stats
from tests.system.module_tests import (CLOUD, DRIVER, PAGES, TASKS, WORK, at_boot,
                                       expect_lives, guest, late)
from tests.system.qemu_tests import CPUS, TOKENS, drive
from tests.vm import BUSY_PC, check, expect, run

test = functools.partial(harness.test, suite="guests")

# Pages of the host, which has 4 KiB, in one of the guest.
UNIT = {name: row.page_kib // 4 for name, row in kernels.STOCK.items()}
LIVES = 20
MADT = "/sys/firmware/acpi/tables/APIC"
# A preemptible kernel knows only after some 200 ms that no task is in the driver.
LIFE_MS = {stock.LOCKDEP: 500} | {name: 500 for name, row in kernels.STOCK.items()
                                  if row.kind == "rt"}


def boot(kernel):
    at_boot(f"module_at_boot_{kernel}", kernel, UNIT.get(kernel, 1))


def come_and_go(kernel):
    expect_lives(late(f"module_late_{kernel}", kernel, LIVES, UNIT.get(kernel, 1),
                      LIFE_MS.get(kernel, 60)), LIVES)


def in_qemu(name, kernel, acpi):
    """Debian's kernel in Debian's QEMU, moved by post-copy there and back."""
    files = {stock.image(kernel): "boot/Image",
             stock.whole_archive(kernel, "boot"): "boot/guest.cpio"}
    firmware = ()
    if acpi:
        files[stock.firmware()] = "boot/uefi"
        firmware = ("--option=-bios", "--option=/boot/uefi")
    outcome = drive(name, "--mem", "384", *firmware, "await:go", "postcopy", "postcopy", "say:done",
                    "end", files=files, more_steps=(f"exists {MADT}",))
    assert outcome.find("there") == [acpi], f"ACPI: {outcome.find('there')}, not {acpi}"
    told = sum_stats(outcome.record("end"))
    expect(told, apf_announced=(16, None),
           apf_ready=told["apf_announced"] - told["apf_repeated"] + TOKENS * CPUS)
    guest_apf = outcome.find("guest_apf")[-1]
    expect(guest_apf, killed=0, woken=guest_apf["announced"], returned=guest_apf["announced"])


test("debian_in_qemu_by_device_tree", CLOUD, False, seconds=200)(
    lambda kernel, acpi: in_qemu("debian_in_qemu_by_device_tree", kernel, acpi))
test("debian_in_qemu_by_acpi", CLOUD, True, seconds=200)(
    lambda kernel, acpi: in_qemu("debian_in_qemu_by_acpi", kernel, acpi))

for name in (*stock.KERNELS, stock.LOCKDEP):
    test(f"module_at_boot_{name}", name)(boot)
    test(f"module_late_{name}", name, seconds=60)(come_and_go)


@test("module_comes_and_goes_a_thousand_times", seconds=600)
def module_comes_and_goes_a_thousand_times():
    expect_lives(late("module_comes_and_goes_a_thousand_times", CLOUD, 1000,
                      timeout=3000), 1000)


@test("module_comes_and_goes_in_real_parallel", alone=True, seconds=60)
def module_comes_and_goes_in_real_parallel():
    """Preemptible, and on two vCPUs: tasks are preempted within the driver, and move."""
    outcome = run("module_comes_and_goes_in_real_parallel", guest(
        kernels.first("rt").name, "late", cold=256, cpus=2, mode="mttcg", timeout=900, steps=(
            stock.SETTLE, f"start --tasks {TASKS} --pages 60000 --fixed-time 30000 --label load",
            f"reload {DRIVER} kvm_apf 50 30", "wait", f"{WORK} --skip 60000", "ps-d")))
    check(outcome, host_may_say=BUSY_PC, guest_may_say=("kvm-apf: ", *BUSY_PC))
    expect_lives(outcome, 50)
    assert outcome.figures()["pages_verified"] == PAGES
