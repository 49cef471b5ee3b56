# SPDX-License-Identifier: GPL-2.0-only
"""What can be said of a guest in which a program does not end."""

import glob
import os
import re
import time

SYSRQ = "/proc/sysrq-trigger"
DRIVER = "/sys/kernel/debug/kvm-apf"


def text(path, most=2000):
    try:
        with open(path, errors="replace") as file:
            return file.read(most).strip()
    except OSError as error:
        return f"({error.strerror})"


def driver():
    """The driver's counters; none if there is no driver."""
    return {os.path.basename(path): text(path) for path in glob.glob(f"{DRIVER}/*")
            if os.access(path, os.R_OK) and os.path.isfile(path)}


def task(folder):
    """One that is no kernel thread, or waits for what it cannot be killed out of."""
    stat = text(f"{folder}/stat")
    match = re.match(r"(\d+) \((.*)\) (\S) (\d+)", stat)
    if not match:
        return None
    number, name, state, parent = match.groups()
    if state not in "D" and not text(f"{folder}/../../maps", 1):
        return None
    return {"tid": int(number), "name": name, "state": state, "parent": int(parent),
            "wchan": text(f"{folder}/wchan"), "syscall": text(f"{folder}/syscall"),
            "stack": text(f"{folder}/stack").splitlines()[:12]}


def tasks():
    found = [task(folder) for folder in sorted(glob.glob("/proc/[0-9]*/task/[0-9]*"))]
    return [entry for entry in found if entry]


def report(group):
    """All tasks, twice: one that runs on is not stuck."""
    first = tasks()
    time.sleep(1)
    again = {entry["tid"]: entry for entry in tasks()}
    for entry in first:
        later = again.get(entry["tid"])
        entry["later"] = None if not later else [later["state"], later["wchan"], later["syscall"]]
    for key in "wl":
        with open(SYSRQ, "w") as file:
            file.write(key)
    return {"group": text(f"{group}/cgroup.procs").split(), "tasks": first, "driver": driver(),
            "interrupts": [line for line in text("/proc/interrupts", 20000).splitlines()
                           if re.search("apf|timer|IPI", line)],
            "meminfo": text("/proc/meminfo", 400).splitlines()}
