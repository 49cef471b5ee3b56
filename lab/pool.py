# SPDX-License-Identifier: GPL-2.0-only
"""Run work beside each other, each piece in a process of its own, and give results as they come.

A process and not a thread, because lab/boot.py ends QEMU by signal handlers, which only a main
thread has. Whoever leaves the pool, also by Ctrl-C or SIGTERM, ends all that is under way: each
process ends its own QEMU, by its id, and then itself.
"""

import dataclasses
import multiprocessing
import os
import signal
import time
import traceback
from multiprocessing import connection
from typing import Any

from lab.term import INTERRUPTED, LabError

FORK = multiprocessing.get_context("fork")
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def jobs(most=None):
    """$J, or as many as there are CPUs, but no more than most."""
    asked = os.environ.get("J") or str(min(os.cpu_count(), most or os.cpu_count()))
    if not asked.isdecimal() or not int(asked):
        raise LabError(f"J={asked}: not a number of jobs")
    return int(asked)


@dataclasses.dataclass
class Done:
    """A piece of work that has ended: what the function returned, or why it did not."""

    item: Any
    value: Any
    failure: str
    seconds: float


class Interrupt:
    """Handler that raises once: Ctrl-C reaches us all, and is then handed down a second time.

    lab/boot.py has a handler of its own while QEMU runs. That is replaced, too, so that nothing
    disturbs the end of QEMU.
    """

    def __init__(self):
        self.seen = False

    def __call__(self, _number, _frame):
        if self.seen:
            return
        self.seen = True
        for number in SIGNALS:
            signal.signal(number, self)
        raise KeyboardInterrupt


def child_main(function, item, answer):
    """What a function raises is its failure, and does not take the others with it."""
    try:
        answer.send((function(item), ""))
    except KeyboardInterrupt:
        os._exit(INTERRUPTED)       # nobody waits for an answer
    except (LabError, OSError) as error:
        answer.send((None, str(error)))
    except Exception:
        answer.send((None, traceback.format_exc()))


class Pool:
    """To be used with `with`. It has the processes under way, by the pipe for their answer."""

    def __init__(self):
        self.running, self.before = {}, {}

    def __enter__(self):
        interrupt = Interrupt()
        self.before = {number: signal.signal(number, interrupt) for number in SIGNALS}
        return self

    def __exit__(self, *_):
        for _, process, _ in self.running.values():
            process.terminate()
        for _, process, _ in self.running.values():
            process.join()
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def start(self, function, item):
        answer, childs_end = FORK.Pipe(duplex=False)
        process = FORK.Process(target=child_main, args=(function, item, childs_end))
        process.start()
        childs_end.close()
        self.running[answer] = item, process, time.monotonic()

    def collect(self, answer):
        item, process, begin = self.running[answer]
        try:
            value, failure = answer.recv()
        except EOFError:
            process.join()
            value, failure = None, f"its process ended: {process.exitcode}"
        process.join()
        del self.running[answer]
        return Done(item, value, failure, time.monotonic() - begin)

    def run(self, function, items, limit):
        """Call function with each item, limit at a time. Yields Done, in the order of the ends."""
        waiting, left = iter(items), True
        while left or self.running:
            while left and len(self.running) < limit:
                try:
                    self.start(function, next(waiting))
                except StopIteration:
                    left = False
            for answer in connection.wait(list(self.running)) if self.running else ():
                yield self.collect(answer)
