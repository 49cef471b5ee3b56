# SPDX-License-Identifier: GPL-2.0-only
"""One VM in one fresh host, for the system tests and the simulation.

What is checked of every run, whatever the test is about: the VMM's status, the
guest's own verdict, each page, that no task is left in D state in the guest, and
that the kernel logs of host and guest stayed silent.
"""

import dataclasses
import json
import re
import shlex

from lab import boot, harness, kernel, paths
from lab.levels import LEVELS, PARAMETER_FILE
from lab.result import check_end, parse, run_figures, sum_stats
from tests import margins

OUT = paths.OUT / "test"

BUSY_PC = (boot.TIMER_LATE,)
# What a guest says of CPUs that go and come.
CPU_NOISE = ("killed (polled", "I-cache on CPU", ": found redistributor", ": Booted",
             "no longer affine")

# The host's parameter, and apfvm's word: the VMM leaves it to the host, or asks for it itself.
BY_HOST = "default"
BY_VMM = ("off", LEVELS["kernel"].vmm)
# A guest's kernel in the host's image that has no driver.
NO_DRIVER = "/boot/Image.nodriver"

SCENARIO = """\
echo {parameter} >{file} || exit 99
KNOBS=/sys/kernel/debug/kvm/apf
{knobs}
vmm() {{
	apfvm {command} 2>/out/vmm.err
	echo $? >/out/status
}}
{script}
head -n 1 $KNOBS/taken/* $KNOBS/paths/* >/out/knobs
[ ! -e /sys/kernel/debug/kcsan ] || cp /sys/kernel/debug/kcsan /out/kcsan
true
"""

# until_seen WORDS: on the result channel, or the VMM has ended. poll: seconds between two looks.
UNTIL_SEEN = """
poll=0.05
seen() { grep -q "$1" /out/result 2>/dev/null; }
until_seen() { until seen "$1" || [ -e /out/status ]; do sleep $poll; done; }
"""

# After the VMM: none of its threads that fetch pages is left, and nobody stays in D state. Kernel
# threads that collapse or compact pages pass through it, so that one look is not enough.
AFTERMATH = """
for look in $(seq 20); do
	sleep 1
	ps -o stat,comm | grep '^D' >/out/stuck || break
done
grep -hx kvm-apf /proc/[0-9]*/task/*/comm >/out/threads
"""

# A kernel that checks itself takes its time: then these have no upper bound.
TIMES = ("wall_ms", "worst_gap_ms")


def command_line(steps, append=""):
    """A guest kernel's, with the job behind it."""
    job = ",:,".join(step.replace(" ", ",") for step in steps)
    return f"console=hvc0 panic=-1 panic_on_warn=1 quiet {append} -- {job}"


@dataclasses.dataclass
class Vm:
    """What to run. steps: the guest's job; script: sh, runs `vmm`.

    apf: the host's parameter and the VMM's word, if they are not those of the level. host, guest:
    flavours of the kernels, if not $KERNEL_FLAVOUR. seed: see boot.run().
    """

    level: str = "kernel"
    apf: tuple = ()
    steps: tuple = ()
    cpus: int = 1
    cold: int = 8
    policy: tuple = ("all:delay=2",)
    args: tuple = ()
    append: str = ""
    host_append: str = ""
    image: str = ""
    host: str = ""
    guest: str = ""
    script: str = "vmm"
    mode: str = "icount"
    timeout: int = 120
    smp: int = 2
    mem: str = "2G"
    seed: int | None = None
    files: dict = dataclasses.field(default_factory=dict)
    knobs: dict = dataclasses.field(default_factory=dict)

    def guest_flavour(self):
        """"" if the test has a guest of its own."""
        return "" if self.image else self.guest or kernel.chosen()

    def guest_kernel(self):
        if self.guest_flavour() in ("", kernel.BASE_FLAVOUR):
            return self.image or "/boot/Image"
        return f"/boot/Image.{self.guest_flavour()}"

    def all_files(self):
        """With the guest's kernel, if it is not one that the host's image has."""
        if self.guest_flavour() in ("", kernel.BASE_FLAVOUR):
            return self.files
        return {kernel.image(self.guest_flavour()): self.guest_kernel()[1:], **self.files}

    def seconds(self):
        """boot.run() knows of a slow host, but not of the guest in it."""
        slow_host = (self.host or kernel.chosen()) in kernel.SLOW
        return self.timeout * (1 if slow_host else kernel.SLOW.get(self.guest_flavour(), 1))

    def switches(self):
        """(the host's parameter, the VMM's word)"""
        return self.apf or (LEVELS[self.level].host, BY_HOST)

    def guest_append(self):
        """What the guest's kernel is told on its command line."""
        return " ".join(filter(None, (LEVELS[self.level].guest, self.append)))

    def command(self):
        _, apf = self.switches()
        policies = [word for policy in self.policy for word in ("--policy", policy)]
        return shlex.join([
            "--kernel", self.guest_kernel(), "--initrd", "/boot/guest.cpio",
            "--cpus", str(self.cpus), "--cold", str(self.cold), "--apf", apf, *policies,
            "--append", command_line(self.steps, self.guest_append()),
            "--console", "/out/console", "--result", "/out/result", *self.args])

    def scenario(self):
        knobs = "\n".join(f"echo {value} >$KNOBS/knobs/{name} || exit 98"
                          for name, value in self.knobs.items())
        parameter, _ = self.switches()
        return SCENARIO.format(parameter=parameter, file=PARAMETER_FILE, command=self.command(),
                               script=self.script, knobs=knobs)


class Outcome:
    """What came of it. status: the VMM's; records: the lines of the result channel.

    host: the flavour of its kernel.
    """

    def __init__(self, result, host=""):
        self.result, self.host = result, host
        self.status = int(self.read("status") or -1)
        self.records = parse(self.read("result"), "guest")

    def read(self, name):
        path = self.result.out / name
        return path.read_text(errors="replace") if path.exists() else ""

    def knobs(self):
        """How often each knob did something, and each rare path was gone (host/apf-knobs.c)."""
        return {name: int(count) for name, count in
                re.findall(r"^==> \S*/(\w+) <==\n(\d+)$", self.read("knobs"), re.M)}

    def find(self, key):
        return [record[key] for record in self.records if key in record]

    def figures(self, label="run"):
        return run_figures(self.records, label, "guest")

    def record(self, name):
        """What the VMM answered to a request for statistics under a name."""
        for record in self.records:
            if record.get("stats") == name:
                return record
        raise AssertionError(f"no statistics {name}: the VM did not come that far")

    def stats(self, name):
        """Sums over the vCPUs."""
        return sum_stats(self.record(name))


def run(name, vm, folder=OUT):
    assert vm.mode == "icount" or harness.CURRENT.alone, "real time: to be declared alone=True"
    result = boot.run(vm.scenario(), folder / name, mode=vm.mode, timeout=vm.seconds(), smp=vm.smp,
                      mem=vm.mem, append=vm.host_append, image=vm.host or None,
                      files=vm.all_files(), seed=vm.seed)
    assert not result.lab_error, result.lab_error
    log = result.out / "scenario.log"
    assert result.status == 0, f"scenario: status {result.status}\n{log.read_text()}"
    return Outcome(result, vm.host or kernel.chosen())


def check_log(whose, lines, may_say):
    if kernel.checks_itself():
        may_say = (*may_say, *BUSY_PC)
    said = [line for line in lines if not any(word in line for word in may_say)]
    assert not said, f"the {whose}'s kernel log: " + "\n".join(said)


def check_silent(outcome, host_may_say=(), guest_may_say=()):
    check_log("host", outcome.result.klog.splitlines(), host_may_say)
    check_log("guest", [line for record in outcome.find("klog") for line in record], guest_may_say)


def check_watched(outcome):
    """Whether KCSAN, where there is one, has looked."""
    if outcome.host == "kcsan":
        found = re.search(r"^setup_watchpoints: (\d+)$", outcome.read("kcsan"), re.M)
        assert found and int(found[1]), "the host's KCSAN has watched nothing"


def check(outcome, status=0, host_may_say=(), guest_may_say=()):
    """What holds for every VM that comes to its end."""
    assert outcome.status == status, \
        f"apfvm: status {outcome.status}, not {status}\n{outcome.read('vmm.err')}"
    check_silent(outcome, host_may_say, guest_may_say)
    check_watched(outcome)
    if status == 0:
        check_end(outcome.records, "guest")
    for run_record in outcome.find("run"):
        assert run_record["pages_bad"] == 0, run_record
        assert run_record["pages_verified"] == run_record["faults"] > 0, run_record
    for count in outcome.find("ps_d"):
        assert count == 0, f"{count} tasks left in D state: {outcome.find('sleeps_for_good')}"


def check_aftermath(outcome):
    for name in ("stuck", "threads"):
        assert not outcome.read(name).strip(), f"left behind: {outcome.read(name)}"


def of_keys(text):
    """{key: number} of a text with one of each per line, such as a file of a cgroup."""
    return {key: int(value) for key, value in (line.split() for line in text.splitlines())}


def fewer(count):
    """Of what is only a matter of numbers, a tenth is enough where each takes five times as long."""
    return count // 10 if kernel.checks_itself() else count


def slower(ms):
    """A time that is long for a kernel: one that checks itself needs more of it for the same."""
    return ms * kernel.SLOW.get(kernel.chosen(), 1)


def expect(figures, **wanted):
    """Each figure is a number, or a range (low, high); None: no bound."""
    wrong = []
    for key, value in wanted.items():
        low, high = value if isinstance(value, tuple) else (value, value)
        if key in TIMES and kernel.checks_itself():
            high = None
        got = figures[key]
        margins.note(harness.CURRENT, key, got, low, high)
        if (low is not None and got < low) or (high is not None and got > high):
            wrong.append(f"{key} is {got}, not {value}")
    assert not wrong, "; ".join(wrong) + "\n" + json.dumps(figures)
