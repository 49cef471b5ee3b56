# SPDX-License-Identifier: GPL-2.0-only
"""Wall-clock beside the virtual time: the emulated CPUs really run at the same time.

These are times of an emulator on a PC. They only tell whether one level is faster than another by
more than chance: several rounds, levels interleaved, medians, and an exact Mann-Whitney test
against off.
"""

from bench import page, ranks
from bench.cases import Boot, levels, machine
from bench.cases.levels_report import span
from bench.page import Section
from bench.rows import Sample

VCPUS, ROUNDS = 2, 5
LEVELS = ("off", "halt", "kernel")
RUNS = [levels.Run(VCPUS, 8, 10, kernel, each=16) for kernel in (False, True)]


def case(run):
    return f"wall-clock {run.case()}"


def job():
    return levels.Job(sorted(RUNS, key=lambda run: run.page_ms))


def rounds():
    for turn in range(ROUNDS):
        for level in machine.rotated(turn, LEVELS):
            yield f"{level}-{turn}", level


def scenario():
    work = job()
    return machine.start(VCPUS) + "".join(
        machine.vm(name, machine.LEVELS[level], work.steps(level), VCPUS, work.cold_mib(),
                   work.policies(level)) for name, level in rounds())


def read(out):
    walls = {}
    for name, level in rounds():
        # On a busy PC its timers are late, and the guest's kernel says so once.
        found = machine.records(out, name, machine.TIMER_WAITS)
        for run, label in job().labels():
            wall = machine.figures(found, label, name)["wall_ms"]
            walls.setdefault((run, level), []).append(wall)
            yield Sample(case(run), level, VCPUS, run.tasks, run.page_ms, "wall", "ms", wall)
    for (run, level), of in walls.items():
        if level != "off":
            yield Sample(case(run), level, VCPUS, run.tasks, run.page_ms, "p against off",
                         "probability", ranks.mann_whitney(walls[run, "off"], of))


def boots(full, chosen):
    if chosen("wall-clock"):
        yield Boot("wall-clock", scenario(), read, {**machine.host(VCPUS), "mode": "mttcg"},
                   alone=True, seconds=120)


def sections(table):
    rows = []
    for row in table.select(case={case(run) for run in RUNS}, metric="wall"):
        key = (row["case"], row["level"], VCPUS, row["tasks"], row["page_ms"])
        off = table.value(row["case"], "off", *key[2:], "wall")
        p = table.value(*key, "p against off")
        rows.append((row["case"], f"{row['page_ms']:g}", row["level"], span(row, 0),
                     f"{off / row['value']:.2f}", "-" if p is None else f"{p:.3f}", row["runs"]))
    if not rows:
        return []
    return [Section("Wall-clock, for comparison", page.paragraph(
        "Times of the emulator on the PC it runs on, where the emulated CPUs really run at the same time: "
        "8 tasks on 2 vCPUs. p is the probability of a difference at least as large if the level made "
        "none (Mann-Whitney, exact, two-sided). Again: `make bench T=wall-clock`.") + page.table(
            ("case", "page ms", "level", "wall, ms", "times off", "p", "runs"), rows))]
