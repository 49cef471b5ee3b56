# SPDX-License-Identifier: GPL-2.0-only
"""A host that answers nonsense: the guest runs on as without a driver.

The VMM answers APF's hypercall, in place of KVM (apfvm --apf-answer). As the guest enables
nothing, its faults halt.
"""

from lab.harness import test
from lab.result import parse
from tests.vm import Vm, check, expect, run

PAGES, DELAY = 16, 5

# VERSION:INTID[:ENABLE] -> the INTID that may have been mapped, and whether it is another
# device's: SGIs from 0 are the kernel's IPIs, 27 is the virtual timer, 16 nobody's.
LIES = {
    "1:40": (40, 0),
    "1:8": (8, 0),
    "1:0": (0, 1),
    "1:27": (27, 1),
    "1:4294967312": (16, 0),
    "0:16": (16, 0),
    "2:16": (16, 0),
    "4294967297:16": (16, 0),
    "1:16:-1": (16, 0),
    "1:16:-3": (16, 0),
}
# Believed, so that the others are known to have been heard.
BELIEVED = "1:16"
HALTED = {"announced": 0, "declined": 0, "ready": 0, "spurious": 0, "halted": (PAGES, None), "sync": 0}


def vm(answer, **options):
    intid = LIES.get(answer, (16, 0))[0]
    return Vm(policy=(f"all:delay={DELAY}",), **options, steps=(
        f"run --tasks 2 --pages {PAGES}", "apf", f"mapped {intid}", "said kvm-apf", "ps-d"))


def ask(answers, **options):
    """A guest for each answer, one after the other in one host. Yields the outcome of each."""
    script = "\n".join(
        f"apfvm {vm(answer, **options).command()} --apf-answer {answer} --result /out/result.{n} "
        f"2>>/out/vmm.err || exit 97" for n, answer in enumerate(answers))
    outcome = run("host_that_answers_nonsense", Vm(script=f"{script}\necho 0 >/out/status", timeout=400))
    for n, answer in enumerate(answers):
        outcome.records = parse(outcome.read(f"result.{n}"), answer)
        check(outcome)
        expect(outcome.figures(), **HALTED)
        yield answer, outcome


def found(outcome):
    return {"debugfs": outcome.find("guest_apf")[-1] != {}, "said": outcome.find("said")[-1] != [],
            "mapped": outcome.find("mapped")[-1],
            "handled": next(r["handled"] for r in outcome.records if "handled" in r)}


@test("host_that_answers_nonsense", seconds=60)
def host_that_answers_nonsense():
    """Nothing said, nothing left: no folder in debugfs, no interrupt mapped."""
    wrong = []
    for answer, outcome in ask((*LIES, BELIEVED), cpus=2):
        believed = answer == BELIEVED
        others = LIES.get(answer, (16, 1))[1]
        wanted = {"debugfs": believed, "said": believed, "mapped": others, "handled": others}
        if found(outcome) != wanted:
            wrong.append(f"{answer}: {found(outcome)}, not {wanted}")
    assert not wrong, "\n".join(wrong)
