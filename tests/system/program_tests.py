# SPDX-License-Identifier: GPL-2.0-only
"""A choice of the differential suite: programs of others, at the level that goes furthest.

All of it: `make test-differential`, docs/differential.md. Here the guest's kernel is the lab's, which
has less than those programs may ask for, so that nothing has to be built for it.
"""

import dataclasses
import functools

from lab import harness, kernel
from lab.harness import comment
from tests.differential import boots, catalog, known
from tests.differential.batch import run_batch
from tests.vm import OUT

# The lean kernels have nothing that mounts QEMU's disk.
test = functools.partial(harness.test, suits=kernel.chosen() not in kernel.LEAN)

# Of each program: a run without faults, or next to none, has tested nothing.
FAULTS_MIN = 5


def check(name, setting, names):
    batch = [program for program in catalog.programs() if program.name in names]
    assert len(batch) == len(names), set(names) - {program.name for program in batch}
    found, complaints = run_batch(setting, batch, OUT / name)
    wrong = list(complaints)
    for result in found.values():
        comment(f"{result.name}: {result.verdict}, {result.runs} runs, {result.faults} faults")
        wrong += [f"{result.name}: {what}\n{result.tail[-500:]}" for what in sorted(result.bad())
                  if not known.covers(result.name, what)]
        if result.faults < FAULTS_MIN:
            wrong.append(f"{result.name}: {result.faults} faults, not {FAULTS_MIN}")
    assert not wrong, "\n".join(wrong)


SETTING = boots.Setting("kernel", seconds=0.3, flavour=kernel.BASE_FLAVOUR)


@test("programs_of_others", seconds=60)
def programs_of_others():
    check("programs_of_others", SETTING, catalog.QUICK)


@test("programs_of_others_told_of_user_faults_alone", seconds=60)
def programs_of_others_told_of_user_faults_alone():
    check("programs_of_others_told_of_user_faults_alone",
          dataclasses.replace(SETTING, level="announce"), catalog.QUICK[::2])


@test("programs_of_others_on_two_vcpus", seconds=60)
def programs_of_others_on_two_vcpus():
    check("programs_of_others_on_two_vcpus", dataclasses.replace(SETTING, cpus=2),
          catalog.QUICK[1::2])
