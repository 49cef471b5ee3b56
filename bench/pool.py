# SPDX-License-Identifier: GPL-2.0-only
"""Run the boots of the benchmark beside each other, each in a process of its own.

A process and not a thread, because lab/boot.py ends QEMU by signal handlers, which only
a main thread has.
"""

import contextlib
import json
import multiprocessing
import os
import signal
import sys
import time
import traceback
from multiprocessing import connection

from bench.report import ReportError
from bench.rows import Sample
from lab import boot as lab_boot
from lab import term

FORK = multiprocessing.get_context("fork")


def jobs():
    """$J, or as many as there are CPUs."""
    asked = os.environ.get("J") or str(os.cpu_count())
    if not asked.isdecimal() or not int(asked):
        raise term.LabError(f"J={asked}: not a number of jobs")
    return int(asked)


def check(result):
    """A host with a failure, or with something in its kernel's log, has no figures."""
    if result.lab_error:
        raise ReportError(result.lab_error)
    if result.status:
        log = result.out / "scenario.log"
        raise ReportError(f"the scenario failed with status {result.status}:\n{term.tail(log)}")
    said = [line for line in result.klog.splitlines() if lab_boot.TIMER_LATE not in line]
    if said:
        raise ReportError("the host's kernel complains:\n" + "\n".join(said))


def run_one(boot, folder):
    """In the process of its own: boot, look at what came, write down the samples."""
    with boot.beside(folder) if boot.beside else contextlib.nullcontext({}) as more:
        result = lab_boot.run(boot.scenario, folder, **boot.options, **more)
    check(result)
    return read(boot, folder)


def read(boot, folder):
    samples = list(boot.read(folder / "out"))
    (folder / "samples.json").write_text(json.dumps([vars(sample) for sample in samples]))
    return samples


def child_main(boot, folder, answer):
    try:
        answer.send((run_one(boot, folder), None))
    except KeyboardInterrupt:
        pass
    except (ReportError, term.LabError, OSError, AssertionError) as error:
        answer.send(([], f"{boot.name}: {error}\n  see {folder}"))
    except Exception:       # a case that breaks must not take the others with it
        answer.send(([], f"{boot.name}: {traceback.format_exc()}"))


class Progress:
    """A line for each boot that ends, if a user looks on."""

    def __init__(self, total):
        self.total, self.ended, self.live = total, 0, sys.stdout.isatty()

    def end(self, boot, seconds, failed):
        self.ended += 1
        if self.live or failed:
            term.say(f"  {time.strftime('%H:%M:%S')}  {self.ended:3} of {self.total}  "
                     f"{boot.name}: {'failed' if failed else f'{seconds:.0f} s'}")


class Pool:
    """Processes under way, by the pipe that their samples come through."""

    def __init__(self, folder, total):
        self.folder, self.progress = folder, Progress(total)
        self.running, self.samples, self.failures = {}, {}, []

    def start(self, boot):
        answer, childs_end = FORK.Pipe(duplex=False)
        process = FORK.Process(target=child_main,
                               args=(boot, self.folder / boot.name, childs_end))
        process.start()
        childs_end.close()
        self.running[answer] = boot, process, time.monotonic()

    def collect(self, answer):
        boot, process, begin = self.running.pop(answer)
        try:
            samples, failure = answer.recv()
        except EOFError:
            samples, failure = [], f"{boot.name}: its process ended"
        process.join()
        self.samples[boot.name] = samples
        if failure:
            self.failures.append(failure)
        self.progress.end(boot, time.monotonic() - begin, failure)

    def run(self, boots, limit):
        waiting = list(boots)
        while waiting or self.running:
            while waiting and len(self.running) < limit:
                self.start(waiting.pop(0))
            for answer in connection.wait(list(self.running)):
                self.collect(answer)

    def stop(self):
        """Each ends its own QEMU, by its id, and then itself."""
        for _, process, _ in self.running.values():
            process.terminate()
        for _, process, _ in self.running.values():
            process.join()


def replay(boots, folder):
    """What was read when the boots ran; read again where the files are still there."""
    samples, failures = [], []
    for boot in boots:
        try:
            samples += read(boot, folder / boot.name)
        except (ReportError, OSError):
            kept = folder / boot.name / "samples.json"
            if kept.exists():
                samples += [Sample(**one) for one in json.loads(kept.read_text())]
            else:
                failures.append(f"{boot.name}: was not run")
    return samples, failures


def run(boots, folder, limit, replayed=False):
    """([Sample] in the order of the boots, [what failed])."""
    if replayed:
        return replay(boots, folder)
    pool = Pool(folder, len(boots))
    try:
        with term.step(f"bench, {len(boots)} hosts"):
            pool.run([boot for boot in boots if not boot.alone], limit)
            pool.run([boot for boot in boots if boot.alone], 1)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise
    finally:
        pool.stop()
    return [sample for boot in boots for sample in pool.samples.get(boot.name, ())], pool.failures
