# SPDX-License-Identifier: GPL-2.0-only
"""How it ends: killed, stopped, offline, pages that never come or cannot be had."""

from lab import boot, paths
from lab.harness import test
from tests.vm import AFTERMATH, OUT, Vm, check, check_aftermath, check_silent, expect, run

# With faults in flight.
KILL = """
vmm &
until grep -q guest_apf /out/result 2>/dev/null; do sleep 0.1; done
grep -hx kvm-apf /proc/[0-9]*/task/*/comm >/out/threads_before
killall -9 apfvm
wait
""" + AFTERMATH
# Pages of a userfaultfd are fetched by threads: each of eight tasks has one.
THREADS = {"threads": 1}
FAULTING = "sleep,0,:,start,--tasks,8,--pages,8,:,sleep,500,:,stats,waiting,:,apf,:,sleep,60000"


def check_killed(outcome, threads=0):
    """threads: that fetched pages before. They are seen, or their absence later says nothing."""
    assert outcome.status == 128 + 9, outcome.status
    check_silent(outcome)
    assert len(outcome.read("threads_before").split()) == threads, outcome.read("threads_before")
    check_aftermath(outcome)


def check_eight_wait(outcome):
    """The VM was ended while its faults were in flight, or the test shows nothing."""
    expect(outcome.stats("waiting"), apf_announced=(8, 9), apf_ready=0, apf_sync=0)
    expect(outcome.find("guest_apf")[-1], announced=8, slept=8, woken=0)


@test("never_comes_then_the_vm_is_stopped")
def never_comes_then_the_vm_is_stopped():
    outcome = run("never_comes_then_the_vm_is_stopped", Vm(
        policy=("all:never",), steps=(FAULTING,), args=("--stop-after", "5000"),
        script="vmm\n" + AFTERMATH))
    check(outcome, status=5)
    check_eight_wait(outcome)
    check_aftermath(outcome)


@test("vmm_killed_with_faults_in_flight")
def vmm_killed_with_faults_in_flight():
    outcome = run("vmm_killed_with_faults_in_flight", Vm(
        policy=("all:never",), steps=(FAULTING,), script=KILL))
    check_killed(outcome)
    check_eight_wait(outcome)


@test("vmm_killed_while_threads_wait")
def vmm_killed_while_threads_wait():
    outcome = run("vmm_killed_while_threads_wait", Vm(
        policy=("all:never",), steps=(FAULTING,), knobs=THREADS, script=KILL))
    check_killed(outcome, threads=8)
    check_eight_wait(outcome)


@test("vmm_killed_at_the_halt_level")
def vmm_killed_at_the_halt_level():
    outcome = run("vmm_killed_at_the_halt_level", Vm(
        level="halt", policy=("all:never",), steps=(FAULTING,), script=KILL))
    check_killed(outcome)
    expect(outcome.stats("waiting"), apf_announced=0, apf_sync=0, apf_halted=(8, None))


def killed_uffd_silent(name, threads, **options):
    """The pages' server is another process: alive, and it answers nothing any more.

    The VMM leaves nothing behind, neither thread nor VM, while the server still holds its pages.
    """
    outcome = run(name, Vm(
        **options, policy=("all:never",), steps=(FAULTING,), script="""
vmm &
until grep -q guest_apf /out/result 2>/dev/null; do sleep 0.1; done
hold_uffd $(pidof apfvm) >/out/held &
until grep -q held /out/held; do sleep 0.1; done
grep -hx kvm-apf /proc/[0-9]*/task/*/comm >/out/threads_before
killall -9 apfvm
sleep 1
cat /out/status >/out/status_while_held
grep -hx kvm-apf /proc/[0-9]*/task/*/comm >/out/left_while_held
ls -d /sys/kernel/debug/kvm/[0-9]* >>/out/left_while_held 2>/dev/null
killall hold_uffd
wait
""" + AFTERMATH))
    check_killed(outcome, threads)
    assert outcome.read("status_while_held").strip() == str(128 + 9), "the VMM could not end"
    assert not outcome.read("left_while_held").strip(), outcome.read("left_while_held")
    check_eight_wait(outcome)


test("vmm_killed_uffd_silent", "vmm_killed_uffd_silent", 0)(killed_uffd_silent)


@test("vmm_killed_uffd_silent_while_threads_wait")
def vmm_killed_uffd_silent_while_threads_wait():
    killed_uffd_silent("vmm_killed_uffd_silent_while_threads_wait", 8, knobs=THREADS)


@test("thread_outlives_the_vcpu")
def thread_outlives_the_vcpu():
    guest = paths.BIN / "guests" / "unmasked"
    result = boot.run("echo 1 >/sys/kernel/debug/kvm/apf/knobs/threads && orphan /boot/guest",
                      OUT / "thread_outlives_the_vcpu", timeout=60,
                      files={guest: "boot/guest"})
    assert not result.lab_error, result.lab_error
    said = (result.out / "scenario.log").read_text()
    assert result.status == 0, f"orphan: status {result.status}\n{said}"
    assert not result.klog, result.klog


@test("killed_while_waiting")
def killed_while_waiting():
    outcome = run("killed_while_waiting", Vm(
        policy=("all:never",), steps=("kill-test", "sleep 50", "ps-d", "apf", "stats end")))
    check(outcome)
    expect(outcome.find("guest_apf")[-1], announced=1, slept=1, killed=1, woken=0)
    expect(outcome.stats("end"), apf_announced=1, apf_ready=0)


@test("ready_for_a_task_that_was_killed")
def ready_for_a_task_that_was_killed():
    outcome = run("ready_for_a_task_that_was_killed", Vm(
        policy=("all:delay=300",), steps=("kill-test", "sleep 500", "ps-d", "apf",
                                          "run --tasks 8 --pages 64 --skip 8", "apf")))
    check(outcome)
    before, after = outcome.find("guest_apf")
    expect(before, killed=1, ready=1, woken=0)
    expect(after, killed=1, woken=64)


@test("cpu_offline_with_waiters")
def cpu_offline_with_waiters():
    # The scheduler takes a while to let a CPU go: pages that are slower than that. It
    # stays away in the end: else a later use of the token wakes who was forgotten.
    # All tasks are to be there first.
    rounds = ("sleep 300", *("online 1 0", "sleep 30", "online 1 1", "sleep 30") * 6, "online 1 0")
    outcome = run("cpu_offline_with_waiters", Vm(
        cpus=2, policy=("all:delay=400",),
        steps=("start --tasks 16 --pages 256 --pin-each", *rounds, "stats gone", "wait", "ps-d", "apf",
               "stats done")))
    check(outcome, guest_may_say=("CPU1 killed", "I-cache on CPU1", "redistributor 1 ",
                                  "CPU1: Booted", "no longer affine"))
    guest = outcome.find("guest_apf")[-1]
    expect(guest, woken=guest["announced"], killed=0)
    # There were faults in flight when the CPU went for good.
    expect(outcome.stats("gone"), apf_announced=(16, 250))
    # Woken by the offline, a task faults on its page again: so there were waiters.
    expect(outcome.stats("done"), apf_announced=(256 + 8, None), apf_sync=0)


def lost_page(name, level):
    outcome = run(name, Vm(level=level, policy=("all:delay=5", "3-4:fail,delay=5"),
                           steps=("run --tasks 4 --pages 32",)))
    check(outcome, status=4, host_may_say=("poison",))
    message = outcome.read("vmm.err")
    assert "0x90003000" in message, message
    return outcome.stats("end")


def beyond_the_file(level):
    """A page beyond the end of its file: that it cannot be had is known without a wait."""
    name = f"page_beyond_its_file_{level}"
    outcome = run(name, Vm(level=level, policy=(), args=("--cold-file", "/tmp/empty"),
                           steps=("run --tasks 1 --pages 1",), script="true >/tmp/empty; vmm"))
    check(outcome, status=4)
    return outcome


@test("page_beyond_its_file")
def page_beyond_its_file():
    expected = beyond_the_file("off")
    for level in ("halt", "kernel"):
        outcome = beyond_the_file(level)
        assert outcome.read("vmm.err") == expected.read("vmm.err"), outcome.read("vmm.err")
        expect(outcome.stats("end"), apf_announced=0, apf_halted=0, apf_sync=0)


@test("page_that_never_comes_is_no_endless_refault")
def page_that_never_comes_is_no_endless_refault():
    """No thread can fetch a page, and each no-wait attempt says that it is to come."""
    outcome = run("page_that_never_comes_is_no_endless_refault", Vm(
        policy=("all:delay=2",), knobs={"fail_fetch": 1},
        steps=("run --tasks 4 --pages 16", "ps-d", "apf")))
    check(outcome)
    # That a page has failed is forgotten if its token is used again first.
    expect(outcome.figures(), faults=16, announced=(16, 24), ready=(16, 24), sync=16, halted=0)


@test("page_that_cannot_be_had_off")
def page_that_cannot_be_had_off():
    expect(lost_page("page_that_cannot_be_had_off", "off"), apf_announced=0, apf_halted=0)


@test("page_that_cannot_be_had_halt")
def page_that_cannot_be_had_halt():
    expect(lost_page("page_that_cannot_be_had_halt", "halt"), apf_announced=0, apf_halted=(4, None))


@test("page_that_cannot_be_had_announce")
def page_that_cannot_be_had_announce():
    expect(lost_page("page_that_cannot_be_had_announce", "kernel"), apf_announced=(4, None))
