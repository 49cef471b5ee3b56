# SPDX-License-Identifier: GPL-2.0-only
"""Run tests beside each other, each in a process of its own, and print TAP.

A process and not a thread, because lab/boot.py ends QEMU by signal handlers,
which only a main thread has. Numbers are given in the order of the ends.
"""

import contextlib
import io
import multiprocessing
import os
import signal
import sys
import time
from multiprocessing import connection

import harness

JOBS_MAX = 4
INTERRUPTED = 130
FORK = multiprocessing.get_context("fork")


def jobs():
    """$J, or as many as there are CPUs."""
    asked = os.environ.get("J") or str(min(os.cpu_count(), JOBS_MAX))
    if not asked.isdecimal() or not int(asked):
        sys.exit(f"J={asked}: not a number of jobs")
    return int(asked)


def interrupt(_number, _frame):
    """Once: Ctrl-C reaches us all, and is then handed down a second time."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def child_main(entry, result):
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            verdict = harness.attempt(entry)
    except KeyboardInterrupt:
        return
    text = [line.removeprefix("# ") for line in said.getvalue().splitlines()]
    verdict.said = "\n".join([*text, verdict.said])
    result.send(verdict)


class Pool:
    """Processes under way, by the pipe that their verdict comes through."""

    def __init__(self):
        self.running = {}
        self.reported = 0
        self.good = True

    def start(self, entry):
        result, childs_end = FORK.Pipe(duplex=False)
        process = FORK.Process(target=child_main, args=(entry, childs_end))
        process.start()
        childs_end.close()
        self.running[result] = entry, process

    def collect(self, result):
        entry, process = self.running[result]
        try:
            verdict = result.recv()
        except EOFError:
            process.join()
            verdict = harness.Verdict(False, said=f"its process ended: {process.exitcode}")
        process.join()
        del self.running[result]
        self.reported += 1
        self.good &= verdict.good
        harness.report(self.reported, entry, verdict)

    def run(self, entries, limit):
        waiting = sorted(entries, key=lambda entry: -entry.seconds)
        while waiting or self.running:
            while waiting and len(self.running) < limit:
                self.start(waiting.pop(0))
            for result in connection.wait(list(self.running)):
                self.collect(result)

    def stop(self):
        """Each ends its own QEMU, by its id, and then itself."""
        for _, process in self.running.values():
            process.terminate()
        for _, process in self.running.values():
            process.join()


def run_all():
    limit, begin, pool = jobs(), time.monotonic(), Pool()
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    entries = harness.chosen()
    try:
        pool.run([entry for entry in entries if not entry.alone], limit)
        pool.run([entry for entry in entries if entry.alone], 1)
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        pool.stop()
    harness.comment(f"{time.monotonic() - begin:.0f} s, {limit} at a time")
    return 0 if pool.good else 1
