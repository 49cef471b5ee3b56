# SPDX-License-Identifier: GPL-2.0-only
"""Where pages really come from: a snapshot on a disk, swap, a server in another process.

The disk is the kernel's null_blk with memory behind it: each request takes a fixed time by an
hrtimer, however many are under way. So it has a latency in virtual time too, which an
emulated disk has not.
"""

import dataclasses
import shlex

from bench import markdown, page
from bench.cases import Boot, machine
from bench.page import Section
from bench.rows import Sample
from lab.result import ResultError, sum_stats

ROUNDS = 3
TASKS, PAGES = 8, 512
MEM_MIB = 128
# What may be left of a VM that was paged out: nobody can tell when the last page is.
LEFT_KIB = 1024
# Visits to all of the pages, the first of which finds them missing.
ROUNDS_OF_WORK = 8
# The VM is saved, or paged out, in the time between filling the memory and the work.
SAVE_WAIT_MS, SWAP_WAIT_MS = 1000, 500
LATENCIES, LATENCIES_QUICK = (0.1, 0.5, 2, 10), (0.1, 2)
# Cold memory of its own that is paged out, to compare private with shared memory.
COLD_PAGES, COLD_MEM_MIB = 2048, 64
ANONYMOUS = "swap, anonymous"
COLD_BACKING = {ANONYMOUS: "anon", "swap, shared": "shmem"}
READ_AHEAD = {"snapshot": 4, "snapshot+read-ahead": 128, "snapshot+no-read-ahead": 0}
FULL_SPEED = 0.9

DISK = """\
mount -t configfs configfs /sys/kernel/config
disk=/sys/kernel/config/nullb/slow
mkdir $disk || exit 94
echo {mib} >$disk/size
echo 1 >$disk/memory_backed
echo 2 >$disk/irqmode
echo {ns} >$disk/completion_nsec
echo 1 >$disk/power || exit 94
disk=/dev/slow
echo 4 >/proc/sys/vm/drop_caches   # is logged once, then no more
"""


def runs_of(case):
    """What the names of its runs begin with."""
    return case.replace(", ", "-") + "-"


@dataclasses.dataclass(frozen=True)
class Backing:
    """One boot: a way in which pages come, and how long each takes."""

    case: str
    page_ms: float

    def name(self, turn):
        return f"{runs_of(self.case)}{self.page_ms:g}ms-{turn + 1}"


def append(level, *steps):
    job = ",:,".join(map(machine.words, steps))
    return f"console=hvc0 panic=-1 panic_on_warn=1 quiet {level.guest} -- {job}"


def arguments(level, mib, steps, *options):
    return shlex.join(["--kernel", "/boot/Image", "--initrd", "/boot/guest.cpio", "--mem", str(mib),
                       *options, "--append", append(level, *steps)])


def keep(wait_ms):
    return (f"keep --tasks {TASKS} --pages {PAGES} --wait {wait_ms} "
            f"--visits {ROUNDS_OF_WORK * PAGES}")


def boot_arguments(level, wait_ms):
    """A guest that fills its memory, says so ("go"), and works once the time has passed."""
    return arguments(level, MEM_MIB,
                     (keep(wait_ms), "sleep 300", "stats go", "wait", "ps-d", "apf"))


def cold_arguments(level, backing):
    """A guest that fills cold memory, says so ("go"), and visits it once the time has passed."""
    pages = f"--pages {COLD_PAGES}"
    steps = (f"run --tasks 1 {pages} --write --check first --label fill", "stats go",
             f"sleep {SWAP_WAIT_MS}", f"run --tasks {TASKS} {pages} --compute 20 --label run",
             "ps-d", "apf")
    return arguments(level, COLD_MEM_MIB, steps, "--cold",
                     str(COLD_PAGES // machine.PAGES_PER_MIB), "--cold-backing", backing)


def prelude(ns, mib):
    return machine.start(1) + DISK.format(ns=ns, mib=mib)


# --- a snapshot, mapped privately from a file on the disk ---

# A saved VM has what it had: the driver, or no driver. One file per kind of guest.
SAVE = """\
say "save {name}"
level {level}
launch save-{name} {arguments} --save /slow/{name}
until_said save-{name} '"stats":"go"'
kill -USR2 $vmm
ended 6
"""
RESTORE = """\
say {name}
level {level}
sync
echo 3 >/proc/sys/vm/drop_caches
{warm}
launch {name} --restore /slow/{file} --mapped
ended 0
"""


def kind_of_guest(name):
    """The level whose saved guest this one restores."""
    if name not in machine.TOLD:
        return "off"
    return "announce" if machine.LEVELS[name].guest else "kernel"


def snapshot_scenario(backing, turn):
    lines = [prelude(int(backing.page_ms * 1e6), 1024),
             "debian mke2fs -q -t ext4 -O ^has_journal $disk || exit 92\n"
             "mkdir /slow\nmount -t ext4 -o noatime $disk /slow || exit 92\n"
             "dmesg -c >/dev/null   # of disk and file system\n"
             f"echo {READ_AHEAD[backing.case]} >/sys/block/${{disk#/dev/}}/queue/read_ahead_kb\n"]
    for name in ("off", "announce", "kernel"):
        level = machine.LEVELS[name]
        lines.append(SAVE.format(name=kind_of_guest(name), level=level.words(),
                                 arguments=boot_arguments(level, SAVE_WAIT_MS)))
    for name in machine.rotated(turn):
        level, kind = machine.LEVELS[name], kind_of_guest(name)
        lines.append(RESTORE.format(
            name=name, level=level.words(), file=kind,
            warm=f"cat /slow/{kind} >/dev/null" if name == "ceiling" else ""))
    return "".join(lines)


def full_speed_after(times, full):
    """ms until all that is left of the work goes, in the mean, at 0.9 of the full speed."""
    for done, when in enumerate(times[:-1]):
        if times[-1] - when <= (len(times) - 1 - done) * full / FULL_SPEED:
            return when - times[0]
    return times[-1] - times[0]


def kept(found, name):
    """When apfkeep began, and when each 64th of its work was done, in ms; an error if a page was bad."""
    records = [record["run"] for record in found if record.get("run", {}).get("label") == "keep"]
    if not records or records[-1]["pages_bad"]:
        raise ResultError(f"{name}: apfkeep found bad pages, or did not end: {records}")
    record = records[-1]
    return [tick * 1000 / record["frequency"] for tick in (record["begun"], *record["progress"])]


def stats_of(found):
    """KVM's counts over all of this life of the VM."""
    return sum_stats([record for record in found if record.get("stats") == "end"][-1])


def kept_read(backing):
    def read(out):
        found = {name: machine.records(out, name, machine.TIMER_WAITS) for name in machine.LEVELS}
        times = {name: kept(found[name], name) for name in machine.LEVELS}
        last = times["ceiling"][len(times["ceiling"]) // 2:]
        full = (last[-1] - last[0]) / (len(last) - 1)
        for name in machine.LEVELS:
            yield from samples(backing, name, found[name], {
                "work": times[name][-1] - times[name][0],
                "0.9 of full speed": full_speed_after(times[name], full)})
    return read


def samples(backing, level, found, times):
    stats = stats_of(found)

    def sample(metric, unit, value):
        return Sample(backing.case, level, 1, TASKS, backing.page_ms, metric, unit, value)

    for metric, value in times.items():
        yield sample(metric, "ms", value)
    for metric, stat in (("announcements", "apf_announced"), ("halts", "apf_halted"),
                         ("waited for", "apf_sync"), ("stage-2 aborts", "stage2_aborts")):
        yield sample(metric, "count", stats[stat])


# --- swap: an idle guest's memory is taken, as by an operator who overcommits ---

# Read page by page: what is beside it in swap has nothing to do with it. No huge pages, since
# they come back as one, of which each part is then there.
SWAP = """\
mkswap $disk >/dev/null
swapon $disk || exit 92
dmesg -c >/dev/null   # of disk and swap
echo 0 >/proc/sys/vm/page-cluster
echo never >/sys/kernel/mm/transparent_hugepage/enabled
mount -t cgroup2 none /sys/fs/cgroup
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
group=/sys/fs/cgroup/vm
mkdir $group
echo {limit}M >$group/memory.max
of_group() {{ awk '/^(anon|shmem|swapcached) / {{ kib += $2 / 1024 }} END {{ print int(kib) }}' $group/memory.stat; }}
# page_out: all that the VM has. It is stopped meanwhile, or it gets some back at once. What is
# under way to the disk is asked for again.
page_out() {{
	kill -STOP $vmm
	for again in 1 2 3 4 5 6 7 8 9 10; do
		echo {limit}M >$group/memory.reclaim 2>/dev/null
		[ $(of_group) -gt {left} ] || break
		sleep 0.02
	done
	kill -CONT $vmm
	left=$(of_group)
	[ $left -le {left} ] || {{ echo "$name: $left KiB are still there"; exit 90; }}
}}
"""
SWAPPED = """\
say {name}
level {level}
launch {name} {arguments}
echo $vmm >$group/cgroup.procs
until_said {name} '"stats":"go"'
{page_out}
ended 0
"""


def swapped(backing, names):
    """A VM after the other, one per level."""
    cold = COLD_BACKING.get(backing.case)
    limit = COLD_MEM_MIB if cold else MEM_MIB // 2
    lines = [prelude(int(backing.page_ms * 1e6), 512), SWAP.format(limit=limit, left=LEFT_KIB)]
    for name in names:
        level = machine.LEVELS[name]
        arguments = (cold_arguments(level, cold) if cold else
                     boot_arguments(level, SWAP_WAIT_MS))
        lines.append(SWAPPED.format(name=name, level=level.words(), arguments=arguments,
                                    page_out="" if name == "ceiling" else "page_out"))
    return "".join(lines)


def swap_scenario(backing, turn):
    return swapped(backing, machine.rotated(turn))


# --- a server of pages in another process, by a socket ---

SOCKET_PAGES = 512
SERVE = """\
apfpages --socket /tmp/pages --policy all:delay={ms:g} &
server=$!
until [ -S /tmp/pages ]; do sleep 0.005; done
"""


def socket_scenario(backing, turn):
    step = (f"run --tasks {TASKS} --pages {SOCKET_PAGES} --compute 20 --label run")
    lines = [machine.start(1)]
    for name in machine.rotated(turn):
        steps = (step, "ps-d", "apf")
        if name == "ceiling":
            steps = (f"run --tasks 1 --pages {SOCKET_PAGES} --check first --label warm", *steps)
        else:
            lines.append(SERVE.format(ms=backing.page_ms))
        options = () if name == "ceiling" else ("--pages-socket", "/tmp/pages")
        lines.append(machine.vm(name, machine.LEVELS[name], steps, 1,
                                SOCKET_PAGES // machine.PAGES_PER_MIB, options=options))
        if name != "ceiling":
            lines.append("wait $server || exit 91\n")
    return "".join(lines)


def run_read(backing):
    def read(out):
        for name in machine.LEVELS:
            found = machine.records(out, name, machine.TIMER_WAITS)
            yield from samples(backing, name, found, {
                "work": machine.figures(found, "run", name)["wall_ms"]})
    return read


KINDS = {
    "snapshot": (snapshot_scenario, kept_read),
    "snapshot+read-ahead": (snapshot_scenario, kept_read),
    "snapshot+no-read-ahead": (snapshot_scenario, kept_read),
    "swap": (swap_scenario, kept_read),
    ANONYMOUS: (swap_scenario, run_read),
    "swap, shared": (swap_scenario, run_read),
    "socket": (socket_scenario, run_read),
}


def boots(full, chosen):
    for case, (scenario, read) in KINDS.items():
        for page_ms in LATENCIES if full else LATENCIES_QUICK:
            backing = Backing(case, page_ms)
            for turn in range(ROUNDS if full else 1):
                if chosen(backing.name(turn)):
                    yield Boot(backing.name(turn), scenario(backing, 2 * turn), read(backing),
                               {**machine.host(1), "append": "null_blk.nr_devices=0"},
                               seconds=60, beside=machine.with_debian)


# --- the report ---

TITLE = "Where pages really come from"
WORDS = {
    "snapshot": "A VM is restored with its memory mapped from a file, page by page; then 8 tasks visit "
                "their 16 MiB of data again and again until they have done a fixed amount of work",
    "snapshot+read-ahead": "The same with 128 KiB of read-ahead: one request brings 32 pages",
    "snapshot+no-read-ahead": "The same with read-ahead turned off",
    "swap": "A VM runs in a memory cgroup of half its memory. While it is idle the host moves all its "
            "memory to swap (`memory.reclaim`); then 8 tasks do the same work",
    ANONYMOUS: "A VM's cold memory of 8 MiB is filled and moved to swap; then 8 tasks visit it once",
    "swap, shared": "The same with cold memory that is shared (a memfd)",
    "socket": "Another process serves 512 pages; it has the userfaultfd, which came over a socket",
}


def row(table, case, level, page_ms):
    def value(metric, of=level):
        return table.value(case, of, 1, TASKS, page_ms, metric)

    full = value("0.9 of full speed")
    return (f"{page_ms:g}", level, f"{value('work'):.1f}",
            f"{value('work', 'off') / value('work'):.2f}",
            "-" if full is None else f"{full:.1f}", f"{value('stage-2 aborts'):.0f}",
            f"{value('announcements'):.0f}", f"{value('halts'):.0f}", f"{value('waited for'):.0f}")


def summary_table(table, metric):
    rows = [(case, f"{page_ms:g}", *markdown.of_levels(table, case, TASKS, page_ms, metric))
            for case in KINDS for page_ms in table.known("page_ms", case=case, metric=metric)]
    return markdown.table(("pages come from", "page latency, ms", *markdown.SHOWN), rows)


def summary(table):
    if not table.select(case=set(KINDS)):
        return []
    return [f"## {TITLE}\n", *(f"- *{case}*: {words}." for case, words in WORDS.items()),
            "\nMilliseconds until the work is done:\n", summary_table(table, "work"),
            "Milliseconds until the guest runs, in the mean, at 0.9 of its full speed:\n",
            summary_table(table, "0.9 of full speed")]


def sections(table):
    found = []
    for case in KINDS:
        rows = [row(table, case, level, page_ms) for page_ms in table.known("page_ms", case=case)
                for level in machine.LEVELS]
        if rows:
            found.append(page.paragraph(f"{WORDS[case]}. Again: `make bench T='^{runs_of(case)}'`.") + page.table(
                ("page ms", "level", "work, ms", "times off", "to 0.9 of full speed, ms",
                 "stage-2 aborts", "announced", "halts", "waited for"), rows))
    if not found:
        return []
    return [Section(TITLE, page.paragraph(
        "In virtual time, one vCPU. The disk (null_blk) answers each request after a fixed time and takes "
        "any number of requests at once.") + "".join(found))]
