# SPDX-License-Identifier: GPL-2.0-only
"""Hosts and guests with pages of 4, 16 and 64 KiB, each with each.

A token is for a page of the host. A larger page of the guest is several faults, one
after the other; smaller ones may be under way by one token, each with a task of its own.
"""

from lab.harness import test
from tests.vm import Vm, check, expect, run

FLAVOURS = {4: "lab", 16: "lab16k", 64: "lab64k"}
TASKS, UNITS = 8, 32


def mix(host, guest):
    name = f"page_size_host_{host}k_guest_{guest}k"
    unit = max(host, guest)
    # First each task in units of its own; then, of smaller pages, all tasks in the same one.
    steps = [f"run --tasks {TASKS} --pages {UNITS * unit // guest} --layout blocked --bystander"]
    if guest < host:
        steps += [f"run --tasks {TASKS} --pages {UNITS * unit // guest} "
                  f"--skip {UNITS * unit // guest} --label shared"]
    outcome = run(name, Vm(
        policy=("all:delay=20",), host=FLAVOURS[host], guest=FLAVOURS[guest], steps=(*steps, "ps-d", "apf")))
    check(outcome)
    faults = UNITS * unit // host
    expect(outcome.figures(), announced=faults, repeated=0, ready=faults, halted=0, sync=0, declined=0,
           spurious=0)
    if guest < host:
        check_shared(outcome.figures("shared"), host // guest)
    guest_apf = outcome.find("guest_apf")[-1]
    expect(guest_apf, woken=guest_apf["announced"], killed=0)


def check_shared(figures, pages):
    """As many tasks as there are pages of the guest in one of the host wait by one token."""
    tasks = min(TASKS, pages)
    expect(figures, ready=UNITS, announced=(UNITS * tasks * 0.9, UNITS * tasks), halted=0, sync=0,
           declined=0, repeated=figures["announced"] - UNITS)


for host_size in FLAVOURS:
    for guest_size in FLAVOURS:
        test(f"page_size_host_{host_size}k_guest_{guest_size}k", host_size, guest_size,
             suite="long")(mix)
