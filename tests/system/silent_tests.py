# SPDX-License-Identifier: GPL-2.0-only
"""Many VMs in one process whose pages come when the test says so (tests/host/silent.c)."""

from lab import boot
from lab.harness import test
from lab.levels import PARAMETER_FILE
from lab.result import parse, run_figures
from tests.vm import (AFTERMATH, OUT, Outcome, Vm, check, check_aftermath, check_log, expect, of_keys,
                      run)

# KVM's statistic apf_threads, and what /proc has. note NAME NUMBER: for the test.
SILENT = """
kvm=/sys/kernel/debug/kvm
note() { echo $1 $2 >>/out/noted; }
sum() { cat $kvm/[0-9]*/$1 2>/dev/null | awk '{ n += $1 } END { print n + 0 }'; }
vms() { ls -d $kvm/[0-9]* 2>/dev/null | wc -l; }
threads() { grep -lx kvm-apf /proc/$silent/task/*/comm 2>/dev/null | wc -l; }
look() { note $1.vms $(vms); note $1.threads $(threads); note $1.counted $(sum apf_threads); }
# until_is NUMBER COMMAND...: within 20 s
until_is() {
	wanted=$1
	shift
	for tries in $(seq 400); do
		[ "$($@)" = $wanted ] && return
		sleep 0.05
	done
	echo "not $wanted: $* is $($@)"
	exit 92
}
answers() { wc -l </out/said; }
tell() {
	lines=$((lines + 1))
	echo $1 >&3
	until_is $lines answers
}
# start COUNT THREADS: 1, threads fetch the pages; 0, they are posted
start() {
	echo $2 >$kvm/apf/knobs/threads
	mkfifo /tmp/say
	silent $1 </tmp/say >/out/said &
	silent=$!
	exec 3>/tmp/say
	lines=1
	until_is 1 answers
}
# All of them wait, and their vCPUs halt.
touch_all() {
	halted=$(($(sum apf_halted) + $1))
	tell touch
	until_is $halted sum apf_halted
}
"""


def noted(outcome):
    return of_keys(outcome.read("noted"))


def silent(name, script, host_may_say=(), **options):
    """Returns what was noted."""
    result = boot.run(f"echo on >{PARAMETER_FILE}\n{SILENT}{script}{AFTERMATH}true\n", OUT / name,
                      timeout=120, **options)
    assert not result.lab_error, result.lab_error
    log = (result.out / "scenario.log").read_text()
    assert result.status == 0, f"scenario: status {result.status}\n{log}"
    check_log("host", result.klog.splitlines(), host_may_say)
    outcome = Outcome(result)
    check_aftermath(outcome)
    return noted(outcome)


def expect_looks(found, **looks):
    """Each: VMs, threads, and what the statistic apf_threads has."""
    for name, values in looks.items():
        expect(found, **{f"{name}.{what}": value
                         for what, value in zip(("vms", "threads", "counted"), values)})


@test("idle_threads_end")
def idle_threads_end():
    """After ten seconds, and within ten more; those of a VM that is closed at once."""
    found = silent("idle_threads_end", """
start 8 1
touch_all 8
sleep 30; look waiting
tell serve; look served
sleep 9; look idle
sleep 12; look ended
touch_all 8; look again
tell serve; look served_again
tell close
until_is 0 threads
look closed
""")
    expect_looks(found, waiting=(8, 8, 8), served=(8, 8, 8), idle=(8, 8, 8), ended=(8, 0, 0),
                 again=(8, 8, 8), served_again=(8, 8, 8), closed=(0, 0, 0))


@test("idle_threads_are_used_again")
def idle_threads_are_used_again():
    found = silent("idle_threads_are_used_again", """
start 8 1
ids() { grep -lx kvm-apf /proc/$silent/task/*/comm | sort | md5sum; }
touch_all 8; first=$(ids)
for again in 1 2 3; do tell serve; sleep 3; touch_all 8; done
[ "$(ids)" = "$first" ]; note other $?
look at_last
tell serve
kill -9 $silent
wait
look killed
""")
    expect_looks(found, at_last=(8, 8, 8), killed=(0, 0, 0))
    expect(found, other=0)


@test("vms_closed_while_threads_wait")
def vms_closed_while_threads_wait():
    """The VMs go at once. The threads wait for their pages, and end when they come."""
    found = silent("vms_closed_while_threads_wait", """
start 8 1
touch_all 8; look waiting
tell close; look closed
sleep 30; look later
tell serve
until_is 0 threads
look served
note lives $(grep -c silent /proc/$silent/comm)
""")
    expect_looks(found, waiting=(8, 8, 8), closed=(0, 8, 0), later=(0, 8, 0), served=(0, 0, 0))
    expect(found, lives=1)


@test("vmm_execs_while_threads_wait")
def vmm_execs_while_threads_wait():
    """Exec ends all threads but its own. Every second VM stays: its file is open over the exec."""
    found = silent("vmm_execs_while_threads_wait", """
start 8 1
touch_all 8; look waiting
echo exec >&3
until_is sleep cat /proc/$silent/comm
until_is 4 vms
until_is 0 threads
look execed
kill -9 $silent
wait
look killed
""")
    expect_looks(found, waiting=(8, 8, 8), execed=(4, 0, 0), killed=(0, 0, 0))


STOPPED = """
stuck() { ps -o stat,comm | grep -c '^D.*kworker'; }
state() { sed 's/.*) //' /proc/$silent/task/*/stat | cut -d ' ' -f 1 | grep -c $1; }
start 8 1
touch_all 8
"""


@test("vmm_stopped_while_threads_are_idle")
def vmm_stopped_while_threads_are_idle():
    """A thread that is stopped cannot be ended; no worker of the host's waits for it."""
    found = silent("vmm_stopped_while_threads_are_idle", STOPPED + """
tell serve
kill -STOP $silent
sleep 25; look stopped
note stuck $(stuck)
kill -CONT $silent
sleep 25; look continued
touch_all 8; look again
tell serve
kill -STOP $silent
sleep 25
note stuck_again $(stuck)
kill -9 $silent
wait
look killed
""")
    expect(found, stuck=0, stuck_again=0)
    expect_looks(found, continued=(8, 0, 0), again=(8, 8, 8), killed=(0, 0, 0))


@test("vmm_stopped_while_threads_wait")
def vmm_stopped_while_threads_wait():
    """All stop but the threads that wait, which would stop as well once their pages came."""
    found = silent("vmm_stopped_while_threads_wait", STOPPED + """
kill -STOP $silent
sleep 25; look stopped
note stopped $(state T)
note waiting $(state D)
note stuck $(stuck)
kill -CONT $silent
tell serve; look served
touch_all 8
kill -STOP $silent
sleep 1
kill -9 $silent
wait
look killed
""")
    # The main thread and eight vCPUs.
    expect(found, stopped=9, waiting=8, stuck=0)
    expect_looks(found, stopped=(8, 8, 8), served=(8, 8, 8), killed=(0, 0, 0))


MANY = 512
# The other VM's work, alone and beside the many; and a loop of the shell, in ms.
BESIDE = """
loop() {
	begin=$(sed 's/\\.\\([0-9]*\\) .*/\\1/' /proc/uptime)
	n=0
	while [ $n -lt 20000 ]; do n=$((n + 1)); done
	end=$(sed 's/\\.\\([0-9]*\\) .*/\\1/' /proc/uptime)
	note $1.loop_ms $((10 * (end - begin)))
}
available() { awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo; }
free_kib() {
	echo 3 >/proc/sys/vm/drop_caches
	sleep 1
	note $1.free_kib $(available)
}
"""


# Of all that the many had: page tables, slab caches and per-CPU lists keep some of it.
KEPT_KIB = 16 * 1024


def many(name, threads):
    """Their server is another process that has gone silent. The host's other work goes on."""
    steps = ("run --tasks 8 --pages 256 --compute 100 --bystander", "ps-d", "apf")
    outcome = run(name, Vm(policy=("all:delay=20",), steps=steps, knobs={"threads": threads},
                           script=SILENT + BESIDE + f"""
vmm
mv /out/result /out/result.alone
echo 4 >/proc/sys/vm/drop_caches
loop alone
free_kib alone
start {MANY} {threads}
touch_all {MANY}
look waiting
vmm
loop beside
look later
hold_uffd $silent >/out/held &
until grep -q held /out/held; do sleep 0.1; done
kill -9 $silent
wait $silent
note status $?
until_is 0 vms
sleep 1
look killed
note processes $(ps -o comm | grep -cx silent)
free_kib killed
kill $(pidof hold_uffd)
""" + AFTERMATH))
    check(outcome, host_may_say=("drop_caches: 4",))
    check_aftermath(outcome)
    found = noted(outcome)
    expect_looks(found, waiting=(MANY, threads * MANY, threads * MANY),
                 later=(MANY, threads * MANY, threads * MANY), killed=(0, 0, 0))
    expect(found, status=128 + 9, processes=0)
    expect(found, **{"beside.loop_ms": (0, found["alone.loop_ms"] * 1.1 + 20),
                     "killed.free_kib": (found["alone.free_kib"] - KEPT_KIB, None)})
    alone = run_figures(parse(outcome.read("result.alone"), "guest"), "run", "guest")
    for figures in (alone, outcome.figures()):
        expect(figures, announced=256, ready=256, sync=0, halted=0)
    expect(outcome.figures(), wall_ms=(None, alone["wall_ms"] * 1.1))
    expect(outcome.figures()["bystander"],
           worst_gap_ms=(None, alone["bystander"]["worst_gap_ms"] + 1))


test("many_vms_with_a_silent_server", "many_vms_with_a_silent_server", 0, seconds=90)(many)
test("many_vms_whose_threads_wait", "many_vms_whose_threads_wait", 1, seconds=90,
     suite="long")(many)
