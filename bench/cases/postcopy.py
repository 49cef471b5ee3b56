# SPDX-License-Identifier: GPL-2.0-only
"""Servers that are used while Debian's QEMU moves them by post-copy, over a slow network.

The host has one CPU: see docs/fidelity.md. So all of it, the network too, is on the vCPU's time.
"""

from bench import page
from bench.cases import Boot, machine, workloads
from bench.cases.workloads import LEVELS, ROUNDS
from bench.page import Section
from lab import paths

DELAY_MS, RATE_MIB = 1, 16
WORKLOADS = {
    "redis-moved": "redis, one thread, 16 clients: 40,000 GETs",
    "redis-4-moved": "redis, 4 servers, 4 clients each: 40,000 GETs",
}
RUN = """\
say {name}
level {level}
debian python3 /boot/inside/drive.py --cpus 1 --mem 192 --initrd "" --delay {delay} --rate {rate} \\
	--append "$append {append}" $options {actions} || {{ echo "{name}: drive failed"; exit 91; }}
mv /out/result /out/{name}.result
"""


def scenario(turn):
    lines = [machine.start(0), workloads.DISKS,
             'for word in $disks; do options="$options --option=$word"; done\n']
    for name in machine.rotated(turn, LEVELS):
        level = machine.LEVELS[name]
        lines.append(RUN.format(
            name=name, level=level.words(), append=level.guest, delay=DELAY_MS, rate=RATE_MIB,
            actions="await:go end" if name == "ceiling" else "await:go postcopy end"))
    return "".join(lines)


def reader(workload):
    def read(out):
        for level in LEVELS:
            found = machine.records(out, level, machine.TIMER_WAITS)
            yield from workloads.figures(workload, level, 2 * DELAY_MS, found)
    return read


def boots(full, chosen):
    for workload in WORKLOADS if full else ():
        for turn in range(ROUNDS):
            name = f"{workload}-{turn + 1}"
            if chosen(name):
                yield Boot(name, scenario(turn), reader(workload), {
                    "smp": 1, "timeout": 7200,
                    "files": {**paths.INSIDE, **workloads.files(workload)}},
                           seconds=200, beside=machine.with_debian)


TITLE = "A server while it is migrated"
WORDS = (
    "Debian's QEMU, unmodified, moves the VM by post-copy while the clients, which run in the same VM, "
    f"go on. The network takes {DELAY_MS} ms each way and carries {RATE_MIB} MiB per second of the pages "
    "that the destination did not ask for. At the ceiling the VM is not moved.")


def summary(table):
    if not table.select(case=set(WORKLOADS)):
        return []
    return [f"## {TITLE}\n", f"{WORDS}\n", workloads.summary_table(table, WORKLOADS)]


def row(table, workload, level):
    def value(metric):
        return table.value(workload, level, 1, 8, 2 * DELAY_MS, metric)

    return (WORKLOADS[workload], level, f"{value('requests per s'):.0f}", f"{value('p99'):.1f}",
            f"{value('work'):.0f}")


def sections(table):
    rows = [row(table, workload, level) for workload in WORKLOADS
            if table.select(case=workload) for level in LEVELS]
    if not rows:
        return []
    return [Section(TITLE, page.paragraph(f"{WORDS} Again: `make bench-full T=-moved-`.") + page.table(
            ("server", "level", "requests per s", "p99, ms", "all of it, ms"), rows))]
