# SPDX-License-Identifier: GPL-2.0-only
"""Run a guest in Debian's QEMU, and do to it what the command line says.

The result channel is collected in /out/result, over all processes that the VM
has. A line "@stats NAME" of the guest is replaced by KVM's statistics, as apfvm
does it. Actions, in order:

  await:NAME   until the guest has asked for statistics of that name
  say:WORD     to the guest, which waits for it ("until WORD")
  postcopy     the VM moves to a new process, by post-copy
  precopy      the same, with all memory before the switch
  file         saved to a file, and a new process takes it from there
  reset        system_reset; "reset-in-postcopy": post-copy, with a reset on the way
  apf:VALUE    the host's parameter from now on
  end          until the guest has turned itself off
"""

import argparse
import json
import math
import os
import sys
import threading

from qemu import PATIENCE, Failed, Qemu, put, text, wait_for
from relay import Relay

TRACING = "/sys/kernel/tracing"
APF_CALL = 0xC6000050
TOKENS = 64
PARAMETER = "/sys/module/kvm-arm/parameters/apf"
FILE = "/tmp/vm"
MEBIBYTE = 1 << 20


def trace_calls():
    """KVM's tracepoint, of APF's hypercall alone."""
    event = f"{TRACING}/events/kvm/kvm_hvc_arm64"
    put(f"{event}/filter", f"r0 == {APF_CALL}")
    put(f"{event}/enable", "1")


class Drive:
    """The VM, whichever process it is in."""

    def __init__(self, args):
        self.args = args
        self.options = ["-m", str(args.mem), "-smp", str(args.cpus), "-append", args.append,
                        *(["-initrd", args.initrd] if args.initrd else []), *args.option]
        self.log = open("/out/result", "w", buffering=1)
        self.lock = threading.Lock()
        self.named = set()
        self.processes = []
        trace_calls()
        self.start()

    def start(self, incoming=None):
        """The next process. Its result channel is followed from now on."""
        process = Qemu(len(self.processes), self.options, incoming)
        self.processes.append(process)
        process.follower = threading.Thread(target=self.follow, args=(process,), daemon=True)
        process.follower.start()
        return process

    @property
    def now(self):
        return self.processes[-1]

    def record(self, **what):
        with self.lock:
            self.log.write(json.dumps(what) + "\n")

    def calls(self):
        """Of APF's hypercall, by this VM, since its boot."""
        return text(f"{TRACING}/trace").count(" kvm_hvc_arm64: ")

    def counted(self, process, counts=None, **what):
        """Of KVM: now, or as they were when it was decided to do something about them."""
        self.record(**what, process=self.processes.index(process), calls=self.calls(),
                    vcpus=[counts or process.stats()])

    def follow(self, process):
        for line in process.result.makefile("r", errors="replace"):
            if line.startswith("@stats "):
                name = line.split()[1]
                self.counted(process, stats=name)
                self.named.add(name)
            else:
                with self.lock:
                    self.log.write(line)

    def hand_over(self, source, how):
        """The source has nothing to do any more. What KVM counted there is in the result."""
        source.await_migration("completed")
        self.counted(source, left=how)
        source.do("quit")
        status = source.end()
        source.follower.join()
        if status:
            raise Failed(f"{source.name}: status {status} after its migration")

    def migrate(self, source, how):
        """Begin to migrate, over a network that is slow.

        What was asked for has a connection of its own, beside which the rest may take its time.
        QEMU's own limit of the rate (max-postcopy-bandwidth) is no way to slow that down: what is
        asked for waits, too, until its window of 100 ms is over, while QEMU asks all the time.
        """
        number = len(self.processes)
        target = self.start(f"unix:/tmp/incoming.{number}")
        rates = [math.inf]
        if how == "postcopy":
            rates = [self.args.rate * MEBIBYTE, math.inf]
            for process in (source, target):
                process.capability("postcopy-ram")
                process.capability("postcopy-preempt")
            source.do("migrate-set-parameters", **{"max-bandwidth": MEBIBYTE})
        relay = Relay(f"/tmp/relay.{number}", f"/tmp/incoming.{number}", self.args.delay / 1000,
                      rates)
        source.states.clear()
        source.do("migrate", uri=f"unix:{relay.server.getsockname()}")
        return target

    def precopy(self):
        source = self.now
        target = self.migrate(source, "precopy")
        self.hand_over(source, "precopy")
        target.await_migration("completed")

    def postcopy(self, meanwhile=None):
        """It switches over at once, with next to all memory still to come."""
        source = self.now
        target = self.migrate(source, "postcopy")
        source.await_migration("active")
        source.do("migrate-start-postcopy")
        source.await_migration("postcopy-active")
        if meanwhile:
            meanwhile(target)
        self.hand_over(source, "postcopy")
        target.await_migration("completed")
        self.counted(target, arrived="postcopy")

    def under_way(self, process):
        """After enough announcements, one without its ready bit; each vCPU had all at first.

        Returns the counts that say so, or None.
        """
        stats = process.stats()
        announced = stats["apf_announced"] - stats["apf_repeated"]
        told = stats["apf_ready"] - TOKENS * self.args.cpus
        enough = stats["apf_announced"] >= self.args.faults and announced > told
        return stats if enough else None

    def reset_in_postcopy(self):
        """Once faults have been announced there, some of which are under way."""
        def reset(target):
            counts = wait_for("faults under way", lambda: self.under_way(target))
            self.counted(target, counts, reset=True)
            target.do("system_reset")
        self.postcopy(reset)

    def file(self):
        source = self.now
        source.states.clear()
        source.do("migrate", uri=f"exec:cat >{FILE}.part && mv {FILE}.part {FILE}")
        self.hand_over(source, "file")
        wait_for("the whole file", lambda: os.path.exists(FILE))
        self.start(f"exec:cat {FILE}").await_migration("completed")
        os.unlink(FILE)

    def reset(self):
        self.counted(self.now, reset=True)
        self.now.do("system_reset")

    def say(self, word):
        self.now.result.sendall(word.encode() + b"\n")

    def apf(self, value):
        put(PARAMETER, value)

    def wait_named(self, name):
        wait_for(f"@stats {name}", lambda: name in self.named or self.now.child.poll() is not None,
                 self.args.patience)
        if name not in self.named:
            raise Failed(f"the guest ended before @stats {name}")
        self.named.discard(name)

    def end(self):
        """KVM's last statistics are gone with the process: the guest asks for them before."""
        status = self.now.end(self.args.patience)
        self.now.follower.join()
        if status:
            raise Failed(f"{self.now.name}: status {status}")

    def do(self, action):
        name, _, value = action.partition(":")
        method = {"await": "wait_named"}.get(name, name.replace("-", "_"))
        getattr(self, method)(*([value] if value else []))


def arguments():
    parser = argparse.ArgumentParser(prog="drive", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mem", type=int, default=160, metavar="MIB")
    parser.add_argument("--cpus", type=int, default=2, metavar="N")
    parser.add_argument("--initrd", default="/boot/guest.cpio", metavar="FILE",
                        help="empty: none")
    parser.add_argument("--append", default="", metavar="STR", help="the guest's command line")
    parser.add_argument("--delay", type=float, default=1, metavar="MS",
                        help="of the network that it is migrated over, one way")
    parser.add_argument("--rate", type=int, default=8, metavar="MIB",
                        help="per second, of post-copy's pages that nobody asks for")
    parser.add_argument("--patience", type=float, default=PATIENCE, metavar="S",
                        help="for each action, of the host's time")
    parser.add_argument("--faults", type=int, default=16, metavar="N",
                        help="announcements before reset-in-postcopy resets")
    parser.add_argument("--option", action="append", default=[], metavar="WORD",
                        help="of QEMU's command line, one word each")
    parser.add_argument("actions", nargs="+", metavar="ACTION")
    return parser.parse_args()


def main():
    args = arguments()
    drive = None
    try:
        drive = Drive(args)
        for action in args.actions:
            drive.do(action)
    except (Failed, OSError) as error:
        print(f"drive: {error}", file=sys.stderr)
        return 1
    finally:
        for process in drive.processes if drive else []:
            process.child.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())
