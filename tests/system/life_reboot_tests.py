# SPDX-License-Identifier: GPL-2.0-only
"""Another kernel takes over: reset, kexec, crash, with faults in flight.

The next kernel has another use for the memory that the blocks are in. What the host
writes into a block it counts as ready; and the next kernel watches its memory until
all pages of the one before have come.
"""

from lab.harness import test
from lab.kernel import checks_itself
from tests.system.bare_tests import NONE, bare
from tests.system.life import IDLE, check_in_flight, live
from tests.vm import command_line, expect

WAITING = 8
# A kernel that tells the host of blocks of its own would end the old ones by that.
NO_DRIVER = "no-kvmapf"
# Pages of the first kernel come late, those of the next one do not. A kernel that checks
# itself goes late, too: it looks for leaks first.
LATE_MS = 30000 if checks_itself() else 1500
POLICY = (f"all:delay={LATE_MS}", "64-2048:delay=20")
FAULTING = (f"start --tasks {WAITING} --pages 64", "sleep 300", "stats waiting")
WATCHING = (f"watch {LATE_MS + 1000}", "stats watched")
WORKING = ("run --tasks 8 --pages 64 --skip 64 --bystander",)
# Enough for a second kernel of the same size.
KEXEC = """
mkdir -p /tmp/next/next
cd /tmp/next
cp /boot/Image next/Image
cp /boot/guest.cpio next/initrd
cat >next/append <<'END'
{append}
END
find next | cpio -o -H newc >next.cpio
cat /boot/guest.cpio next.cpio >/tmp/initrd
cd /out
"""


def check_next(outcome):
    """All came that the first kernel asked for, and nobody was told."""
    check_in_flight(outcome, WAITING)
    # Woken as its CPU disables, a task may be told once more on one that is yet to.
    expect(outcome.stats("watched"), apf_ready=0, apf_announced=(WAITING, 2 * WAITING), apf_sync=0)
    expect(outcome.record("watched")["uffd"], requests=WAITING, served=WAITING, waiting=0)
    assert outcome.find("watch")[0]["mib"] > 32, outcome.find("watch")


def check_works(outcome):
    expect(outcome.figures(), announced=64, repeated=0, ready=64, declined=0, halted=0, sync=0,
           spurious=0)
    expect(outcome.find("guest_apf")[-1], announced=64, slept=64, woken=64, killed=0)


def check_takes_over(outcome):
    check_next(outcome)
    check_works(outcome)


@test("reset_by_a_guest_that_does_not_disable")
def reset_by_a_guest_that_does_not_disable():
    counters = bare("reset_by_a_guest_that_does_not_disable", "reset", pages=2,
                    policy="all:delay=50", args=("--append", "again"))
    expect(counters, **{**NONE, "apf_announced": 2, "apf_ready": 1, "apf_batches": 1})


@test("reboot_with_faults_in_flight")
def reboot_with_faults_in_flight():
    check_takes_over(live("reboot_with_faults_in_flight", (*FAULTING, "reboot"),
                          (*WATCHING, "reboot"), WORKING, appends=(NO_DRIVER, ""),
                          policy=POLICY, cpus=2))


@test("reset_without_a_word_with_faults_in_flight")
def reset_without_a_word_with_faults_in_flight():
    """As after a panic: no notifier runs, no CPU goes offline. And nobody enables again."""
    check_next(live("reset_without_a_word_with_faults_in_flight", (*FAULTING, "sysrq b"), WATCHING,
                    appends=(NO_DRIVER,), policy=POLICY, cpus=2))


@test("reset_by_the_vmm_with_faults_in_flight")
def reset_by_the_vmm_with_faults_in_flight():
    check_takes_over(live("reset_by_the_vmm_with_faults_in_flight", (*FAULTING, "sleep 60000"),
                          (*WATCHING, "reboot"), WORKING, appends=(NO_DRIVER, ""),
                          policy=POLICY, cpus=4, meanwhile="""
until_seen '"stats":"waiting"'
sleep 0.1
kill -HUP $(pidof apfvm)
"""))


def kexec(name, append_next, *steps, load="kexec load", go="kexec now", args=(), **options):
    before = KEXEC.format(append=command_line((*steps, *IDLE), append_next))
    return live(name, (load, *FAULTING, go), before=before,
                args=("--initrd", "/tmp/initrd", *args), policy=POLICY, **options)


@test("kexec_into_a_kernel_without_a_driver")
def kexec_into_a_kernel_without_a_driver():
    check_next(kexec("kexec_into_a_kernel_without_a_driver", NO_DRIVER, *WATCHING))


@test("kexec_into_a_kernel_with_a_driver")
def kexec_into_a_kernel_with_a_driver():
    check_takes_over(kexec("kexec_into_a_kernel_with_a_driver", "", *WATCHING, *WORKING, cpus=2))


@test("crash_kernel_with_faults_in_flight")
def crash_kernel_with_faults_in_flight():
    """It leaves the memory of the old one alone, so that the host may write there."""
    mib = 256 if checks_itself() else 128
    outcome = kexec("crash_kernel_with_faults_in_flight", "", *WATCHING, *WORKING, load="kexec crash",
                    go="sysrq c", args=("--mem", str(2 * mib)), append=f"crashkernel={mib}M", cpus=2)
    check_in_flight(outcome, WAITING)
    check_works(outcome)
