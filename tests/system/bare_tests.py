# SPDX-License-Identifier: GPL-2.0-only
"""Guests without an operating system, from tests/guests: the contract, bit by bit.

What such a guest finds wrong is its verdict, status 3. The host's counters come
from the VMM, since the guest cannot ask for them.
"""

from lab import paths
from lab.harness import test
from tests.vm import BY_VMM, Vm, check_silent, expect, run

GUESTS = paths.BIN / "guests"
# What read_cold_pages() touches, one after the other.
PAGES = 8
NONE = {"apf_announced": 0, "apf_repeated": 0, "apf_declined": 0, "apf_halted": 0, "apf_sync": 0,
        "apf_ready": 0, "apf_batches": 0}


def end(name, guest, status, level="", policy="all:delay=20", args=()):
    """Run a guest to its end, which the VMM has to give the counters of.

    level: the host's; without it the VMM asks for APF.
    """
    asked = {"level": level} if level else {"apf": BY_VMM}
    outcome = run(name, Vm(**asked, image=f"/boot/{guest}", policy=(policy,), args=args,
                           files={GUESTS / guest: f"boot/{guest}"}))
    complaint = outcome.read("vmm.err")
    assert outcome.records[-1:] and outcome.records[-1]["stats"] == "end", complaint
    assert outcome.status == status, f"apfvm: status {outcome.status}, 3 is a guest's complaint, " \
        f"after {outcome.stats('end')['hvc_exit_stat']} hypercalls\n{complaint}"
    check_silent(outcome, host_may_say=("poison",) if status == 4 else ())
    return outcome


def bare(name, guest, pages=PAGES, **options):
    """Run a guest that is content in the end. Returns the host's counters."""
    outcome = end(name, guest, 0, **options)
    expect(outcome.records[-1]["uffd"], requests=pages, served=pages, waiting=0)
    return outcome.stats("end")


@test("no_halt_with_interrupts_masked")
def no_halt_with_interrupts_masked():
    counters = bare("no_halt_with_interrupts_masked", "masked")
    expect(counters, **{**NONE, "apf_sync": PAGES})


@test("the_page_alone_ends_a_halt")
def the_page_alone_ends_a_halt():
    counters = bare("the_page_alone_ends_a_halt", "unmasked")
    expect(counters, **{**NONE, "apf_halted": PAGES})


@test("halt_level_of_the_host_alone")
def halt_level_of_the_host_alone():
    """The VMM has not asked, so nothing is offered; the guest halts all the same."""
    counters = bare("halt_level_of_the_host_alone", "off", level="halt")
    expect(counters, **{**NONE, "apf_halted": PAGES})


@test("no_in_kernel_gic_no_apf")
def no_in_kernel_gic_no_apf():
    expect(bare("no_in_kernel_gic_no_apf", "no_gic", args=("--no-gic",)), **NONE)


@test("no_in_kernel_gic_no_halt")
def no_in_kernel_gic_no_halt():
    expect(bare("no_in_kernel_gic_no_halt", "no_gic", level="halt", args=("--no-gic",)), **NONE)


@test("off_by_the_vmm_is_off")
def off_by_the_vmm_is_off():
    """Also where the host's parameter makes it the default."""
    expect(bare("off_by_the_vmm_is_off", "off", level="kernel", args=("--apf", "off")), **NONE)


@test("offered_as_the_contract_says")
def offered_as_the_contract_says():
    expect(bare("offered_as_the_contract_says", "on", pages=0), **NONE)


@test("bad_enable_leaves_it_as_it_was")
def bad_enable_leaves_it_as_it_was():
    expect(bare("bad_enable_leaves_it_as_it_was", "enable_errors", pages=0), **NONE)


@test("read_stays_a_read")
def read_stays_a_read():
    """Of memory that nobody may write to, whoever asks to write gets nothing."""
    counters = bare("read_stays_a_read", "read_only", args=("--cold-ro",))
    expect(counters, **{**NONE, "apf_halted": PAGES})
    # Mapped as it came, too: were that tried for a write, each page would fault twice.
    expect(counters, stage2_aborts=(PAGES, PAGES + 4))


@test("one_fault_by_hand")
def one_fault_by_hand():
    """Announced, claimed, its ready bit taken, by a guest that does nothing else."""
    expect(bare("one_fault_by_hand", "el0", pages=1),
           **{**NONE, "apf_announced": 1, "apf_ready": 1, "apf_batches": 1})


# Guest, status and what leads to it: reset, a page that cannot be had, the time is over.
ENDS = (("off", 3, {}), ("unmasked", 4, {"policy": "all:fail"}),
        ("unmasked", 5, {"policy": "all:never", "args": ("--stop-after", "1000")}))


@test("counters_at_every_end")
def counters_at_every_end():
    """Also of a guest that could not ask for them; and a guest's complaint is heard."""
    for guest, status, options in ENDS:
        outcome = end("counters_at_every_end", guest, status, **options)
        expect(outcome.stats("end"), exits=(1, None), apf_sync=(0, 1))
