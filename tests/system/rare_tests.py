# SPDX-License-Identifier: GPL-2.0-only
"""What hardware or bad luck does rarely, forced by the knobs (host/apf-knobs.c).

Each test asserts that the way was gone, by the count of the knob or of the path,
and that nothing was lost on it.
"""

from lab.harness import comment, test
from tests.vm import Vm, check, expect, run

TASKS, PAGES = 8, 64
WORK = f"run --tasks {TASKS} --pages {PAGES} --compute 20"
STEPS = (WORK + " --bystander", "ps-d", "apf")
BY_SYSCALL = (WORK + " --syscall --bystander", "ps-d", "apf")
ALONE = ("run --tasks 1 --pages 16", "ps-d", "apf")


def forced(name, knobs, steps=STEPS, **options):
    """A run with knobs. Returns the outcome, what was forced, the guest's counters."""
    options.setdefault("policy", ("all:delay=20",))
    outcome = run(name, Vm(steps=steps, knobs=knobs, **options))
    check(outcome, guest_may_say=options.pop("guest_may_say", ()))
    guest = outcome.find("guest_apf")[-1]
    # Whoever was put to sleep was woken.
    expect(guest, killed=0, woken=guest["announced"])
    return outcome, outcome.knobs(), guest


@test("back_before_the_ppi_is_taken")
def back_before_the_ppi_is_taken():
    """The same instruction faults again: the host knows, and just goes back in."""
    outcome, taken, guest = forced("back_before_the_ppi_is_taken", {"late_ppi": 3}, ALONE)
    expect(taken, late_ppi=16, reentered=3 * 16)
    expect(outcome.figures(), announced=16, repeated=0, ready=16, halted=0, sync=0, spurious=0)
    expect(guest, announced=16, woken=16)


@test("ppi_taken_late_from_another_context")
def ppi_taken_late_from_another_context():
    """Ticks later: another task runs, at another PC, and is not put to sleep for it."""
    outcome, taken, guest = forced("ppi_taken_late_from_another_context", {"late_ppi": 600}, (
        f"run --tasks {TASKS} --pages {PAGES} --half-syscall --bystander", "ps-d", "apf"))
    figures = outcome.figures()
    expect(taken, late_ppi=figures["announced"], reentered=(100, None))
    expect(figures, spurious=(1, None), sync=0, declined=0)
    # Told for nothing, the task is told again.
    expect(figures, announced=guest["announced"] + guest["spurious"])


@test("ppi_lost")
def ppi_lost():
    """The vCPU halts until the page comes; the PPI that says so tells both."""
    outcome, taken, _ = forced("ppi_lost", {"drop_ppi": 5}, ALONE)
    expect(taken, drop_ppi=5)
    expect(outcome.figures(), announced=16, ready=16, halted=(5, None), sync=0)


def rival(name, knobs, steps):
    outcome, taken, guest = forced(name, {"rival": 1, **knobs}, steps)
    figures = outcome.figures()
    expect(taken, rival=figures["announced"])
    return figures, guest


@test("another_interrupt_at_the_same_time")
def another_interrupt_at_the_same_time():
    figures, _ = rival("another_interrupt_at_the_same_time", {}, STEPS)
    expect(figures, announced=PAGES, repeated=0, spurious=0, halted=0, sync=0)


@test("another_interrupt_at_the_same_time_in_the_kernel")
def another_interrupt_at_the_same_time_in_the_kernel():
    figures, guest = rival("another_interrupt_at_the_same_time_in_the_kernel", {}, BY_SYSCALL)
    expect(figures, announced=PAGES, repeated=0, spurious=0, halted=0, sync=0)
    expect(guest, kernel=PAGES)


@test("pended_only_loses_nothing")
def pended_only_loses_nothing():
    """Without the software entry, and without the raised priority: spurious, but harmless."""
    figures, guest = rival("pended_only_loses_nothing", {"pend_only": 2}, STEPS)
    comment(f"spurious: {guest['spurious']} of {figures['announced']}")
    expect(figures, announced=PAGES + guest["spurious"], sync=0)


@test("no_memory_for_a_work")
def no_memory_for_a_work():
    outcome, taken, _ = forced("no_memory_for_a_work", {"fail_alloc": 4})
    figures = outcome.figures()
    # Works are used again, so there are fewer allocations than pages.
    expect(taken, fail_alloc=(PAGES // 8, None))
    # 2 allocations are the VM's, and the guest's own start may have faulted too.
    expect(figures, sync=(PAGES // 8 - 4, PAGES // 2), declined=0, spurious=0)
    expect(figures, announced=PAGES - figures["sync"])


@test("no_memory_for_a_vm")
def no_memory_for_a_vm():
    """Each of a first vCPU's two allocations: KVM_RUN says so, and a next VM runs."""
    outcome = run("no_memory_for_a_vm", Vm(
        steps=("ps-d",), script="""
for n in 1 2; do
	echo $n >$KNOBS/knobs/fail_alloc
	vmm
	cat /out/status >>/out/statuses
	grep -c 'Cannot allocate memory' /out/vmm.err >>/out/said
done
echo 0 >$KNOBS/knobs/fail_alloc
vmm
"""))
    check(outcome)
    assert outcome.read("statuses").split() == ["1"] * 2, outcome.read("statuses")
    assert outcome.read("said").split() == ["1"] * 2, outcome.read("vmm.err")
    expect(outcome.knobs(), fail_alloc=2)


@test("block_that_fails_now_and_then")
def block_that_fails_now_and_then():
    """Each kind of access at its own rate, so that none depends on what the others are at."""
    outcome, taken, guest = forced("block_that_fails_now_and_then", {
        "fail_read": 5, "fail_tell": 7, "fail_ready": 3},
        (f"run --tasks {TASKS} --pages {4 * PAGES} --bystander", "ps-d", "apf"))
    expect(taken, unreadable=taken["fail_read"], untold=taken["fail_tell"],
           retried=(taken["fail_ready"], None), fail_read=(40, None), fail_tell=(20, None),
           fail_ready=(10, None))
    figures = outcome.figures()
    expect(figures, sync=(40, None), spurious=0, declined=0, announced=guest["announced"])


@test("block_that_fails_for_a_while")
def block_that_fails_for_a_while():
    """Ready bits are owed meanwhile, to a guest whose tasks all wait for them."""
    outcome, taken, guest = forced("block_that_fails_for_a_while", {}, (
        f"start --tasks {TASKS} --pages {TASKS}", "sleep 20", "apf", "wait", "ps-d", "apf"),
        policy=("all:delay=300",), script="""
vmm &
until grep -q guest_apf /out/result 2>/dev/null; do sleep 0.01; done
echo 1 >$KNOBS/knobs/fail_block
sleep 1
echo 0 >$KNOBS/knobs/fail_block
wait
""")
    expect(taken, retried=(2, None), fail_block=(2, None))
    expect(guest, announced=TASKS, ready=TASKS, slept=TASKS)
    # Until the vCPU's thread was next scheduled in, and no later.
    expect(outcome.find("run")[0], wall_ms=(1000, 3000))


@test("page_there_before_the_halt")
def page_there_before_the_halt():
    outcome = run("page_there_before_the_halt", Vm(
        level="halt", steps=ALONE, knobs={"hold_halt": 40}, policy=("all:delay=20",)))
    check(outcome)
    expect(outcome.knobs(), hold_halt=16, no_halt=16)
    # Nobody waits for a page that is there already: 40 ms each, and what is left of a tick of 4 ms.
    expect(outcome.figures(), halted=0, sync=0, wall_ms=(16 * 40, 16 * 46))


@test("completion_held_back")
def completion_held_back():
    """The page has come, the word of it has not. A thread that is held sleeps in ticks of 4 ms."""
    outcome, taken, guest = forced("completion_held_back", {"hold_done": 30})
    figures = outcome.figures()
    expect(taken, hold_done=PAGES)
    expect(figures, announced=PAGES, ready=PAGES, sync=0, halted=0,
           wall_ms=(PAGES * 50 / TASKS, PAGES * 58 / TASKS))
