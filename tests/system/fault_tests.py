# SPDX-License-Identifier: GPL-2.0-only
"""Many faults, in many orders, on one and on two vCPUs."""

from lab.harness import test
from tests.vm import BUSY_PC, Vm, check, expect, run


def check_nothing_lost(outcome, pages, sync=0):
    """Each page was announced once, and its waiter woken by a ready bit; but for those of sync."""
    figures = outcome.figures()
    told = pages - figures["sync"]
    expect(figures, faults=pages, announced=told, repeated=0, declined=0, sync=sync, halted=0,
           spurious=0, ready=told, stage2_aborts=(pages, 1.1 * pages))
    guest = outcome.find("guest_apf")[-1]
    expect(guest, announced=told, ready=told, woken=told, killed=0, declined=0)
    return figures


@test("two_vcpus_announce")
def two_vcpus_announce():
    outcome = run("two_vcpus_announce", Vm(
        cpus=2, policy=("all:delay=20",),
        steps=("run --tasks 16 --pages 256 --compute 20 --pin-each --bystander", "irqs", "ps-d", "apf")))
    check(outcome)
    figures = check_nothing_lost(outcome, 256)
    expect(figures, wall_ms=(320, 360))
    assert all(count > 0 for count in outcome.find("irqs")[0]["apf"]), "one vCPU was told nothing"


@test("two_vcpus_off")
def two_vcpus_off():
    outcome = run("two_vcpus_off", Vm(
        level="off", cpus=2, policy=("all:delay=20",),
        steps=("run --tasks 16 --pages 64 --pin-each", "ps-d")))
    check(outcome)
    expect(outcome.figures(), announced=0, halted=0, sync=0, ready=0, wall_ms=(640, None))


@test("second_task_on_a_page_under_way")
def second_task_on_a_page_under_way():
    pages, tasks = 64, 8
    outcome = run("second_task_on_a_page_under_way", Vm(
        policy=("all:delay=20",), steps=(f"run --tasks {tasks} --pages {pages} --same-page",
                                         "ps-d", "apf")))
    check(outcome)
    figures = outcome.figures()
    # One message per task and page, one ready bit per page.
    expect(figures, announced=pages * tasks, repeated=pages * (tasks - 1), ready=pages, sync=0,
           declined=0, spurious=0, stage2_aborts=(pages * tasks, pages * tasks + 8))
    guest = outcome.find("guest_apf")[-1]
    expect(guest, woken=pages * tasks, ready=pages, killed=0)


def thousands(name, gap=(1, 2), **options):
    """They are woken in batches: a real-time task is not kept waiting for all of them.

    gap: the real-time task's longest wait, in ms.
    The server of the page, whose work on 2 MiB takes a while, has a CPU of its own.
    """
    tasks = 4000
    outcome = run(name, Vm(
        **options, policy=("all:delay=400",), args=("--mem", "768", "--cold-backing", "hugetlb", "--pin"),
        timeout=300,
        script="echo 4 >/proc/sys/vm/nr_hugepages || exit 96\ntaskset -p 2 $$ >/dev/null\nvmm",
        steps=(f"run --tasks {tasks} --pages 1 --page-size 2M --same-page --bystander",
               "ps-d", "apf")))
    check(outcome)
    figures = outcome.figures()
    expect(figures, announced=tasks, repeated=tasks - 1, ready=1, declined=0, halted=0, sync=0,
           spurious=0)
    expect(figures["bystander"], worst_gap_ms=gap)
    expect(outcome.find("guest_apf")[-1], slept=tasks, woken=tasks, returned=tasks, killed=0)


test("thousands_of_tasks_on_one_huge_page", "thousands_of_tasks_on_one_huge_page",
     seconds=60)(thousands)


@test("same_page_from_two_vcpus")
def same_page_from_two_vcpus():
    pages, tasks = 64, 8
    outcome = run("same_page_from_two_vcpus", Vm(
        cpus=2, policy=("all:delay=20",),
        steps=(f"run --tasks {tasks} --pages {pages} --same-page --pin-each", "ps-d", "apf")))
    check(outcome)
    # Each vCPU has a token of its own for the page.
    figures = outcome.figures()
    expect(figures, ready=(pages, 2 * pages), sync=0, declined=0)
    expect(outcome.find("guest_apf")[-1], woken=(pages * tasks - 2 * pages, pages * tasks), killed=0)


@test("pages_come_in_any_order")
def pages_come_in_any_order():
    outcome = run("pages_come_in_any_order", Vm(
        policy=("0-128:delay=20,order=lifo,batch=4", "128-256:delay=20,order=shuffle,batch=8"),
        steps=("run --tasks 8 --pages 256", "ps-d", "apf")))
    check(outcome)
    check_nothing_lost(outcome, 256)


@test("eight_tasks_and_four_threads")
def eight_tasks_and_four_threads():
    """The operator's bound, on the host's command line: without a thread, the vCPU waits."""
    outcome = run("eight_tasks_and_four_threads", Vm(
        host_append="kvm-arm.apf_threads=4", knobs={"threads": 1}, policy=("all:delay=20",),
        steps=("run --tasks 8 --pages 256", "ps-d", "apf"), script="""
vmm &
until grep -q guest_apf /out/result 2>/dev/null; do
	grep -hxc kvm-apf /proc/$(pidof apfvm)/task/*/comm 2>/dev/null | grep -c 1
	sleep 0.01
done | sort -n | tail -n 1 >/out/threads_at_most
wait
"""))
    check(outcome)
    check_nothing_lost(outcome, 256, sync=(1, None))
    assert outcome.read("threads_at_most").strip() == "4", outcome.read("threads_at_most")


@test("no_thread_may_be_made")
def no_thread_may_be_made():
    """Then the vCPU waits, as without APF."""
    outcome = run("no_thread_may_be_made", Vm(
        host_append="kvm-arm.apf_threads=0", knobs={"threads": 1}, policy=("all:delay=2",),
        steps=("run --tasks 8 --pages 64", "ps-d", "apf", "stats end")))
    check(outcome)
    expect(outcome.figures(), faults=64, announced=0, halted=0, sync=64)
    expect(outcome.stats("end"), apf_sync_thread=(64, None))


@test("seventy_tasks_on_sixty_four_tokens")
def seventy_tasks_on_sixty_four_tokens():
    outcome = run("seventy_tasks_on_sixty_four_tokens", Vm(
        policy=("all:delay=50",), steps=("run --tasks 70 --pages 280", "ps-d", "apf")))
    check(outcome)
    figures = outcome.figures()
    # The 65th page at a time has no token and is waited for.
    expect(figures, faults=280, sync=(1, 40), declined=0, announced=(200, None))
    guest = outcome.find("guest_apf")[-1]
    expect(guest, woken=guest["announced"], killed=0)


@test("ten_thousand_faults_no_lost_wakeup")
def ten_thousand_faults_no_lost_wakeup():
    outcome = run("ten_thousand_faults_no_lost_wakeup", Vm(
        cpus=2, cold=48, policy=("all:delay=1,order=shuffle,batch=4",), timeout=300,
        steps=("run --tasks 16 --pages 10240 --check first --bystander", "ps-d", "apf")))
    check(outcome)
    check_nothing_lost(outcome, 10240)


@test("ten_thousand_faults_in_real_parallel", alone=True)
def ten_thousand_faults_in_real_parallel():
    outcome = run("ten_thousand_faults_in_real_parallel", Vm(
        mode="mttcg", cpus=2, cold=48, policy=("all:delay=0.2,order=shuffle,batch=4",), timeout=300,
        steps=("run --tasks 16 --pages 10240 --check first --bystander", "ps-d", "apf")))
    check(outcome, host_may_say=BUSY_PC, guest_may_say=BUSY_PC)
    check_nothing_lost(outcome, 10240)
