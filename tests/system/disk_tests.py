# SPDX-License-Identifier: GPL-2.0-only
"""Disks of the guest: what it reads and writes there, also while its memory goes missing."""

import random
import zlib

from harness import test
from vm import OUT, Vm, check, expect, run

MIB = 1 << 20
TIMES = 3


def random_file(name, mib):
    """(path here, adler32) of a file that no two sectors of are alike."""
    data = random.Random(name).randbytes(mib * MIB)
    path = OUT / f"{name}.disk"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path, zlib.adler32(data)


def with_disk(name, mib, steps, *args, **options):
    path, adler32 = random_file(name, mib)
    outcome = run(name, Vm(
        args=("--mem", "128", "--disk", "/boot/disk", *args), files={path: "boot/disk"},
        steps=(*steps, "ps-d", "apf"), **options))
    check(outcome)
    return outcome, {"serial": "disk", "bytes": mib * MIB, "adler32": adler32}


@test("disk_reads_as_the_file_does")
def disk_reads_as_the_file_does():
    outcome, wanted = with_disk("disk_reads_as_the_file_does", 4, (f"disk-sum disk {TIMES}",))
    assert outcome.find("disk") == [wanted] * TIMES, f"{outcome.find('disk')}, not {wanted}"


@test("disk_copied_to_another_one")
def disk_copied_to_another_one():
    outcome, wanted = with_disk(
        "disk_copied_to_another_one", 4, ("disk-copy disk scratch", "disk-sum scratch 1"),
        "--disk", "/tmp/scratch,rw",
        script="truncate -s 4M /tmp/scratch\nvmm\ncmp /boot/disk /tmp/scratch || exit 97")
    assert outcome.find("disk") == [{**wanted, "serial": "scratch"}], outcome.find("disk")


@test("disk_under_eviction")
def disk_under_eviction():
    outcome, wanted = with_disk(
        "disk_under_eviction", 4,
        ("evict on", f"disk-sum disk {TIMES}", "disk-copy disk scratch", "evict off", "stats off"),
        "--disk", "/tmp/scratch,rw", "--evict", "every=10,pages=200", "--policy", "ram:delay=1",
        script="truncate -s 4M /tmp/scratch\nvmm\ncmp /boot/disk /tmp/scratch || exit 97")
    assert outcome.find("disk") == [wanted] * TIMES, f"{outcome.find('disk')}, not {wanted}"
    print(outcome.record("off"), outcome.stats("off"))
