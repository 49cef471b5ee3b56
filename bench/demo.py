# SPDX-License-Identifier: GPL-2.0-only
"""Run the same work in a guest at each level: off, halt, announce, kernel.

Everything must be built, which `make demo` does. The host boots once, in virtual
time. It runs one VM per level for the figures, then one VM for the timeline of each
of three levels, with the kernels' tracing on. The folder given by --out gets
demo.json, demo-throughput.svg and demo-timeline.svg; its sub-folder demo has the
output of the host and of the guests.
"""

import argparse
import contextlib
import json
import shlex
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

from bench import figures, plot, timeline
from lab import boot, paths, term
from lab.levels import LEVELS, PARAMETER_FILE
from lab.result import ResultError, check_end, find_run, parse

TASKS, VCPUS, MEM_MIB = 8, 1, 256
PAGE_SIZE = 4096
COLD_BASE = 0x80000000 + (MEM_MIB << 20)
COMPUTE_US = 20

# Latency in ms, pages. The first one is what the levels in the JSON are about.
LATENCIES = ((50, 128), (10, 256), (2, 512))

# Name of a row -> level of host and guest, the guest's kernel. A guest without the driver halts at a
# host that would announce. In the row kernel the guest's kernel touches the pages, in read(2); in the
# other rows the tasks touch them.
ROWS = {
    "off": ("off", "Image"),
    "halt": ("halt", "Image"),
    "halt_no_driver": ("kernel", "Image.nodriver"),
    "announce": ("announce", "Image"),
    "kernel": ("kernel", "Image"),
}

RESULTS = ("demo.json", "demo-throughput.svg", "demo-timeline.svg")

TIMELINE_LEVELS = ("off", "halt", "announce")

# The window of the picture lies behind the start, where all tasks touch at once.
WINDOW = (170, 150)
TIMELINE_LATENCY, TIMELINE_PAGES, TIMELINE_COMPUTE = 20, 128, 2000

SCENARIO = r"""
trace=/sys/kernel/tracing
switch=@PARAMETER@
uname -r >/out/uname

set_level() {
	if [ -e $switch ]; then
		echo $1 >$switch
	elif [ $1 != off ]; then
		echo "the host's kernel has no parameter apf: is our code in it?"
		exit 1
	fi
}

# vm NAME VALUE-OF-PARAMETER IMAGE WORDS-FOR-THE-GUEST'S-KERNEL JOB POLICY...
vm() {
	name=$1 image=$3 words=$4 job=$5
	set_level $2
	shift 5
	echo "demo: $name" >/dev/console
	apfvm --kernel /boot/$image --initrd /boot/guest.cpio --cpus @VCPUS@ --mem @MEM@ \
		--cold @COLD@ "$@" --append "console=hvc0 panic=-1 panic_on_warn=1 quiet $words -- $job" \
		--console /out/$name.console --result /out/$name.result && return
	echo "$name: apfvm ended with status $?"
	exit 1
}

trace_on() {
	echo 0 >$trace/tracing_on
	echo >$trace/trace
	echo mono_raw >$trace/trace_clock
	echo 8192 >$trace/buffer_size_kb
	for event in kvm_entry kvm_exit kvm_guest_fault; do
		echo 1 >$trace/events/kvm/$event/enable
	done
	echo 1 >$trace/tracing_on
	apfload --mark $trace/trace_marker
}

trace_off() {
	echo 0 >$trace/tracing_on
	grep -E 'kvm_|cntvct' $trace/trace >/out/$1.trace
}
"""


def arguments(words):
    parser = argparse.ArgumentParser(prog="python3 -m bench demo", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=paths.OUT, metavar="DIR")
    parser.add_argument("--levels", default=",".join(ROWS), metavar="LIST",
                        help="only these levels; the first must be off")
    parser.add_argument("--timeout", type=float, default=600, metavar="S")
    parser.add_argument("--pictures", type=Path, metavar="DIR",
                        help="put the pictures there, too, as throughput.svg and timeline.svg")
    parser.add_argument("--replay", action="store_true",
                        help="boot nothing: report on what the last run left in DIR/demo")
    args = parser.parse_args(words)
    args.levels = args.levels.split(",")
    if args.levels[0] != "off" or not set(args.levels) <= ROWS.keys():
        parser.error(f"--levels: a list that begins with off, of: {', '.join(ROWS)}")
    if args.pictures and not args.pictures.is_dir():
        parser.error(f"--pictures {args.pictures}: no such folder, make it first")
    return args


def label(latency, bystander):
    return f"{latency}ms-{'with' if bystander else 'without'}"


def runs():
    """(latency, pages, bystander, first page) of each run: each has fresh pages."""
    first = 0
    for latency, pages in LATENCIES:
        for bystander in (True, False):
            yield latency, pages, bystander, first
            first += pages


def cold_mib():
    pages = max(first + pages for _, pages, _, first in runs())
    return -(-pages * PAGE_SIZE // (2 << 20)) * 2


def figures_job(level):
    """A word per step: a kernel hands no more than 32 of them to init."""
    steps = ["apf"]
    for latency, pages, bystander, first in runs():
        steps.append(f"run,--tasks,{TASKS},--pages,{pages},--skip,{first},--compute,{COMPUTE_US},"
                     f"--label,{label(latency, bystander)}" + (",--bystander" if bystander else "")
                     + (",--syscall,--write" if level == "kernel" else ""))
        steps.append("apf")
    return ",:,".join(steps)


def timeline_job():
    return (f"trace,on,:,run,--tasks,{TASKS},--pages,{TIMELINE_PAGES},"
            f"--compute,{TIMELINE_COMPUTE},--bystander,--label,timeline,--log,/tmp/log,"
            ":,trace,off,:,send,/tmp/log")


def policies():
    return [word for latency, pages, _, first in runs()
            for word in ("--policy", f"{first}-{first + pages}:delay={latency}")]


def start_vm(name, row, job, policies):
    """sh"""
    level, image = LEVELS[ROWS[row][0]], ROWS[row][1]
    return shlex.join(["vm", name, level.host, image, level.guest, job, *policies])


def scenario(levels):
    lines = [SCENARIO.replace("@VCPUS@", str(VCPUS)).replace("@MEM@", str(MEM_MIB))
             .replace("@COLD@", str(cold_mib())).replace("@PARAMETER@", PARAMETER_FILE)]
    for level in levels:
        lines.append(start_vm(level, level, figures_job(level), policies()))
    for level in timeline_levels(levels):
        name = f"timeline-{level}"
        lines += ["trace_on", start_vm(name, level, timeline_job(), [
            "--policy", f"all:delay={TIMELINE_LATENCY}", "--marks", f"/out/{name}.marks"]),
                  f"trace_off {name}"]
    return "\n".join(lines) + "\n"


def timeline_levels(levels):
    return [level for level in levels if level in TIMELINE_LEVELS]


@contextlib.contextmanager
def progress(serial):
    """On a terminal: says which VM runs, by what the scenario tells the console."""
    ended = threading.Event()

    def follow():
        said = 0
        while not ended.wait(0.5):
            with contextlib.suppress(FileNotFoundError):
                names = [line for line in serial.read_text(errors="replace").splitlines()
                         if line.startswith("demo: ")]
                for line in names[said:]:
                    term.say(f"  {time.strftime('%H:%M:%S')}  {line[6:]}")
                said = max(said, len(names))

    thread = threading.Thread(target=follow, daemon=True)
    if sys.stdout.isatty():
        thread.start()
    try:
        yield
    finally:
        ended.set()


def run_host(args):
    folder = args.out / "demo"
    files = {paths.BIN / "apfload": "bin/apfload"}
    with term.step("demo"), progress(folder / "serial.log"):
        result = boot.run(scenario(args.levels), folder, mode="icount", timeout=args.timeout,
                          files=files)
    if result.lab_error:
        raise ResultError(result.lab_error)
    if result.status:
        log = result.out / "scenario.log"
        raise ResultError(f"the scenario failed with status {result.status}:\n"
                          f"{term.tail(log)}See {folder}")
    if result.klog.strip():
        raise ResultError(f"the host's kernel complains:\n{result.klog}See {folder}/klog")


def read(out, name):
    try:
        return (out / name).read_text(errors="replace")
    except FileNotFoundError:
        raise ResultError(f"{out / name} is missing: that VM did not run") from None


def level_figures(out, levels):
    """Latency -> level -> figures."""
    records = {level: parse(read(out, f"{level}.result"), level) for level in levels}
    found = {}
    for latency, _ in LATENCIES:
        found[latency] = {level: figures.level_figures(records[level], level, label(latency, True),
                                                      label(latency, False)) for level in levels}
        figures.add_speedups(found[latency])
    return found


def panel_title(level, lanes):
    stalled = sum(b - a for a, b in lanes.stalled)
    return (f"APF {level}: {lanes.pages} pages came, the vCPU stood still "
            f"for {100 * stalled / lanes.end:.0f} % of the time")


def timeline_panels(out, levels):
    cold = (COLD_BASE, COLD_BASE + (cold_mib() << 20))
    panels = []
    for level in timeline_levels(levels):
        name = f"timeline-{level}"
        records = parse(read(out, f"{name}.result"), name)
        check_end(records, name)
        index, _, _ = find_run(records, "timeline", name)
        marks = parse(read(out, f"{name}.marks"), f"{name}.marks")
        lanes = timeline.lanes(records, marks, read(out, f"{name}.trace").splitlines(),
                               records[index]["run"], cold, WINDOW, name)
        panels.append((panel_title(level, lanes), lanes))
    return panels


def qemu_version():
    try:
        done = subprocess.run(["qemu-system-aarch64", "--version"], stdout=subprocess.PIPE,
                              text=True, check=False)
    except FileNotFoundError:       # --replay elsewhere
        return "unknown"
    return done.stdout.partition("\n")[0]


def meta(out):
    return {"kernel": read(out, "uname").strip(), "qemu": qemu_version(),
            "page_latency_ms": LATENCIES[0][0], "tasks": TASKS, "vcpus": VCPUS,
            "compute_us": COMPUTE_US, "mode": "icount"}


def tell(args, found):
    (latency, pages), *others = LATENCIES
    term.say(f"\n{TASKS} tasks on {VCPUS} vCPU, {pages} pages that take {latency} ms; virtual time, "
             "gaps of the bystander's 1 ms timer in ms\n")
    term.say(figures.table(found[latency]) + "\n")
    for other, _ in others:
        term.say(figures.latency_line(other, found[other]))
    term.say(f"\n{args.out}: {', '.join(RESULTS)}")


def main(words):
    args = arguments(words)
    out = args.out / "demo" / "out"
    for name in RESULTS:
        (args.out / name).unlink(missing_ok=True)
    try:
        if not args.replay:
            run_host(args)
        found = level_figures(out, args.levels)
        latency = LATENCIES[0][0]
        result = {"levels": found[latency], "latencies": {str(ms): found[ms] for ms in found},
                  "meta": meta(out)}
        (args.out / "demo.json").write_text(json.dumps(result, indent=2) + "\n")
        headline = f"{TASKS} tasks on one vCPU, each page missing for "
        plot.throughput(found[latency], f"{headline}{latency} ms",
                        args.out / "demo-throughput.svg")
        plot.timeline(timeline_panels(out, args.levels), WINDOW[1],
                      f"{WINDOW[1]} ms of {headline}{TIMELINE_LATENCY} ms",
                      args.out / "demo-timeline.svg")
    except ResultError as error:
        raise term.LabError(error) from None
    for name in RESULTS[1:] if args.pictures else ():
        shutil.copy(args.out / name, args.pictures / name.removeprefix("demo-"))
    tell(args, found)
    return 0
