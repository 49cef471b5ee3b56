# SPDX-License-Identifier: GPL-2.0-only
"""Boot the hosts of the benchmark, beside each other, and read the samples that they leave."""

import contextlib
import functools
import itertools
import json
import sys
import time

from bench.rows import Sample
from lab import boot as lab_boot
from lab import pool, term
from lab.result import ResultError


def check(result):
    """A host with a failure, or with something in its kernel's log, has no figures."""
    if result.lab_error:
        raise ResultError(result.lab_error)
    if result.status:
        log = result.out / "scenario.log"
        raise ResultError(f"the scenario failed with status {result.status}:\n{term.tail(log)}")
    said = [line for line in result.klog.splitlines() if lab_boot.TIMER_LATE not in line]
    if said:
        raise ResultError("the host's kernel complains:\n" + "\n".join(said))


def run_one(folder, boot):
    """In a process of its own: boot, look at what came, write down the samples."""
    folder = folder / boot.name
    try:
        with boot.beside(folder) if boot.beside else contextlib.nullcontext({}) as more:
            result = lab_boot.run(boot.scenario, folder, **boot.options, **more)
        check(result)
        return read(boot, folder)
    except (ResultError, AssertionError) as error:
        raise term.LabError(error) from None


def read(boot, folder):
    samples = list(boot.read(folder / "out"))
    (folder / "samples.json").write_text(json.dumps([vars(sample) for sample in samples]))
    return samples


class Progress:
    """A line for each boot that ends, if a user looks on."""

    def __init__(self, total):
        self.total, self.ended, self.live = total, 0, sys.stdout.isatty()

    def end(self, done):
        self.ended += 1
        if self.live or done.failure:
            term.say(f"  {time.strftime('%H:%M:%S')}  {self.ended:3} of {self.total}  "
                     f"{done.item.name}: {'failed' if done.failure else f'{done.seconds:.0f} s'}")


def replay(boots, folder):
    """What was read when the boots ran; read again where the files are still there."""
    samples, failures = [], []
    for boot in boots:
        try:
            samples += read(boot, folder / boot.name)
        except (ResultError, OSError):
            kept = folder / boot.name / "samples.json"
            if kept.exists():
                samples += [Sample(**one) for one in json.loads(kept.read_text())]
            else:
                failures.append(f"{boot.name}: was not run")
    return samples, failures


def run(boots, folder, limit, replayed=False):
    """([Sample] in the order of the boots, [what failed]). Those that are timed come last."""
    if replayed:
        return replay(boots, folder)
    samples, failures, progress = {}, [], Progress(len(boots))
    one = functools.partial(run_one, folder)
    with term.step(f"bench, {len(boots)} hosts"), pool.Pool() as under_way:
        for done in itertools.chain(
                under_way.run(one, [boot for boot in boots if not boot.alone], limit),
                under_way.run(one, [boot for boot in boots if boot.alone], 1)):
            name = done.item.name
            samples[name] = done.value or []
            if done.failure:
                failures.append(f"{name}: {done.failure}\n  see {folder / name}")
            progress.end(done)
    return [sample for boot in boots for sample in samples.get(boot.name, ())], failures
