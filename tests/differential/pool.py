# SPDX-License-Identifier: GPL-2.0-only
"""Run batches beside each other, each boot in a process of its own.

A process and not a thread, because lab/boot.py ends QEMU by signal handlers, which only a main
thread has.
"""

import multiprocessing
import os
import sys
import time
import traceback
from multiprocessing import connection

from lab import term

import boots
import results

FORK = multiprocessing.get_context("fork")
# Boots of one batch: each is at least one program further.
AGAIN_MAX = 40


def jobs():
    """$J, or as many as there are CPUs."""
    asked = os.environ.get("J") or str(os.cpu_count())
    if not asked.isdecimal() or not int(asked):
        raise term.LabError(f"J={asked}: not a number of jobs")
    return int(asked)


def run_batch(setting, batch, folder):
    """({name: Result}, [complaint]): boots again for what is behind a program that lost the guest."""
    found, complaints, left = {}, [], list(batch)
    for again in range(AGAIN_MAX):
        if not left:
            break
        place = folder.with_name(f"{folder.name}.{again}") if again else folder
        result = boots.run(setting, left, place)
        new, left, wrong = results.read(setting, left, result)
        found.update(new)
        lost = any(entry.verdict in ("lost", "left") for entry in new.values())
        if wrong and not lost:
            complaints += [f"{place}: {line}" for line in wrong]
        if not new:
            break
    complaints += [f"{folder}: {program.name} was not run" for program in left]
    return found, complaints


def child_main(setting, batch, folder, answer):
    try:
        answer.send(run_batch(setting, batch, folder))
    except KeyboardInterrupt:
        pass
    except (term.LabError, OSError) as error:
        answer.send(({}, [f"{folder}: {error}"]))
    except Exception:       # a batch that breaks must not take the others with it
        answer.send(({}, [f"{folder}: {traceback.format_exc()}"]))


class Pool:
    """Batches under way, by the pipe that their results come through."""

    def __init__(self, total, tell):
        self.total, self.ended, self.tell = total, 0, tell
        self.running, self.complaints = {}, []

    def start(self, setting, batch, folder):
        answer, childs_end = FORK.Pipe(duplex=False)
        process = FORK.Process(target=child_main, args=(setting, batch, folder, childs_end))
        process.start()
        childs_end.close()
        self.running[answer] = setting, batch, process, time.monotonic()

    def collect(self, answer):
        setting, batch, process, begin = self.running.pop(answer)
        try:
            found, complaints = answer.recv()
        except EOFError:
            found, complaints = {}, [f"{setting.name()}: a batch's process ended"]
        process.join()
        self.ended += len(batch)
        self.complaints += complaints
        self.tell(setting, found, f"{self.ended} of {self.total}", time.monotonic() - begin)

    def run(self, work, limit):
        """work: [(setting, batch, folder)]"""
        waiting = list(work)
        while waiting or self.running:
            while waiting and len(self.running) < limit:
                self.start(*waiting.pop(0))
            for answer in connection.wait(list(self.running)):
                self.collect(answer)

    def stop(self):
        """Each ends its own QEMU, by its id, and then itself."""
        for _, _, process, _ in self.running.values():
            process.terminate()
        for _, _, process, _ in self.running.values():
            process.join()


def live():
    return sys.stdout.isatty()
