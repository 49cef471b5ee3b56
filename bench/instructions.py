# SPDX-License-Identifier: GPL-2.0-only
"""Count the guest's instructions per announcement. It counts, it does not time.

A host with one CPU and a guest with one vCPU run in QEMU. From a breakpoint at the
guest's interrupt handler on, QEMU logs every instruction with the exception level
that ran it, until the log is large enough. Nothing stops in between, because virtual
time leaps to the next timer when QEMU stops.
"""

import argparse
import statistics
from collections import Counter

from bench import execlog
from lab import boot, paths, term
from lab.levels import LEVELS, PARAMETER_FILE

PAGES, SKIP = 512, 64
SCENARIO = f"""\
echo {LEVELS["kernel"].host} >{PARAMETER_FILE} || exit 99
exec apfvm --kernel /boot/Image --initrd /boot/guest.cpio --cpus 1 --cold 8 --policy all:delay=2 \\
	--append 'console=hvc0 panic=-1 quiet -- run,--tasks,8,--pages,{PAGES},OPTIONS' \\
	--console /out/console --result /out/result
"""
IRQ_VECTORS = {0x480: "EL0", 0x280: "EL1"}
DRIVER = "drivers/virt/kvm_apf/"


class Episode:
    """From the guest's IRQ vector to the next task, or back to where it was."""

    def __init__(self, start):
        self.start = start
        self.count = Counter()
        self.called = Counter()
        self.end = None

    def kind(self):
        if not self.called["apf_interrupt"]:
            return None
        what = "ready"
        if self.called["apf_lend"]:
            what = "announced, " + ("sleeps" if self.called["apf_sleep"] else "others run first")
        return f"{what}; from {self.start} {self.end}"


def episodes(log, functions):
    """What the guest's kernel does after each interrupt, and the sums of all."""
    vectors = {functions.start["vectors"] + at: name for at, name in IRQ_VECTORS.items()}
    watched = {functions.start[name]: name for name in
               ("apf_interrupt", "apf_lend", "apf_sleep", "apf_wake")}
    switch = functions.start["cpu_switch_to"]
    total, found, now = Counter(), [], None
    for _, mode, pc in execlog.instructions(log):
        total[mode] += 1
        if mode == "guest EL1" and pc in vectors and not now:
            now = Episode(vectors[pc])
        if not now:
            continue
        if mode == "guest EL0" or (mode == "guest EL1" and pc == switch):
            now.end = "to the switch to another task" if pc == switch else "back to user space"
            found.append(now)
            now = None
            continue
        now.count[mode] += 1
        if mode == "guest EL1":
            now.count["driver"] += functions.object(functions.name(pc)).startswith(DRIVER)
            if pc in watched:
                now.called[watched[pc]] += 1
    return total, found


def median(of, *keys):
    return statistics.median(sum(episode.count[key] for key in keys) for episode in of)


def report(total, found):
    kinds = {}
    for episode in found:
        if episode.kind():
            kinds.setdefault((episode.kind(), episode.called["apf_wake"]), []).append(episode)
    announced = sum(episode.called["apf_lend"] for episode in found)
    if not announced:
        raise term.LabError("no announcement in the log")
    print(f"{'interrupt (medians)':64} {'woken':>5} {'times':>5} {'driver':>7} {'guest EL1':>10} "
          f"{'host':>7}")
    for (kind, woken), of in sorted(kinds.items()):
        print(f"{kind:64} {woken:5} {len(of):5} {median(of, 'driver'):7.0f} "
              f"{median(of, 'guest EL1'):10.0f} {median(of, 'host kernel', 'host user'):7.0f}")
    print(f"\nAll instructions, per announcement ({announced}):")
    for mode, count in sorted(total.items()):
        print(f"  {mode:12} {count / announced:8.0f}")


def trace(args):
    functions = execlog.Functions()
    folder = paths.OUT / "instructions"
    options = "--compute,20" + (",--syscall" if args.syscall else "")
    with execlog.logging(folder, functions.start["apf_interrupt"], SKIP, args.megabytes) as more:
        result = boot.run(SCENARIO.replace("OPTIONS", options), folder, timeout=args.timeout, smp=1,
                          **more)
    if result.lab_error or result.status:
        raise term.LabError(f"{result.lab_error or ''} status {result.status}")
    log = folder / "exec.log"
    report(*episodes(log, functions))
    if not args.keep:
        log.unlink()


def main(words):
    parser = argparse.ArgumentParser(prog="python3 -m bench instructions", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=500, metavar="N",
                        help="of log: about 15 announcements in 100 (500)")
    parser.add_argument("--syscall", action="store_true",
                        help="the guest's kernel faults, in write(2), instead of user space")
    parser.add_argument("--timeout", type=float, default=600, metavar="S")
    parser.add_argument("--keep", action="store_true", help="keep the log, out/instructions/exec.log")
    trace(parser.parse_args(words))
    return 0
