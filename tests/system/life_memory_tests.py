# SPDX-License-Identifier: GPL-2.0-only
"""What the VMM and the host do to the guest's memory while its pages are under way."""

from lab.harness import test
from tests.system.life import live
from tests.vm import expect, slower

PAGES, TASKS, DELAY = 512, 16, 20
WORK = f"run --tasks {TASKS} --pages {PAGES} --compute 20"


def churned(name, how, changes, work=WORK, **options):
    """Returns the guest's figures; each page was checked, and the changes did happen."""
    outcome = live(name, (work,), policy=(f"all:delay={DELAY}",), cpus=2,
                   args=("--churn", f"{how}=7"), **options)
    done = (outcome.record("run-end")["cold"]["changes"] -
            outcome.record("run-begin")["cold"]["changes"])
    assert done >= changes, f"{done} changes, not {changes}"
    guest = outcome.find("guest_apf")[-1]
    expect(guest, announced=(PAGES, None), woken=guest["announced"], killed=0)
    return outcome.figures()


@test("memslot_deleted_under_faults")
def memslot_deleted_under_faults():
    churned("memslot_deleted_under_faults", "delete", 30)


@test("memslot_moved_under_faults")
def memslot_moved_under_faults():
    churned("memslot_moved_under_faults", "move", 30)


@test("memslot_made_read_only_under_faults")
def memslot_made_read_only_under_faults():
    churned("memslot_made_read_only_under_faults", "ro", 30)


@test("dirty_log_on_and_off_under_faults")
def dirty_log_on_and_off_under_faults():
    churned("dirty_log_on_and_off_under_faults", "log", 30, WORK + " --write")


@test("huge_pages_made_of_cold_ones")
def huge_pages_made_of_cold_ones():
    churned("huge_pages_made_of_cold_ones", "collapse", 30)


def backed(name, backing, requests, **options):
    outcome = live(name, (WORK,), policy=(f"all:delay={DELAY}",), cpus=2,
                   args=("--cold-backing", backing), **options)
    expect(outcome.record("idle")["uffd"], requests=requests, served=requests, waiting=0)
    guest = outcome.find("guest_apf")[-1]
    expect(guest, woken=guest["announced"], killed=0, declined=0)
    return outcome.figures()


@test("cold_memory_that_is_shared")
def cold_memory_that_is_shared():
    expect(backed("cold_memory_that_is_shared", "shmem", PAGES), announced=PAGES, ready=PAGES,
           halted=0, sync=0, spurious=0, stage2_aborts=(PAGES, PAGES * 1.1))


@test("cold_memory_of_huge_pages")
def cold_memory_of_huge_pages():
    """2 MiB are one page of the host: whoever wants any of it waits for that one."""
    expect(backed("cold_memory_of_huge_pages", "hugetlb", 1,
                  before="echo 4 >/proc/sys/vm/nr_hugepages"),
           announced=(TASKS, 2 * TASKS), halted=0, sync=0)


def logged(name, options, dirty):
    """The host's dirty log has the pages that were written to, and no other one."""
    outcome = live(name, (WORK + options,), policy=(f"all:delay={DELAY}",), args=("--dirty-log",))
    expect(outcome.figures(), announced=PAGES, ready=PAGES, halted=0, sync=0, spurious=0)
    expect(outcome.record("idle")["cold"], dirty=dirty)


@test("dirty_log_has_what_was_written")
def dirty_log_has_what_was_written():
    logged("dirty_log_has_what_was_written", " --write", PAGES)


@test("dirty_log_has_nothing_that_was_read")
def dirty_log_has_nothing_that_was_read():
    logged("dirty_log_has_nothing_that_was_read", "", 0)


@test("guest_merged_by_ksm")
def guest_merged_by_ksm():
    """What was merged is written to again: copy on write, under the guest's feet."""
    outcome = live(
        "guest_merged_by_ksm",
        (WORK + " --write", f"watch {slower(100)}",
         WORK + f" --skip {PAGES} --label again --write"),
        policy=(f"all:delay={DELAY}",), cpus=2, timeout=300, args=("--mergeable",), before="""
echo 500 >/sys/kernel/mm/ksm/pages_to_scan
echo 10 >/sys/kernel/mm/ksm/sleep_millisecs
echo 1 >/sys/kernel/mm/ksm/run
""", meanwhile="""
until_seen '"again-begin"'
cat /sys/kernel/mm/ksm/pages_sharing >/out/shared
until_seen '"again-end"'
echo 2 >/sys/kernel/mm/ksm/run
""")
    assert int(outcome.read("shared")) > 32, f"{outcome.read('shared')} pages were merged"
    for label in ("run", "again"):
        expect(outcome.figures(label), announced=(PAGES, None), spurious=0)


@test("vmm_stopped_for_a_long_time")
def vmm_stopped_for_a_long_time():
    """All its threads, with faults in flight, as by a debugger; then it goes on."""
    outcome = live("vmm_stopped_for_a_long_time",
                   ("stats begin", WORK, "run --tasks 8 --pages 64 --skip 512 --label again"),
                   policy=("all:delay=100",), cpus=2, meanwhile="""
until_seen '"run-begin"'
sleep 0.3
kill -STOP $(pidof apfvm)
sleep 3
kill -CONT $(pidof apfvm)
""")
    expect(outcome.figures(), wall_ms=(3000, 6400), sync=0, spurious=0, announced=(PAGES, PAGES + TASKS),
           ready=(PAGES, PAGES + TASKS))
    expect(outcome.figures("again"), announced=64, ready=64, halted=0, sync=0, spurious=0)
