# SPDX-License-Identifier: GPL-2.0-only
"""Whose the threads are that fetch pages: in a cgroup, all that they use is the VM's.

The VM is in a cgroup of its own. Its pages are fetched by threads because the knob `threads`
says so, or because they are in swap or on a disk.
"""

import re

from lab import boot, kernel
from lab.harness import test
from tests.vm import AFTERMATH, UNTIL_SEEN, Vm, check, check_aftermath, expect, of_keys, run

# Those that check themselves have no cgroups (lab/flavours/lean.config).
SUITS = not kernel.checks_itself()
THREADS = {"threads": 1}
TASKS, DELAY = 8, 20
STACK = 16384
# Of what is counted in whole microseconds, per thread.
ROUNDING_US = 2

# grouped: apfvm in the group. threads: of all processes, those that fetch pages.
GROUP = UNTIL_SEEN + """
poll=0.01
mount -t cgroup2 none /sys/fs/cgroup || exit 97
echo '+cpu +cpuset +memory +pids' >/sys/fs/cgroup/cgroup.subtree_control || exit 96
group=/sys/fs/cgroup/vm
mkdir $group
grouped() { (echo 0 >$group/cgroup.procs; "$@"); }
threads() { grep -lx kvm-apf /proc/[0-9]*/task/*/comm 2>/dev/null; }
"""
# The guest says that it is about to touch missing pages, and waits for what the host does first.
READY = ("stats go", "sleep 300")


def thread_waits(outcome, label="run"):
    before, after = outcome.stats(f"{label}-begin"), outcome.stats(f"{label}-end")
    return after["apf_sync_thread"] - before["apf_sync_thread"]


def expect_two_at_most(outcome, pages, label="run"):
    """Two threads had all pages that were announced, each for at least the delay of a page."""
    figures = outcome.figures(label)
    most = 2 * (figures["wall_ms"] / DELAY + 1)
    expect(figures, faults=pages, halted=0, sync=(1, pages - 2), announced=(2, most))
    expect(figures, announced=pages - figures["sync"], ready=figures["announced"])
    assert thread_waits(outcome, label) == figures["sync"], outcome.stats(f"{label}-end")


@test("pids_max", suits=SUITS)
def pids_max():
    """The group has room for two more threads. Other faults are waited for, as without APF."""
    pages = 64
    outcome = run("pids_max", Vm(
        knobs=THREADS, policy=(f"all:delay={DELAY}",),
        steps=(*READY, f"run --tasks {TASKS} --pages {pages}", "ps-d", "apf"), script=GROUP + """
grouped vmm &
until_seen '"stats":"go"'
echo $(($(cat $group/pids.current) + 2)) >$group/pids.max
until [ -e /out/status ]; do
	threads | wc -l
	sleep 0.005
done | sort -n | tail -n 1 >/out/most
wait
cat $group/pids.events >/out/events
""" + AFTERMATH))
    check(outcome, host_may_say=("fork rejected by pids controller",))
    check_aftermath(outcome)
    expect_two_at_most(outcome, pages)
    assert outcome.read("most").strip() == "2", outcome.read("most")
    # Each fault that was waited for had asked for a thread.
    expect(of_keys(outcome.read("events")), max=thread_waits(outcome))


# The bound is another one before each run. It holds for what comes after it, whatever was before.
CHANGED = UNTIL_SEEN + """
poll=0.01
vmm &
for bound in 0 2 64 2 0; do
	until_seen '"stats":"bound-'$bound-$((n = n + 1))'"'
	echo $bound >/sys/module/kvm-arm/parameters/apf_threads
done
wait
"""


@test("apf_threads_changed_while_it_runs")
def apf_threads_changed_while_it_runs():
    """More of them and fewer, also where those that are too many are idle."""
    pages, bounds = 64, (0, 2, 64, 2, 0)
    steps = []
    for n, bound in enumerate(bounds):
        steps += [f"stats bound-{bound}-{n + 1}", "sleep 300",
                  f"run --tasks {TASKS} --pages {pages} --skip {n * pages} --label run{n}"]
    outcome = run("apf_threads_changed_while_it_runs", Vm(
        knobs=THREADS, policy=(f"all:delay={DELAY}",), steps=(*steps, "ps-d", "apf"),
        script=CHANGED + AFTERMATH))
    check(outcome)
    check_aftermath(outcome)
    for n, bound in enumerate(bounds):
        if bound == 2:
            expect_two_at_most(outcome, pages, f"run{n}")
        else:
            waited = 0 if bound else pages
            expect(outcome.figures(f"run{n}"), faults=pages, announced=pages - waited,
                   sync=waited, halted=0)
            assert thread_waits(outcome, f"run{n}") == waited


# The VM is stopped when its times are read, so that all of them are of the same moment.
CHARGED = GROUP + """
# all that the kernel's own threads have run, in ns
kernel_threads() {
	for task in /proc/[0-9]*; do
		[ -n "$(tr -d '\\0' <$task/cmdline)" ] || cat $task/schedstat
	done 2>/dev/null | awk '{ ns += $1 } END { printf "%d\\n", ns }'
}
mkdir /sys/fs/cgroup/server
(echo 0 >/sys/fs/cgroup/server/cgroup.procs
 exec apfpages --socket /tmp/pages --policy all:delay=2 2>/out/pages.err) &
until [ -S /tmp/pages ]; do sleep 0.01; done
grouped vmm &
until_seen '"stats":"go"'
kernel_threads >/out/kernel_threads
until_seen '"stats":"done"'
kernel_threads >>/out/kernel_threads
kill -STOP $(pidof apfvm)
sleep 0.1
cat $group/cpu.stat >/out/cpu.stat
for id in $(cat $group/cgroup.threads); do
	echo $(cat /proc/$id/comm) $(cat /proc/$id/schedstat)
done >/out/ran
kill -CONT $(pidof apfvm)
wait
""" + AFTERMATH


@test("time_of_fetching_is_the_vms", suits=SUITS)
def time_of_fetching_is_the_vms():
    """The server of the pages is in another group. What the VM's threads run is all there is."""
    pages = 1024
    outcome = run("time_of_fetching_is_the_vms", Vm(
        knobs=THREADS, policy=(), args=("--pages-socket", "/tmp/pages"), script=CHARGED,
        steps=(*READY, f"run --tasks {TASKS} --pages {pages}", "stats done", "sleep 500", "ps-d",
               "apf")))
    check(outcome)
    check_aftermath(outcome)
    expect(outcome.figures(), announced=pages, ready=pages, sync=0, halted=0)
    ran = [line.split() for line in outcome.read("ran").splitlines()]
    fetching = [int(ns) / 1000 for comm, ns, *_ in ran if comm == "kvm-apf"]
    # One more is made where the last one is not idle yet.
    expect({"threads": len(fetching)}, threads=(TASKS, 2 * TASKS))
    vmm = sum(int(ns) / 1000 for comm, ns, *_ in ran if comm != "sh")
    shell = sum(int(ns) / 1000 for comm, ns, *_ in ran if comm == "sh")   # in part before it joined
    charged = of_keys(outcome.read("cpu.stat"))["usage_usec"]
    rounding = ROUNDING_US * len(ran)
    expect({"charged_us": charged}, charged_us=(vmm - rounding, vmm + shell + rounding))
    # A page is walked to, waited for and pinned: thousands of instructions for each.
    expect({"fetching_us": sum(fetching)}, fetching_us=(pages * 2, None))
    first, last = map(int, outcome.read("kernel_threads").split())
    expect({"kernel_threads_us": (last - first) / 1000}, kernel_threads_us=(0, sum(fetching) / 10))


@test("cpu_max", suits=SUITS)
def cpu_max():
    """A fifth of a CPU for all of the VM, the threads that fetch its pages among it."""
    pages = 512
    outcome = run("cpu_max", Vm(
        knobs=THREADS, policy=("all:delay=2",), script=GROUP + """
grouped vmm &
until_seen '"stats":"go"'
echo 20000 100000 >$group/cpu.max
cat $group/cpu.stat >/out/before
cut -d ' ' -f 1 /proc/uptime >/out/times
until_seen '"stats":"done"'
cut -d ' ' -f 1 /proc/uptime >>/out/times
cat $group/cpu.stat >/out/after
echo max >$group/cpu.max
wait
""" + AFTERMATH,
        steps=(*READY, f"run --tasks {TASKS} --pages {pages} --compute 500", "stats done", "ps-d",
               "apf")))
    check(outcome)
    check_aftermath(outcome)
    expect(outcome.figures(), announced=pages, ready=pages, sync=0, halted=0)
    before, after = (of_keys(outcome.read(name)) for name in ("before", "after"))
    begin, end = map(float, outcome.read("times").split())
    used = after["usage_usec"] - before["usage_usec"]
    # Each of the pages is computed on for 500 us; of 20 ms in each 100 ms, one more at either end.
    expect({"used_us": used, "throttled": after["nr_throttled"]},
           used_us=(pages * 500, (end - begin) * 1e6 / 5 + 2 * 20000), throttled=(5, None))


@test("cpuset", suits=SUITS)
def cpuset():
    """The threads run where the group may run, also when that changes while they wait."""
    pages = 1024
    outcome = run("cpuset", Vm(
        smp=3, knobs=THREADS, policy=(f"all:delay={DELAY}",), script=GROUP + """
# allowed, and the CPU where it ran last, of each thread
where() {
	for task in $(threads); do
		task=${task%/comm}
		echo $1 $(sed -n 's/^Cpus_allowed_list:\t*//p' $task/status) \\
			$(sed 's/.*) //' $task/stat | cut -d ' ' -f 37)
	done 2>/dev/null
}
echo 1-2 >$group/cpuset.cpus
grouped vmm &
until_seen '"run-begin"'
until seen=$(threads | wc -l) && [ $seen -ge 8 ]; do sleep 0.005; done
for again in 1 2 3 4; do where both; sleep 0.02; done >/out/where
echo 2 >$group/cpuset.cpus
sleep 0.05
for again in 1 2 3 4; do where one; sleep 0.02; done >>/out/where
wait
""" + AFTERMATH, steps=(*READY, f"run --tasks {TASKS} --pages {pages}", "ps-d", "apf")))
    check(outcome)
    check_aftermath(outcome)
    expect(outcome.figures(), announced=pages, ready=pages, sync=0, halted=0)
    lines = outcome.read("where").split("\n")[:-1]
    wrong = [line for line in lines if not re.fullmatch("both 1-2 [12]|one 2 2", line)]
    assert not wrong, wrong
    counts = {word: sum(line.startswith(word) for line in lines) for word in ("both", "one")}
    expect(counts, both=(4 * TASKS, 8 * TASKS), one=(4 * TASKS, 8 * TASKS))


# --- memory that is on a disk: the kernel's null_blk, whose requests take a time of their own ---

DISK_MS = 2
MEM_MIB = 128
KEEP_PAGES = 513
DISK = f"""
mount -t configfs configfs /sys/kernel/config
disk=/sys/kernel/config/nullb/slow
mkdir $disk || exit 94
echo 256 >$disk/size
echo 1 >$disk/memory_backed
echo 2 >$disk/irqmode
echo {DISK_MS * 1000000} >$disk/completion_nsec
echo 1 >$disk/power || exit 94
disk=/dev/slow
echo 4 >/proc/sys/vm/drop_caches   # is logged once, then no more
"""
NO_DISKS = "null_blk.nr_devices=0"


def keep_steps(wait_ms):
    """Tasks that fill their memory, wait, and find it again."""
    return (f"keep --tasks {TASKS} --pages {KEEP_PAGES} --wait {wait_ms} "
            f"--visits {KEEP_PAGES * 8}", "sleep 300", "stats go", "wait", "ps-d", "apf")


SWAPPED = GROUP + DISK + f"""
mkswap $disk >/dev/null
swapon $disk || exit 92
dmesg -c >/dev/null   # of disk and swap
echo 0 >/proc/sys/vm/page-cluster
echo never >/sys/kernel/mm/transparent_hugepage/enabled
echo {MEM_MIB // 2}M >$group/memory.max
stat_of() {{ awk -v what=$1 '$1 == what {{ print $2 }}' $group/memory.stat; }}
pressure() {{ sed -n 's/^some.*total=/'$1' /p' $group/io.pressure; }}
grouped vmm &
until_seen '"stats":"go"'
kill -STOP $(pidof apfvm)
for again in 1 2 3 4 5 6 7 8 9 10; do
	echo {MEM_MIB}M >$group/memory.reclaim 2>/dev/null
	sleep 0.02
done
echo anon.out $(stat_of anon) >/out/memory
pressure before >/out/pressure
echo stack.before $(stat_of kernel_stack) >>/out/memory
threads | wc -l >/out/seen
kill -CONT $(pidof apfvm)
until [ $(threads | wc -l) -ge 4 ] || [ -e /out/status ]; do sleep 0.005; done
kill -STOP $(pidof apfvm)
sleep 0.1
threads | wc -l >>/out/seen
echo stack.after $(stat_of kernel_stack) >>/out/memory
kill -CONT $(pidof apfvm)
wait
pressure after >>/out/pressure
echo peak $(cat $group/memory.peak) >>/out/memory
sed 's/^/events./' $group/memory.events >>/out/memory
""" + AFTERMATH


@test("swapped_out_in_a_cgroup", suits=SUITS)
def swapped_out_in_a_cgroup():
    """Stacks, pages and stalls are the group's: memory.max holds, and PSI tells of the waiting.

    It is I/O that they wait for. As stalled by memory, the kernel counts only who waits for a page
    that was in use when it was taken (PG_workingset).
    """
    outcome = run("swapped_out_in_a_cgroup", Vm(
        cold=0, policy=(), args=("--mem", str(MEM_MIB)), host_append=f"{NO_DISKS} psi=1",
        steps=keep_steps(500), script=SWAPPED))
    # The timers of null_blk, each of which completes a request, are due together after a reclaim.
    check(outcome, host_may_say=(boot.TIMER_LATE,))
    check_aftermath(outcome)
    memory, pressure = of_keys(outcome.read("memory")), of_keys(outcome.read("pressure"))
    before, after = map(int, outcome.read("seen").split())
    expect(memory, peak=(None, MEM_MIB << 19), **{"anon.out": (0, 1 << 20), "events.oom": 0})
    expect(outcome.stats("end"), apf_announced=(TASKS * KEEP_PAGES // 2, None))
    expect({"threads": after - before}, threads=(4, 64))
    expect(memory, **{"stack.after": memory["stack.before"] + STACK * (after - before)})
    # Pages come while others wait, at most 64 at a time.
    waited = outcome.stats("end")["apf_announced"] * DISK_MS * 1000 / 64
    expect({"stalled_us": pressure["after"] - pressure["before"]}, stalled_us=(waited, None))


# Saved, moved to the disk, and mapped from there. Without read-ahead, the threads read all pages.
FROM_DISK = GROUP + DISK + """
mke2fs -b 4096 $disk >/dev/null || exit 92
mkdir /slow
mount -t ext4 -o noatime $disk /slow || exit 92
dmesg -c >/dev/null   # of disk and file system
echo 0 >/sys/block/${disk#/dev/}/queue/read_ahead_kb
mkdir /sys/fs/cgroup/rest
echo $$ >/sys/fs/cgroup/rest/cgroup.procs
file_of() { awk '$1 == "file" { print $2 }' /sys/fs/cgroup/$1/memory.stat; }
vmm &
until_seen '"stats":"go"'
kill -USR2 $(pidof apfvm)
wait
[ $(cat /out/status) = 6 ] || exit 93
mv /out/result /out/result.saved
rm /out/status
cp /tmp/saved /slow/saved || exit 91
rm /tmp/saved*
sync
echo 3 >/proc/sys/vm/drop_caches
echo rest.before $(file_of rest) >/out/file
restored() {
	apfvm --restore /slow/saved --mapped --console /out/console.2 --result /out/result 2>>/out/vmm.err
	echo $? >/out/status
}
grouped restored &
until_seen '"stats":"end"'
wait
echo vm.after $(file_of vm) >>/out/file
echo rest.after $(file_of rest) >>/out/file
""" + AFTERMATH


@test("read_from_a_disk_in_a_cgroup", suits=SUITS)
def read_from_a_disk_in_a_cgroup():
    """What the threads read is the group's page cache."""
    outcome = run("read_from_a_disk_in_a_cgroup", Vm(
        cold=0, policy=(), args=("--mem", str(MEM_MIB), "--save", "/tmp/saved"),
        host_append=NO_DISKS, steps=keep_steps(1000), script=FROM_DISK))
    check(outcome)
    check_aftermath(outcome)
    stats = outcome.stats("end")
    expect(stats, apf_announced=(TASKS * KEEP_PAGES // 2, None))
    memory = of_keys(outcome.read("file"))
    expect(memory, **{"vm.after": (stats["apf_announced"] * 4096, None),
                      "rest.after": (0, memory["rest.before"] + (1 << 20))})
