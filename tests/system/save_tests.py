# SPDX-License-Identifier: GPL-2.0-only
"""Saved with faults in flight, and restored in another process of the VMM."""

import dataclasses
import json

from lab import kernel, paths
from lab.harness import test
from lab.result import parse, sum_stats
from tests.lives import NEXT_LIVES, TOKENS
from tests.vm import BY_VMM, Vm, check, check_silent, expect, run

GUESTS = paths.BIN / "guests"
# Less than usual, since all of it is saved.
MEM = ("--mem", "128")
# A kernel that checks itself gets less done in a life.
LIFE_TIMES = 5 if kernel.checks_itself() else 1

# The guest says when; its own life begins there.
WHEN_IT_SAYS = """
vmm &
until grep -q '"stats":"go"' /out/result 2>/dev/null; do sleep 0.01; done
sleep 0.05
kill -USR2 $(pidof apfvm)
wait
cp /out/status /out/statuses
"""
AFTER_A_WHILE = "vmm\ncp /out/status /out/statuses\n"


@dataclasses.dataclass
class Lives:
    """What becomes of a VM that is saved and restored a number of times."""

    vm: Vm
    policies: tuple             # of each life but the first
    ms: int                     # how long those live
    ram_delay: float = 0.1
    more: tuple = ()            # policies of all lives, also of the first
    parameters: str = "on off halt"
    first: str = WHEN_IT_SAYS

    def run(self, name):
        last = len(self.policies)
        script = self.first + NEXT_LIVES.format(
            policies=" ".join(self.policies), more=" ".join(f"--policy {word}" for word in self.more),
            parameters=self.parameters, ms=self.ms, last=last,
            ram_delay=self.ram_delay, at_last="")
        args = ("--save", "/tmp/vm.0", *self.vm.args)
        outcome = run(name, dataclasses.replace(
            self.vm, script=script, args=args, policy=(*self.vm.policy, *self.more)))
        statuses = outcome.read("statuses").split()
        assert statuses == ["6"] * last + ["0"], f"{statuses}\n{outcome.read('vmm.err')}"
        return outcome, [saved(outcome, life) for life in range(last)]


def saved(outcome, life):
    """What the VMM says of a file that it has written."""
    lines = [json.loads(line) for line in outcome.read(f"saved.{life}").splitlines()]
    stats = sum_stats(lines[1])
    return {**stats, **lines[0]["saved"], "waiting": lines[1]["uffd"]["waiting"],
            "served": lines[1]["uffd"]["served"]}


def in_flight(life, figures, cpus):
    """Announced, and no ready bit yet, but for those by which the VM woke all."""
    woken = TOKENS * cpus if life else 0
    return figures["apf_announced"] - figures["apf_repeated"] - (figures["apf_ready"] - woken)


def check_all_woken(outcome):
    """One file after the other is read, and for that memory comes back, some of it announced."""
    guest = outcome.find("guest_apf")[-1]
    expect(guest, killed=0, woken=(guest["announced"], guest["announced"] + 16))


@test("ten_generations_of_restore", seconds=120)
def ten_generations_of_restore():
    """In hosts whose own default is on, off and halt: what counts is the VM's."""
    lives, cpus = 10, 2
    # Four tasks go in step, and so do the other four, with slower pages: there is no moment at
    # which all pages have come and the next ones were not asked for yet.
    late_half = ("4096-8192:delay=27",)
    outcome, files = Lives(
        Vm(cpus=cpus, cold=48, policy=("all:delay=20",), timeout=600, args=MEM, steps=(
            "start --tasks 8 --pages 8192 --layout blocked --half-syscall --pin-each "
            f"--fixed-time {2500 * LIFE_TIMES}", "stats go", "wait", "ps-d", "apf",
            "run --tasks 8 --pages 512 --half-syscall --label again", "ps-d", "apf")),
        policies=("all:delay=20",) * lives, more=late_half, ms=200 * LIFE_TIMES).run("ten_generations_of_restore")
    check(outcome)
    for life, figures in enumerate(files):
        assert in_flight(life, figures, cpus) > 0 and figures["waiting"] > 0, (life, figures)
        # That what was announced before is not all there is.
        expect(figures, apf_announced=(8, None), cold_pages=(8, None))
    check_all_woken(outcome)
    expect(outcome.find("run")[0], faults=(8 * lives, None))
    # Pages that an earlier life had are those of the file, and late again.
    expect(outcome.figures("again"), announced=(100, None), faults=512)


@test("saved_in_the_middle_of_an_announcement", seconds=30)
def saved_in_the_middle_of_an_announcement():
    """Between acknowledge and EOI, before the claim, with the PPI disabled: tests/guests/saved.c."""
    outcome, files = Lives(
        Vm(apf=BY_VMM, image="/boot/saved", policy=("all:never",),
           files={GUESTS / "saved": "boot/saved"}, args=("--save-after", "200"),
           knobs={"rival": 32}),
        policies=("all:never", "all:never", "all:delay=5"), ms=400, first=AFTER_A_WHILE,
        parameters="off off off").run("saved_in_the_middle_of_an_announcement")
    check_silent(outcome)
    for life, announced in enumerate((1, 1, 0)):
        expect(files[life], apf_announced=announced, apf_ready=TOKENS if life else 0,
               apf_batches=1 if life else 0)
    expect(outcome.stats("end"), apf_announced=1, apf_ready=TOKENS + 1, apf_batches=2)


@test("saved_with_a_cpu_offline", seconds=30)
def saved_with_a_cpu_offline():
    """Its tasks have gone elsewhere, and wait for what the CPU was told of; it comes back later.

    With vector registers, which are saved too.
    """
    outcome, files = Lives(
        Vm(cpus=2, policy=("all:delay=300",), timeout=300, args=(*MEM, "--sve"), steps=(
            "start --tasks 8 --pages 64 --pin-each", "sleep 30", "online 1 0", "stats go", "wait",
            "online 1 1", "run --tasks 8 --pages 64 --skip 64 --pin-each", "irqs", "ps-d", "apf")),
        policies=("all:delay=20",), ms=0, parameters="off").run("saved_with_a_cpu_offline")
    check(outcome, guest_may_say=("CPU1 killed", "I-cache on CPU1", "redistributor 1 ",
                                  "CPU1: Booted", "no longer affine"))
    expect(files[0], apf_announced=(8, None), apf_ready=0, waiting=(1, None))
    assert all(count > 0 for count in outcome.find("irqs")[0]["apf"]), outcome.find("irqs")
    check_all_woken(outcome)


# Each way from the same file. The result of the first is that of the VM that was saved.
WAYS = """
vmm
cp /out/status /out/statuses
restore()
{
	name=$1
	shift
	apfvm --restore /tmp/vm --policy ram:delay=0.5 --bandwidth 10000 --console /out/console.$name \\
		--result /out/result.$name "$@" 2>>/out/vmm.err
	echo $? | tee -a /out/statuses >/out/status
}
restore touched --marks /tmp/list
restore prefetched --prefetch /tmp/list --marks /out/marks
restore none --huge
echo 64 >/proc/sys/vm/nr_hugepages || exit 96
restore huge --huge
"""


@test("restored_with_a_list_and_in_huge_pages", seconds=60)
def restored_with_a_list_and_in_huge_pages():
    """The second restore asks for little, since what the first one asked for comes by itself.

    Where the host has no huge pages, that cannot be had.
    """
    outcome = run("restored_with_a_list_and_in_huge_pages", Vm(
        cold=0, policy=(), args=(*MEM, "--save", "/tmp/vm"), timeout=300, script=WAYS, steps=(
            "keep --tasks 8 --pages 64 --move 8 --visits 128 --bystander", "sleep 1000", "save",
            "begin", "sleep 5000", "stats worked", "stop", "ps-d", "apf")))
    assert outcome.read("statuses").split() == ["6", "0", "0", "1", "0"], outcome.read("vmm.err")
    worked, listed = {}, {}
    for name in ("touched", "prefetched", "huge"):
        outcome.records = parse(outcome.read(f"result.{name}"), name)
        check(outcome)
        worked[name], listed[name] = outcome.record("worked"), outcome.record("end")["uffd"]["requests"]
    touched, prefetched, huge = (worked[name]["uffd"] for name in worked)
    pages = 8 * 64
    expect(touched, requests=(pages, None), prefetched=0, waiting=0)
    # The list has all that the first one asked for until its end.
    expect(prefetched, requests=(0, pages // 2), waiting=0, prefetched=(pages, listed["touched"]))
    expect(huge, requests=(4, 64), prefetched=0, waiting=0)
    expect(sum_stats(worked["touched"]), apf_announced=(pages // 2, None))
    events = [json.loads(line)["ev"] for line in outcome.read("marks").splitlines()]
    assert events.count("prefetch") >= prefetched["prefetched"], events


BAD_FILES = r"""
apfvm --kernel /boot/saved --apf on --cold 8 --save /tmp/vm --save-after 1 2>/out/vmm.err
echo $? >/out/statuses
head -c 4096 /tmp/vm >/tmp/good
bad()
{
	apfvm --restore "$@" 2>>/out/vmm.err
	echo $? >>/out/statuses
}
change()
{
	printf "$1" | dd of=/tmp/vm bs=1 seek=$2 conv=notrunc 2>/dev/null
	bad /tmp/vm
	dd if=/tmp/good of=/tmp/vm conv=notrunc 2>/dev/null
}
bad /tmp/none
head -c 50 /tmp/vm >/tmp/short;		bad /tmp/short
head -c 5000000 /tmp/vm >/tmp/short;	bad /tmp/short
change X 0
change '\377' 8
change '\377' 12
change XXXX {records}
bad /tmp/vm --cpus 2
bad /tmp/vm --mem 32
bad /tmp/vm --kernel /boot/saved
bad /tmp/vm --huge
bad /tmp/vm --prefetch /tmp/none
bad /tmp/vm --prefetch /dev/null
bad /tmp/vm --prefetch /tmp/none --save /tmp/again
ls /tmp/*.tmp >>/out/statuses 2>/dev/null
tail -n 1 /out/statuses >/out/status
true
"""
# Size of vmm/state.h's header; the records are behind it and a byte for each cold page.
HEADER = 96
WHY = ("/tmp/none: No such file", "not a VM saved by apfvm", "has 5000000 bytes and should have",
       "not a VM saved by apfvm", "version 255", "damaged", "no record 'vcpu'",
       "--cpus is 1 there, not 2", "--mem is 256 there, not 32", "the VM has its kernel",
       "--huge: the VM has cold memory", "/tmp/none: No such file", "/dev/null: no page was asked for",
       "--prefetch: for --restore, no --mapped, --evict, --save")


@test("a_file_that_is_no_vm_says_so")
def a_file_that_is_no_vm_says_so():
    outcome = run("a_file_that_is_no_vm_says_so", Vm(
        script=BAD_FILES.replace("{records}", str(HEADER + 8 * 256)),
        files={GUESTS / "saved": "boot/saved"}))
    said = outcome.read("vmm.err").splitlines()
    statuses = outcome.read("statuses").split()
    assert statuses[0] == "6" and "0" not in statuses, f"{statuses} {said}"
    assert len(statuses) == len(WHY) + 1 and len(said) == len(WHY), f"{statuses} {said}"
    for wanted, line in zip(WHY, said):
        assert wanted in line, f"'{wanted}' is not what it says: {line}"
    check_silent(outcome)
