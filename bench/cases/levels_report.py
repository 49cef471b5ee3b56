# SPDX-License-Identifier: GPL-2.0-only
"""What the matrix says: goals, plots, tables."""

from bench import curves, page
from bench.cases import FAULTS, Goal
from bench.page import Section

MISSING = ("off", "halt", "pend", "announce", "kernel")
FASTER = MISSING[1:]
# Ours, and what it was to reach.
OURS = "kernel"
OVERLAP = ((10, 0.99), (2, 0.96), (0.5, 0.8))
ALONE = ((10, 0.5), (2, 2))
BREAK_EVEN_US, WORST_GAP, ABORTS, HYPERCALLS = 50, 1.2, 1.1, 0.002


def words(case):
    return case.replace("-", " ")


def span(row, digits=3):
    """Median, and lowest to highest where they differ by what is shown."""
    if row is None:
        return "-"
    low, value, high = (f"{row[key]:.{digits}f}" for key in ("low", "value", "high"))
    return value if low == high else f"{value} ({low} to {high})"


def goal(what, wanted, row, met, note="", digits=3):
    if row is None:
        return Goal(what, wanted, None, False)
    return Goal(what, wanted, span(row, digits), met(row["value"]), note)


def short_of(row, wanted):
    """A note for a goal that is missed."""
    if row is None or row["value"] >= wanted:
        return ""
    return f"short by {wanted - row['value']:.3f}"


def overlap_goals(table):
    for case in FAULTS:
        for ms, wanted in OVERLAP:
            row = table.get(case, OURS, 1, 8, ms, "overlap")
            strict = table.value(case, OURS, 1, 8, ms, "overlap, strict")
            note = short_of(row, wanted)
            if strict is not None:
                missed = f", short by {wanted - strict:.3f}" * (strict < wanted)
                note = f"{note}{', ' if note else ''}by the strict bound {strict:.3f}{missed}"
            yield goal(f"overlap, {words(case)}, 8 tasks, {ms:g} ms", f">= {wanted}", row,
                       lambda value, wanted=wanted: value >= wanted, note)


def many_tasks_goals(table):
    """The same with more tasks: where a fault costs more than latency / tasks, nothing helps."""
    for case in FAULTS:
        for ms, wanted in OVERLAP:
            rows = [row for tasks, row in table.curve("tasks", case=case, level=OURS, vcpus=1,
                                                      page_ms=ms, metric="overlap") if tasks > 8]
            worst = min(rows, key=lambda row: row["value"], default=None)
            note = ", ".join(f"{row['tasks']} tasks {row['value']:.3f}" for row in rows)
            if rows and worst["value"] < wanted:
                note += f"; at {worst['tasks']} tasks a page has {1000 * ms / worst['tasks']:.0f} us"
            yield goal(f"overlap, {words(case)}, more tasks, {ms:g} ms", f">= {wanted}", worst,
                       lambda value, wanted=wanted: value >= wanted, note)


def ratios(table, other, case=FAULTS[0], level=OURS):
    """[(page_ms, wall of the other level / wall of ours)] where both were run, 8 tasks."""
    found = []
    for ms in table.known("page_ms", case=case, vcpus=1, tasks=8, level=level, metric="wall"):
        theirs, ours = (table.value(case, name, 1, 8, ms, "wall") for name in (other, level))
        if theirs and ours:
            found.append((ms, theirs / ours))
    return found


def break_even_us(points):
    """The page latency at which the ratio passes 1; None: it does not, 0: it is above always."""
    if not points or points[-1][1] < 1:
        return None
    losing = [n for n, (_, ratio) in enumerate(points) if ratio < 1]
    if not losing:
        return 1000 * points[0][0]
    (x0, y0), (x1, y1) = points[losing[-1]], points[losing[-1] + 1]
    return 1000 * (x0 + (x1 - x0) * (1 - y0) / (y1 - y0))


def break_even_goals(table):
    for other in ("off", "halt"):
        points = ratios(table, other)
        us = break_even_us(points)
        what = f"page latency below which level {OURS} is slower than {other}, 8 tasks"
        if us is None or points[0][0] > 0.05:
            yield Goal(what, f"< {BREAK_EVEN_US} us", None, False)
            continue
        never = points[0][1] >= 1 and us == 1000 * points[0][0]
        yield Goal(what, f"< {BREAK_EVEN_US} us", f"below {us:.0f} us" if never else f"{us:.0f} us",
                   us < BREAK_EVEN_US, "no latency measured was that short" if never else "")


def worst_of(rows):
    return max(rows, key=lambda row: row["value"], default=None)


def where(row):
    return "" if row is None else (f"highest of all: {row['case']}, {row['vcpus']} vCPU, "
                                   f"{row['tasks']} tasks, {row['page_ms']:g} ms, {row['level']}")


def hypercall_goal(table):
    """The guest's kernel makes a few of its own, at off as well."""
    means = {}
    for level in ("off", OURS):
        values = [row["value"] for row in table.select(metric="hypercalls per fault", level=level)]
        means[level] = sum(values) / len(values) if values else None
    if None in means.values():
        yield Goal("hypercalls per fault", "0", None, False)
        return
    added = means[OURS] - means["off"]
    yield Goal("hypercalls per fault, above those at off", "0", f"{max(0, added):.3f}",
               added < HYPERCALLS, f"{means['off']:.4f} at off, {means[OURS]:.4f} at {OURS}, mean of "
               "all runs: the guest's kernel asks for random numbers now and then")


def count_goals(table):
    ours = ("announce", "kernel")
    gap = worst_of(table.select(metric="worst gap, of the ceiling's", level=OURS))
    yield goal("worst gap of a bystander / its worst gap at the ceiling", f"<= {WORST_GAP}", gap,
               lambda value: value <= WORST_GAP, where(gap))
    yield from hypercall_goal(table)
    yield abort_goal([row for row in table.select(metric="stage-2 aborts per fault", level=ours)
                      if row["page_ms"] and "same-page" not in row["case"]
                      and not (row["level"] == "announce" and row["case"].startswith(FAULTS[1]))])


def abort_goal(rows):
    """Of all that was announced: the guest's ordinary memory has an abort now and then, too."""
    if not rows:
        return Goal("stage-2 aborts per fault", f"< {ABORTS}", None, False)
    mean = sum(row["value"] for row in rows) / len(rows)
    worst = worst_of(rows)
    over = sum(row["value"] >= ABORTS for row in rows)
    return Goal("stage-2 aborts per fault, mean", f"< {ABORTS}", f"{mean:.3f}", mean < ABORTS,
                f"{over} of {len(rows)} rows not below {ABORTS}; {where(worst)}, "
                f"{worst['value']:.3f}, median of {worst['runs']}")


def alone_goals(table):
    for case in FAULTS:
        for ms, wanted in ALONE:
            row = table.get(case, OURS, 1, 1, ms, "slower than off")
            yield goal(f"one task alone, {words(case)}, {ms:g} ms: slower than off",
                       f"<= {wanted} %", row, lambda value, wanted=wanted: value <= wanted,
                       digits=2)


def goals(table):
    return [*overlap_goals(table), *many_tasks_goals(table), *break_even_goals(table),
            *count_goals(table), *alone_goals(table)]


def levels_curves(table, metric, along, levels=MISSING, **fixed):
    return [(level, table.curve(along, level=level, metric=metric, **fixed)) for level in levels]


BOUND = (
    "Overlap is the shortest time that any schedule on one CPU could take, divided by the time that the "
    "run took. That shortest time is max(W, (pages x latency + W) / tasks). W, the wall time at the "
    "ceiling, is all the work; the other term is one task's pages one after the other, with the latency "
    "and the task's own work. The strict bound, max(W, pages x latency / tasks), counts a task's own "
    "work between its pages as lost. A page's latency is the time that the server of the pages is told "
    "to wait. The time to ask the server and to bring the answer is overhead.")


def overlap_section(table):
    body = page.paragraph(BOUND)
    for case, said in zip(FAULTS, ("Tasks touch pages themselves",
                                   "The guest's kernel touches them, in write(2)")):
        points = {row["page_ms"] for row in table.select(case=case, vcpus=1, tasks=8,
                                                         metric="overlap") if row["page_ms"] >= 0.03}
        body += page.figure(
            curves.plot(levels_curves(table, "overlap", "page_ms", case=case, vcpus=1, tasks=8,
                                      page_ms=points), "page latency, ms",
                        "overlap", yrange="[0:1.05]", references=(1,)),
            f"{said}, 8 tasks on one vCPU: overlap.",
            f"^{case}-v1-t8-")
    return Section("How much of the waiting is overlapped", body)


def cost_of_a_fault(table):
    """What 8 tasks take per page of 0.03 ms: then the CPU is the limit, and no time is idle."""
    ours, ceiling = (table.value(FAULTS[0], level, 1, 8, 0.03, "wall per fault")
                     for level in (OURS, "ceiling"))
    if not ours or not ceiling:
        return ""
    return page.paragraph(
        f"With 8 tasks and pages of 0.03 ms the CPU is never idle. A page takes {ours:.0f} us of "
        f"instructions, of which {ceiling:.0f} us are the tasks' own work, so a fault costs "
        f"{ours - ceiling:.0f} us. Where latency / tasks is less than {ours:.0f} us, the CPU is the limit. "
        "On hardware the server of the pages has a CPU of its own; here it shares "
        "one timeline with the guest. The section Where the instructions go has the parts.")


def tasks_section(table):
    body = cost_of_a_fault(table)
    for case in FAULTS:
        body += page.figure(
            curves.plot(levels_curves(table, "speed-up", "tasks", FASTER, case=case, vcpus=1, page_ms=10),
                        "tasks", "times off", logs="xy", yrange="[0.5:100]", references=(1,)),
            f"Pages of 10 ms, {words(case)}, one vCPU: how many times as fast as off.",
            f"^{case}-v1-t[0-9]+-10ms", "bench" if case == FAULTS[0] else "bench-full")
        body += grid(table, case)
    return Section("More tasks, more to gain", body)


def grid(table, case):
    """Overlap at our level, tasks down, latencies across; the goals' fields marked."""
    of = {"case": case, "vcpus": 1, "level": OURS, "metric": "overlap"}
    latencies = [ms for ms in table.known("page_ms", **of) if ms >= 0.03]
    wanted = dict(OVERLAP)
    lines = []
    for tasks in table.known("tasks", **of):
        values = [table.value(case, OURS, 1, tasks, ms, "overlap") for ms in latencies]
        lines.append((tasks, *(shade(value, wanted.get(ms) if tasks >= 8 else None)
                               for ms, value in zip(latencies, values))))
    if not lines:
        return ""
    return (page.paragraph(f"Overlap, {words(case)}, level {OURS}, one vCPU. Green and red: the goal is "
                           "met or missed, where there is one for 8 tasks or more. Where latency / tasks "
                           "is less than a fault costs, the CPU is the limit.")
            + page.table(("tasks", *(f"{ms:g} ms" for ms in latencies)), lines))


def shade(value, wanted):
    if value is None:
        return "-"
    shown = f"{value:.3f}"
    return shown if wanted is None else ("good" if value >= wanted else "bad", shown)


def break_even_section(table):
    def curve(level):
        return [(x, row) for x, row in table.curve("page_ms", case=FAULTS[0], vcpus=1, tasks=8,
                                                   level=level, metric="speed-up") if x <= 0.2]
    svg = curves.plot([(level, [(1000 * x, row) for x, row in curve(level)])
                       for level in FASTER], "page latency, us", "times off (dotted)", logs="",
                      yrange="[0:*]", references=(1,))
    rows = []
    for other in ("off", "halt"):
        for ms, ratio in ratios(table, other):
            if ms <= 0.2:
                rows.append((other, f"{1000 * ms:g}", ("good" if ratio > 0.9995 else "bad",
                                                       f"{ratio:.3f}")))
    return Section("How short a page's latency may be", page.figure(
        svg, "8 tasks, user faults, one vCPU. Below the dotted line a level is slower than off. "
        "With a latency of 0 the server answers at once.", f"^{FAULTS[0]}-v1-t8-") + page.table(
            ("against", "page latency, us", f"time at that level / time at {OURS}"), rows))


def bystander_section(table):
    body = page.paragraph("The bystander is a real-time task that a timer wakes every 1 ms and that "
                          "touches no missing page. Its worst gap is the longest time between two of "
                          "its wakeups.")
    for case in (*(f"{case}+bystander" for case in FAULTS), f"{FAULTS[0]}+same-page+bystander"):
        body += page.figure(curves.plot(levels_curves(
            table, "worst gap", "page_ms", (*MISSING, "ceiling"), case=case, vcpus=1, tasks=8),
            "page latency, ms", "worst gap, ms", logs="xy", yrange="[0.8:100]"),
            f"{case}, 8 tasks, one vCPU.", f"^{case}-v1-t8-".replace("+", "[+]"),
            "bench-full" if "same" in case else "bench")
    rows = [(row["case"], row["vcpus"], row["tasks"], f"{row['page_ms']:g}",
             row["level"], span(row, 2),
             span(table.get(row["case"], row["level"], row["vcpus"], row["tasks"], row["page_ms"],
                            "p99 gap"), 2))
            for row in table.select(metric="worst gap", level=("off", "halt", "announce", "kernel"))]
    return Section("A task that misses no page", body + page.folded(
        "all gaps", page.table(("case", "vCPUs", "tasks", "page ms", "level", "worst gap, ms",
                                "p99 gap, ms"), rows)))


def alone_section(table):
    body = page.paragraph("One task, and nothing else that the vCPU could run while a page is "
                          "fetched: whatever an announcement costs is lost.")
    for case in FAULTS:
        body += page.figure(curves.plot(levels_curves(
            table, "slower than off", "page_ms", FASTER, case=case,
            vcpus=1, tasks=1), "page latency, ms", "% slower than off", yrange="[-1:*]",
            references=(0,)), f"One task, {words(case)}, one vCPU.",
            f"^{case}-v1-t1-")
    rows = []
    for row in table.select(metric="slower than off", tasks=1, level=OURS):
        rows.append((row["case"], row["vcpus"], f"{row['page_ms']:g}", span(row, 2)))
    return Section("Where it loses", body + page.table(
        ("case", "vCPUs", "page ms", f"{OURS}, % slower than off"), rows))


COUNTS = ("exits per fault", "stage-2 aborts per fault", "hypercalls per fault",
          "announcements per fault", "spurious per fault", "halts per fault",
          "waited for per fault")


def counts_section(table):
    rows = []
    for row in table.select(metric="exits per fault", tasks=8, level=MISSING):
        where_it_is = (row["case"], row["level"], row["vcpus"], row["tasks"], row["page_ms"])
        values = [table.value(*where_it_is, metric) for metric in COUNTS]
        rows.append((row["case"], row["vcpus"], f"{row['page_ms']:g}", row["level"],
                     *("-" if value is None else f"{value:.2f}" for value in values)))
    if not rows:
        return Section("Counts", "")
    return Section("Counts per fault", page.folded("8 tasks, all cases", page.table(
        ("case", "vCPUs", "page ms", "level", *COUNTS), rows)))


def vcpus_section(table):
    rows = []
    for row in table.select(metric="overlap", level=OURS):
        if row["vcpus"] > 1:
            key = (row["case"], OURS, row["vcpus"], row["tasks"], row["page_ms"])
            rows.append((row["case"], row["vcpus"], row["tasks"], f"{row['page_ms']:g}",
                         span(row), *(span(table.get(*key, metric), 2) for metric in
                                      ("speed-up", "stage-2 aborts per fault", "spurious per fault",
                                       "exits per fault"))))
    if not rows:
        return Section("Several vCPUs", "")
    return Section("Several vCPUs", page.paragraph(
        "On one timeline more vCPUs add work (IPIs, idle loops) and no speed. The counts per fault "
        "should be those of one vCPU.") + page.table(
            ("case", "vCPUs", "tasks", "page ms", "overlap", "times off", "aborts per fault",
             "spurious per fault", "exits per fault"), rows))


def sections(table):
    if not table.select(metric="overlap"):
        return []
    return [overlap_section(table), alone_section(table), break_even_section(table),
            tasks_section(table), bystander_section(table), vcpus_section(table),
            counts_section(table)]
