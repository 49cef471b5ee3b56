# SPDX-License-Identifier: GPL-2.0-only
"""Disks of the guest: what it reads and writes there, also while its memory goes missing."""

import random
import zlib

from lab.harness import test
from tests.vm import OUT, Vm, check, command_line, fewer, run

MIB = 1 << 20
SIZE_MIB = 4
TIMES = 3


def random_file(name):
    """(path here, adler32) of a file, no two sectors of which are alike."""
    data = random.Random(name).randbytes(SIZE_MIB * MIB)
    path = OUT / f"{name}.disk"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path, zlib.adler32(data)


def with_disk(name, steps, *args, **options):
    """Returns the outcome, checked, and what the guest is to read."""
    path, adler32 = random_file(name)
    outcome = run(name, Vm(
        args=("--mem", "128", "--disk", "/boot/disk", *args), files={path: "boot/disk"},
        steps=(*steps, "ps-d", "apf"), **options))
    check(outcome)
    return outcome, {"serial": "disk", "bytes": SIZE_MIB * MIB, "adler32": adler32}


SCRATCH = ("--disk", "/tmp/scratch,rw")
COPIED = f"truncate -s {SIZE_MIB}M /tmp/scratch\nvmm\ncmp /boot/disk /tmp/scratch || exit 97"


@test("disk_reads_as_the_file_does")
def disk_reads_as_the_file_does():
    outcome, wanted = with_disk("disk_reads_as_the_file_does", (f"disk-sum disk {TIMES}",))
    assert outcome.find("disk") == [wanted] * TIMES, f"{outcome.find('disk')}, not {wanted}"


@test("disk_read_again_after_a_reset")
def disk_read_again_after_a_reset():
    """What the first kernel left in the device is nothing to the next one."""
    outcome, wanted = with_disk(
        "disk_read_again_after_a_reset", ("disk-sum disk 1", "reboot"), "--append",
        command_line(("disk-sum disk 1", "ps-d", "apf")))
    assert outcome.find("disk") == [wanted] * 2, f"{outcome.find('disk')}, not {wanted}"


@test("disk_copied_to_another_one")
def disk_copied_to_another_one():
    outcome, wanted = with_disk(
        "disk_copied_to_another_one", ("disk-copy disk scratch", "disk-sum scratch 1"), *SCRATCH,
        script=COPIED)
    assert outcome.find("disk") == [{**wanted, "serial": "scratch"}], outcome.find("disk")


@test("disk_while_memory_goes_missing", seconds=40)
def disk_while_memory_goes_missing():
    """Buffers, rings and page cache: what the device finds missing, it waits for."""
    outcome, wanted = with_disk(
        "disk_while_memory_goes_missing",
        ("evict on", f"disk-sum disk {TIMES}", "disk-copy disk scratch", "evict off", "stats off"),
        *SCRATCH, "--evict", "every=10,pages=512", "--policy", "ram:delay=0.5", cpus=2,
        script=COPIED, timeout=300)
    assert outcome.find("disk") == [wanted] * TIMES, f"{outcome.find('disk')}, not {wanted}"
    record = outcome.record("off")
    assert record["evict"]["pages"] > fewer(500) and record["uffd"]["requests"] > fewer(500), record
