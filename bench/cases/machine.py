# SPDX-License-Identifier: GPL-2.0-only
"""What the cases share: a scenario that runs one VM per level in one host."""

import contextlib
import dataclasses
import shlex

from lab import boot as lab_boot
from lab import debian
from lab.levels import LEVELS as OF_APF
from lab.levels import PARAMETER_FILE
from lab.result import ResultError, check_end, check_figures, check_silent, parse, run_figures

PAGES_PER_MIB = 256


@dataclasses.dataclass(frozen=True)
class Level:
    """host: value of the host's parameter. guest: on the command line of the guest's kernel.

    pend_only: value of the knob of that name.
    """

    host: str
    guest: str
    pend_only: int = 0

    def words(self):
        """Arguments of the function level in sh."""
        return f"{self.host} {self.pend_only}"


def level(name, pend_only=0):
    return Level(OF_APF[name].host, OF_APF[name].guest, pend_only)


# The levels of APF, and two more to compare them with. pend: as announce, but the interrupt is only
# pended, with the priority that the guest gave it. ceiling: as off, but no page is missing.
LEVELS = {
    "off": level("off"),
    "halt": level("halt"),
    "pend": level("announce", pend_only=2),
    "announce": level("announce"),
    "kernel": level("kernel"),
    "ceiling": level("off"),
}
TOLD = ("pend", "announce", "kernel")

START = """\
# The vCPUs have a CPU of the host each; all else is done by the last one. On one timeline
# a halted vCPU that polls takes its time from those that it waits for.
uname -r >/out/uname
echo 0 >/sys/module/kvm/parameters/halt_poll_ns || exit 95
echo {mask:x} >/sys/devices/virtual/workqueue/cpumask || exit 96
taskset -p {mask:x} $$ >/dev/null
say() {{ echo "bench: $1" >/dev/console; }}
# level VALUE-OF-PARAMETER PEND-ONLY
level() {{
	echo $1 >{parameter} || exit 99
	echo $2 >/sys/kernel/debug/kvm/apf/knobs/pend_only || exit 98
}}
# launch NAME ARGUMENT...
launch() {{
	name=$1
	shift
	apfvm --pin --console /out/$name.console --result /out/$name.result "$@" &
	vmm=$!
}}
# until_said NAME TEXT
until_said() {{
	until grep -q "$2" /out/$1.result 2>/dev/null; do
		[ -d /proc/$vmm ] || {{ echo "$1: ended before it said $2"; exit 93; }}
		sleep 0.005
	done
}}
# ended STATUS
ended() {{
	wait $vmm
	status=$?
	[ $status = $1 ] || {{ echo "$name ended with status $status, not $1"; exit 97; }}
}}
"""

VM = """\
say {name}
level {level}
mkdir -p /tmp/{name}
cat >/tmp/{name}/job <<'END'
{job}
END
(cat /boot/guest.cpio {modules}; cd /tmp/{name}; echo job | cpio -o -H newc 2>/dev/null) \\
	>/tmp/{name}/initrd
launch {name} {arguments}
ended 0
rm -r /tmp/{name}
"""


def rotated(turn, names=tuple(LEVELS)):
    """The levels of a round, which begins with another one each, so that none is always the first."""
    first = turn % len(names)
    return names[first:] + names[:first]


def start(vcpus):
    return START.format(mask=1 << vcpus, parameter=PARAMETER_FILE)


def words(step):
    return step.replace(" ", ",")


def vm(name, level, steps, vcpus=1, cold_mib=0, policies=(), options=(), boot=None):
    """sh: one VM at a level. Its result goes to /out/NAME.result.

    boot: kernel and modules, an archive, if they are not the lab's.
    """
    boot = {"kernel": "/boot/Image", "modules": "", **(boot or {})}
    policy = [word for text in policies for word in ("--policy", text)]
    arguments = shlex.join([
        "--kernel", boot["kernel"], "--initrd", f"/tmp/{name}/initrd", "--cpus", str(vcpus),
        "--cold", str(cold_mib), *policy,
        "--append", f"console=hvc0 panic=-1 panic_on_warn=1 quiet {level.guest}".strip(), *options])
    return VM.format(name=name, level=level.words(), arguments=arguments,
                     modules=boot["modules"], job="\n".join(words(step) for step in steps))


def host(vcpus):
    """For lab.boot.run(): a CPU per vCPU, and one for all else."""
    return {"smp": vcpus + 1, "timeout": 7200}


@contextlib.contextmanager
def with_debian(_folder):
    """For Boot.beside: the disk image of Debian's programs, not made before it is needed."""
    yield {"disks": {"debian": debian.ensure()}}


# Where all memory may be missing, what the timer's handler needs is, too: 52 pages after a restore.
TIMER_WAITS = (lab_boot.TIMER_LATE,)


def records(out, name, may_say=()):
    """What a VM reported, after a look at whether all of it is well."""
    try:
        text = (out / f"{name}.result").read_text(errors="replace")
    except FileNotFoundError:
        raise ResultError(f"{out}: {name}.result is missing: that VM did not run") from None
    found = parse(text, name)
    check_end(found, name)
    for record in found:
        record["klog"] = [line for line in record.get("klog", ())
                          if not any(words in line for words in may_say)]
    check_silent(found, name)
    return found


def figures(found, label, name):
    """Of one run; an error if a page was not what it should be."""
    one = run_figures(found, label, name)
    check_figures(one, f"{name}, {label}", announces=False)
    return one
