# SPDX-License-Identifier: GPL-2.0-only
"""Programs of Debian's in a guest of Debian's QEMU that was paged out while it was idle.

Only the kernels are ours: host and guest run Debian's disk image, and the VMM does not know of APF.
bench/workloads has what each program does.
"""

from bench import markdown, page
from bench.cases import Boot, backings, machine
from bench.page import Section
from bench.rows import Sample
from lab import paths

FOLDER = paths.REPO / "bench" / "workloads"
WORKLOADS = {
    "redis": "redis, one thread, 16 clients: 10,000 GETs",
    "redis-4": "redis, 4 servers, 4 clients each: 10,000 GETs",
    "compress": "zstd, 8 processes, 1 MiB each",
    "sqlite": "sqlite, 8 processes, 400 point queries each",
    "stress": "stress-ng --vm, 8 workers, 2 MiB each",
}
QUICK = ("redis-4", "compress")
PAGE_MS, PAGE_MS_QUICK = (0.5, 2), (2,)
LEVELS = ("off", "halt", "announce", "kernel", "ceiling")
ROUNDS = 3

# Read beforehand, by those that are not paged out: a disk of the PC's has no virtual time.
DISKS = """\
debian sh -c 'cat /usr/bin/qemu-system-aarch64 /usr/bin/python3.11 /lib/aarch64-linux-gnu/*.so* \\
	>/dev/null'
root=$(disk debian)
(tar cf - -C /boot/job .; dd if=/dev/zero bs=10k count=1 2>/dev/null) >/tmp/job.tar
disks="-drive if=none,id=job,file=/tmp/job.tar,format=raw,readonly=on \\
	-device virtio-blk-device,drive=job,serial=job \\
	-drive if=none,id=root,file=$root,format=raw,readonly=on \\
	-device virtio-blk-device,drive=root,serial=debian"
append="console=hvc0 root=/dev/vda ro rootfstype=ext4 init=/sbin/init panic=-1 panic_on_warn=1 quiet"
"""
START = """\
# vm NAME KERNEL-COMMAND-LINE
vm() {
	name=$1
	debian taskset 1 qemu-system-aarch64 -nodefaults -display none -accel kvm -cpu host \\
		-M virt,gic-version=3 -m 192 -smp 1 -kernel /boot/Image $disks -device virtio-serial-device \\
		-chardev file,id=console,path=/out/$name.console -device virtconsole,chardev=console \\
		-chardev file,id=result,path=/out/$name.result \\
		-device virtserialport,chardev=result,name=apf.result -append "$append $2" &
	vmm=$!
}
"""
RUN = """\
say {name}
level {level}
vm {name} "{append}"
echo $vmm >$group/cgroup.procs
until_said {name} '"stats":"go"'
{page_out}
ended 0
"""
LIMIT_MIB = 160


def scenario(page_ms, turn):
    lines = [backings.prelude(int(page_ms * 1e6), 512),
             backings.SWAP.format(limit=LIMIT_MIB, left=backings.LEFT_KIB), DISKS, START]
    for name in machine.rotated(turn, LEVELS):
        level = machine.LEVELS[name]
        lines.append(RUN.format(name=name, level=level.words(), append=level.guest,
                                page_out="" if name == "ceiling" else "page_out"))
    return "".join(lines)


def figures(case, level, page_ms, found):
    """Samples of what a job has said."""
    said = {key: value for record in found for key, value in record.items()}
    for metric, key, unit in (("work", "ms", "ms"), ("p99", "p99_ms", "ms"),
                              ("requests per s", "requests_per_s", "1/s")):
        if key in said:
            yield Sample(case, level, 1, 8, page_ms, metric, unit, said[key])


def reader(workload, page_ms):
    def read(out):
        for level in LEVELS:
            found = machine.records(out, level, machine.TIMER_WAITS)
            yield from figures(f"debian-{workload}", level, page_ms, found)
    return read


def files(workload):
    helpers = {name: f"boot/job/{name.name}" for name in FOLDER.glob("*.sh")}
    return {FOLDER / workload: "boot/job/run", **helpers}


def boots(full, chosen):
    for workload in WORKLOADS if full else QUICK:
        for page_ms in PAGE_MS if full else PAGE_MS_QUICK:
            for turn in range(ROUNDS if full else 1):
                name = f"debian-{workload}-{page_ms:g}ms-{turn + 1}"
                if chosen(name):
                    yield Boot(name, scenario(page_ms, turn), reader(workload, page_ms), {
                        **machine.host(1), "append": "null_blk.nr_devices=0",
                        "files": files(workload)}, seconds=120, beside=machine.with_debian)


TITLE = "Programs of Debian's, in Debian's QEMU"
WORDS = (
    "The guest prepares its data and sleeps; the host pages all of it out (`memory.reclaim`) to a "
    "disk that answers each request after the page latency; then the guest does its work. "
    "A server with one thread gains least: while it waits for a page, no other task has work.")
METRICS = ("requests per s", "p99", "work")
METRIC_WORDS = (
    "*requests per s* is what redis-benchmark reports from its first request on, summed over the "
    "servers. *p99* is in ms. *work* is in ms and includes the start of the clients.")


def row(table, workload, level, page_ms):
    def value(metric, of=level):
        return table.value(f"debian-{workload}", of, 1, 8, page_ms, metric)

    p99, per_s = value("p99"), value("requests per s")
    return (WORKLOADS[workload], f"{page_ms:g}", level, f"{value('work'):.0f}",
            f"{value('work', 'off') / value('work'):.2f}",
            "-" if per_s is None else f"{per_s:.0f}", "-" if p99 is None else f"{p99:.1f}")


def summary_table(table, programs):
    """programs: case -> what it is called."""
    rows = [(words, f"{page_ms:g}", metric, *markdown.of_levels(table, case, 8, page_ms, metric))
            for case, words in programs.items() for metric in METRICS
            for page_ms in table.known("page_ms", case=case, metric=metric)]
    return markdown.table(("program", "page latency, ms", "", *markdown.SHOWN), rows)


def summary(table):
    programs = {f"debian-{name}": words for name, words in WORKLOADS.items()}
    if not table.select(case=set(programs)):
        return []
    return [f"## {TITLE}\n", f"{WORDS}\n", f"{METRIC_WORDS}\n", summary_table(table, programs)]


def sections(table):
    rows = [row(table, workload, level, page_ms) for workload in WORKLOADS
            for page_ms in table.known("page_ms", case=f"debian-{workload}") for level in LEVELS]
    if not rows:
        return []
    return [Section(TITLE, page.paragraph(f"{WORDS} Again: `make bench T=^debian-`.") + page.table(
            ("program", "page ms", "level", "work, ms", "times off", "requests per s", "p99, ms"),
            rows))]
