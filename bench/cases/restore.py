# SPDX-License-Identifier: GPL-2.0-only
"""A restore beside what its users pick instead of APF: pages of 2 MiB, and a recorded working set
that is prefetched while the guest runs. Each with APF off, and with APF.

A VM is restored twice in its life. What it asks for is recorded each time; in between, a quarter
of its working set has become another one. What is measured is the second restore: with the list
of that one, and with that of the first.
"""

import dataclasses

from bench import markdown, page
from bench.cases import Boot, backings, machine
from bench.page import Section
from bench.rows import Sample
from lab.result import sum_stats

ROUNDS = 3
TASKS, PAGES, MOVED = 8, 256, 64
# Visits to all of the pages, the first of which finds them missing.
ROUNDS_OF_WORK = 8
VISITS = ROUNDS_OF_WORK * PAGES
MEM_MIB, HUGE_PAGES = 128, 64
MBIT = 10000
# (spread, latency of a request in ms)
POINTS, POINTS_QUICK = (("dense", 0.5), ("dense", 2), ("spread", 0.5)), (("dense", 0.5),)
LEVELS = ("off", "halt", "kernel", "ceiling")
# How long what fills the memory takes, and the work at the worst.
FILL_MS, WORK_MS = 3000, 15000
FIRST_MS = 100

# Name -> (every how manieth page of the VM's memory is one of the working set, words).
SPREADS = {"dense": (1, "pages side by side"), "spread": (8, "one page in 8 of its memory")}
# Name -> (options of apfvm, words).
WAYS = {
    "4 KiB": ("", "each page comes when it is touched"),
    "2 MiB": ("--huge", "the VM's memory is of huge pages, and each comes as a whole"),
    "prefetched": ("--prefetch /tmp/list.second.{kind}",
                   "pages come in the order in which this restore asked for them when it was recorded"),
    "3/4 prefetched": ("--prefetch /tmp/list.first.{kind}",
                              "the same with the list of the restore before, when a quarter of the working "
                              "set was another one"),
}

RECORD = """\
say "record {kind}"
level {level}
launch first-{kind} {arguments} --save /tmp/vm.first
ended 6
launch second-{kind} --restore /tmp/vm.first --marks /tmp/list.first.{kind} --save /tmp/vm.{kind}
ended 6
launch third-{kind} --restore /tmp/vm.{kind} --marks /tmp/list.second.{kind} --save /tmp/vm.first
ended 6
rm /tmp/vm.first
"""
RESTORE = """\
say "{name}"
level {level}
launch {name} --restore /tmp/vm.{kind} {options}
ended 0
"""


@dataclasses.dataclass(frozen=True)
class Restore:
    """One boot: a working set, and how long a request takes."""

    spread: str
    page_ms: float

    def name(self, turn):
        return f"restore-{self.spread}-{self.page_ms:g}ms-{turn + 1}"

    def case(self, way):
        return f"restore, {self.spread}: {way}"


def kind_of_guest(level):
    return backings.kind_of_guest("off" if level == "ceiling" else level)


def file_name(way, level):
    return f"{level}-{list(WAYS).index(way)}"


def guest_arguments(level, stride):
    work = ("save", "begin", f"sleep {WORK_MS}", "stats worked")
    return backings.arguments(machine.LEVELS[level], MEM_MIB, (
        f"keep --tasks {TASKS} --pages {PAGES} --move {MOVED} --stride {stride} --visits {VISITS} "
        "--bystander", f"sleep {FILL_MS}", *work, *work, "save", "stop", "ps-d", "apf"))


def ways(level):
    """At the ceiling, no page comes from elsewhere, whatever the way."""
    return ("4 KiB",) if level == "ceiling" else WAYS


def options(restore, way, level):
    if level == "ceiling":
        return "--mapped"
    more = WAYS[way][0].format(kind=kind_of_guest(level))
    return f"--policy ram:delay={restore.page_ms:g} --bandwidth {MBIT} {more}"


def scenario(restore, turn):
    stride, _ = SPREADS[restore.spread]
    lines = [machine.start(1), f"echo {HUGE_PAGES} >/proc/sys/vm/nr_hugepages || exit 92\n"]
    for kind in dict.fromkeys(map(kind_of_guest, LEVELS)):
        lines.append(RECORD.format(kind=kind, level=machine.LEVELS[kind].words(),
                                   arguments=guest_arguments(kind, stride)))
    for level in machine.rotated(turn, LEVELS):
        for way in ways(level):
            lines.append(RESTORE.format(
                name=file_name(way, level), level=machine.LEVELS[level].words(),
                kind=kind_of_guest(level), options=options(restore, way, level)))
    return "".join(lines)


def life(out, way, level):
    """(what it said, the record of its work, when it was restored and each 64th was done, in ms)"""
    name = file_name(way, level)
    found = machine.records(out, name, machine.TIMER_WAITS)
    times = backings.kept(found, name)
    record = [one["run"] for one in found if "run" in one][-1]
    began = [one for one in found if one.get("stats") == "end"][-1]["began"]
    return found, record, [1000 * began / record["frequency"], *times[1:]]


def done_by(times, ms):
    """Visits that were done ms after the restore; the parts of the work are taken as even."""
    part = VISITS * TASKS / (len(times) - 1)
    until = times[0] + ms
    for n, (before, after) in enumerate(zip(times, times[1:])):
        if after > until:
            return part * (n + (until - before) / (after - before))
    return VISITS * TASKS


def reader(restore):
    def read(out):
        _, _, times = life(out, "4 KiB", "ceiling")
        last = times[len(times) // 2:]
        full = (last[-1] - last[0]) / (len(last) - 1)
        for level in LEVELS:
            for way in ways(level):
                yield from samples(restore, way, level, life(out, way, level), full)
    return read


def samples(restore, way, level, of_life, full):
    found, record, times = of_life
    worked = [one for one in found if one.get("stats") == "worked"][-1]
    stats = sum_stats(worked)

    def sample(metric, unit, value):
        return Sample(restore.case(way), level, 1, TASKS, restore.page_ms, metric, unit, value)

    yield sample("work", "ms", times[-1] - times[0])
    yield sample("0.9 of full speed", "ms", backings.full_speed_after(times, full))
    yield sample("requests per s", "1/s", done_by(times, FIRST_MS) * 1000 / FIRST_MS)
    yield sample("worst gap", "ms", record["bystander"]["worst_gap_ms"])
    yield sample("worst gap later", "ms", record["bystander"]["later_gap_ms"])
    yield sample("asked for", "count", worked["uffd"]["requests"])
    yield sample("prefetched", "count", worked["uffd"]["prefetched"])
    for metric, stat in (("announcements", "apf_announced"), ("halts", "apf_halted"),
                         ("waited for", "apf_sync")):
        yield sample(metric, "count", stats[stat])


def boots(full, chosen):
    for point in POINTS if full else POINTS_QUICK:
        restore = Restore(*point)
        for turn in range(ROUNDS if full else 1):
            if chosen(restore.name(turn)):
                yield Boot(restore.name(turn), scenario(restore, turn), reader(restore),
                           machine.host(1), seconds=200)


# --- the report ---

TITLE = "A restore with huge pages, or prefetched"
WORDS = (
    f"A VM of {MEM_MIB} MiB is restored by userfaultfd, and at once {TASKS} of its tasks visit their "
    f"{TASKS * PAGES} pages of 4 KiB, each page {ROUNDS_OF_WORK} times. All times begin when its vCPU does, "
    "and its kernel's pages are missing as well. A request takes the page latency, and its answer comes over "
    f"a wire of {MBIT / 1000:g} Gbit/s, which is an assumption: {4096 * 8 / MBIT:.1f} us for 4 KiB, "
    f"{2 * 2 ** 20 * 8 / MBIT / 1000:.2f} ms for 2 MiB. What is prefetched takes the same way, 64 requests at "
    "a time, and a page that the guest waits for goes first. Requests are visits. At the ceiling, the file "
    "of the VM is in memory and mapped.")
SHARE = ("In virtual time, the server's instructions are on the guest's timeline: 6.7 us for a page of 4 KiB, "
         "so that what is prefetched comes at 4.9 Gbit/s. On hardware, another CPU does that work.")
# What is less than that of the time to 0.9 of full speed, or than two of the parts by which the
# work is timed, is nothing.
NOTHING, NOTHING_PARTS = 0.1, 2
FIGURES = (("0.9 of full speed", "to 0.9 of full speed, ms"),
           ("requests per s", f"requests per s, first {FIRST_MS} ms"), ("work", "all of it, ms"),
           ("worst gap", "worst gap, ms"), ("worst gap later", "after ten wakeups, ms"))
COUNTS = ("asked for", "prefetched", "announcements", "halts", "waited for")


def restores(table):
    """Those that were measured."""
    for point in POINTS:
        restore = Restore(*point)
        if table.get(restore.case("4 KiB"), "off", 1, TASKS, restore.page_ms, "work"):
            yield restore


def value(table, restore, way, level, metric):
    return table.value(restore.case(way), level, 1, TASKS, restore.page_ms, metric)


def part_ms(table, restore):
    """How finely the work is timed: a 64th of it, at full speed."""
    return value(table, restore, "4 KiB", "ceiling", "work") / 64


def gain(table, restore, way):
    """(time to 0.9 of full speed at off / at kernel, whether that is a difference)"""
    off, ours = (value(table, restore, way, level, "0.9 of full speed") for level in ("off", "kernel"))
    least = max(NOTHING * min(off, ours), NOTHING_PARTS * part_ms(table, restore))
    return off / ours, abs(off - ours) > least


def verdict(table, restore):
    """Where APF adds something, and where not, in words."""
    more, same, less = [], [], []
    for way in WAYS:
        ratio, differs = gain(table, restore, way)
        (same if not differs else more if ratio > 1 else less).append(f"{way} ({ratio:.2f})")
    told = (("APF shortens the time to 0.9 of full speed (time at off / time at kernel): {}.", more),
            ("It adds nothing to that, or less than the figures tell: {}.", same),
            ("It makes that longer: {}.", less))
    return " ".join(words.format(", ".join(of)) for words, of in told if of)


def heading(restore):
    return f"{restore.spread}, {SPREADS[restore.spread][1]}; requests of {restore.page_ms:g} ms"


def lines(table, restore, names):
    """A row per way and level."""
    return [(way, level, *(markdown.number(value(table, restore, way, level, name)) for name in names))
            for level in LEVELS for way in ways(level)]


def summary(table):
    found = []
    for restore in restores(table):
        found += [f"*{heading(restore)}.* {verdict(table, restore)}\n", markdown.table(
            ("pages come", "level", *(words for _, words in FIGURES)),
            lines(table, restore, [name for name, _ in FIGURES]))]
    return [f"## {TITLE}\n", f"{WORDS} {SHARE}\n", *found] if found else []


def sections(table):
    found = []
    for restore in restores(table):
        names = [name for name, _ in FIGURES]
        found.append(page.paragraph(f"{heading(restore)}. {verdict(table, restore)} Again: "
                                    f"`make bench-full T='^restore-{restore.spread}-{restore.page_ms:g}ms'`.")
                     + page.table(("pages come", "level", *(words for _, words in FIGURES), *COUNTS),
                                  lines(table, restore, [*names, *COUNTS])))
    if not found:
        return []
    told = ", ".join(f"{way}: {words}" for way, (_, words) in WAYS.items())
    return [Section(TITLE, page.paragraph(f"{WORDS} {SHARE} {told}.") + "".join(found))]
