# SPDX-License-Identifier: GPL-2.0-only
"""On what the benchmark ran: machine, versions, sizes of the choice."""

import os
import platform
import subprocess
import time

from lab import paths


def first_line(*command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              stdin=subprocess.DEVNULL, text=True, check=False, cwd=paths.REPO)
    except FileNotFoundError:
        return "unknown"
    return done.stdout.partition("\n")[0] or "unknown"


def cpu():
    try:
        with open("/proc/cpuinfo") as info:
            names = [line.partition(":")[2].strip() for line in info
                     if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.machine()


def memory_gib():
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 30))


def guest_kernel(folder):
    """What the hosts of this run said; they and the guests have the same one."""
    for path in sorted(folder.glob("*/out/uname")):
        return path.read_text().strip()
    return "unknown"


def describe(full, chosen, seconds, folder):
    return {
        "date": time.strftime("%Y-%m-%d"),
        "commit": first_line("git", "describe", "--always", "--dirty"),
        "command": f"make bench{'-full' if full else ''}{f' T={chosen}' if chosen else ''}",
        "minutes": round(seconds / 60, 1) if seconds else None,
        "machine": f"{cpu()}, {os.cpu_count()} CPUs, {memory_gib()} GiB",
        "system": first_line("sed", "-n", "s/^PRETTY_NAME=//p", "/etc/os-release").strip('"'),
        "qemu": first_line("qemu-system-aarch64", "--version"),
        "compiler": first_line("aarch64-linux-gnu-gcc", "--version"),
        "kernel": guest_kernel(folder),
    }
