# SPDX-License-Identifier: GPL-2.0-only
"""FP and vector registers across a fault that another task or vCPU is run in."""

from lab.harness import test
from tests.vm import Vm, check, expect, run


def kept(name, bytes_at_least, **options):
    outcome = run(name, Vm(
        cpus=2, policy=("all:delay=5,order=shuffle,batch=4",), **options,
        steps=("run --tasks 16 --pages 512 --fp --bystander", "run --tasks 16 --pages 512 --skip 512 "
               "--fp --write --label stores", "ps-d", "apf")))
    check(outcome)
    for record in outcome.find("run"):
        expect(record, fp_bad=0, fp_bytes=(bytes_at_least, None))
    return outcome


def check_announced(outcome):
    for label in ("run", "stores"):
        expect(outcome.figures(label), announced=512, ready=512, halted=0, sync=0, spurious=0)


@test("fp_registers_kept_across_announcements")
def fp_registers_kept_across_announcements():
    check_announced(kept("fp_registers_kept_across_announcements", 16))


@test("sve_registers_kept_across_announcements")
def sve_registers_kept_across_announcements():
    check_announced(kept("sve_registers_kept_across_announcements", 32, args=("--sve",)))


@test("sve_registers_kept_across_halts")
def sve_registers_kept_across_halts():
    outcome = kept("sve_registers_kept_across_halts", 32, level="halt", args=("--sve",))
    expect(outcome.figures(), announced=0, halted=(512, None))
