# SPDX-License-Identifier: GPL-2.0-only
"""One seed: run it, see whether all holds, and say what came of it as a record."""

import hashlib
import json
import re
import resource
import shutil
import traceback

from lab import images, kernel, paths
from lab.result import ResultError
from lab.term import LabError
from tests.simulate import balance, job, seeds
from tests import vm

OUT = paths.OUT / "simulate"
COUNTS = ("apf_announced", "apf_repeated", "apf_declined", "apf_halted", "apf_sync", "apf_ready",
          "apf_batches", "stage2_aborts")


def folder_name(seed):
    return f"seed-{seed}"


def build():
    """What a result depends on beside the seed: the kernels and programs that were run."""
    return f"{images.digest()[:16]} {kernel.chosen()}"


def trace(outcome):
    """Hash of all that the host and the guest said: of an equal run it is equal."""
    total = hashlib.sha256(outcome.result.klog.encode())
    for path in sorted(outcome.result.out.rglob("*")):
        if path.is_file():
            total.update(f"{path.name} {path.stat().st_size}\n".encode() + path.read_bytes())
    return total.hexdigest()[:32]


def virtual_ms(outcome):
    begin, *_, end = map(float, outcome.read("uptime").split())
    return round(1000 * (end - begin))


def counts(config, outcome):
    """What KVM and the driver counted, in all lives."""
    whole = balance.whole_sum(outcome)
    found = {stat.removeprefix("apf_"): whole.get(stat, 0) for stat in COUNTS}
    guest = outcome.find("guest_apf")
    if guest and job.is_announcing(config):
        found["guest"] = guest[-1]
    return found


def cpu_seconds():
    """Of the QEMUs that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def attempt(seed, config, record):
    """Fills in the record. Raises what says why the seed has failed."""
    begin = cpu_seconds()
    outcome = vm.run(folder_name(seed), job.vm(config), OUT)
    record["cpu_s"] = round(cpu_seconds() - begin, 1)
    record["trace"] = trace(outcome)
    record["virtual_ms"] = virtual_ms(outcome)
    record["bound_ms"] = job.bound_ms(config)
    record["knobs"] = {name: count for name, count in outcome.knobs().items() if count}
    record["counts"] = counts(config, outcome)
    balance.check_outcome(config, outcome)


def run(seed):
    """Return: the record. The folder is left only by a seed that failed."""
    config = seeds.configuration(seed)
    record = {"seed": seed, "good": False, "config": config, "build": build()}
    try:
        attempt(seed, config, record)
        record["good"] = True
    except LabError:
        raise
    except (AssertionError, ResultError) as failure:
        record["why"] = str(failure)
    except Exception:       # a seed that breaks the checks has failed, too
        record["why"] = traceback.format_exc()
    folder = OUT / folder_name(seed)
    if record["good"]:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        (folder / "record.json").write_text(json.dumps(record, indent=1) + "\n")
    return record


def equal(one, other):
    """Whether two records are of runs that did the same; the PC's time may differ."""
    return all(one.get(key) == other.get(key) for key in ("good", "trace", "counts", "virtual_ms"))


def describe(record):
    """A failure, in a form that can be run again."""
    reason = re.sub(r"^", "    ", record.get("why", ""), flags=re.M)
    return (f"seed {record['seed']} failed: make simulate SEED={record['seed']}\n"
            f"    {json.dumps(record['config'])}\n{reason}\n"
            f"    see {OUT / folder_name(record['seed'])}")
