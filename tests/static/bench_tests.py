# SPDX-License-Identifier: GPL-2.0-only
"""The benchmark's arithmetic, on numbers that can be checked by hand."""

from bench import cases, page, ranks, report, rows
from bench.cases import levels, levels_report, restore
from lab.harness import test

FIELDS = ["case", "level", "vcpus", "tasks", "page_ms", "metric", "unit", "value", "low", "high",
          "runs"]


def sample(value, metric="overlap", level="kernel", case="user-faults", tasks=8, page_ms=10):
    return rows.Sample(case, level, 1, tasks, page_ms, metric, "ratio", value)


def table(*samples):
    return rows.Table(rows.fold(samples))


@test("bench: rows are medians, and have what a row must have")
def rows_are_medians():
    found = table(sample(0.5), sample(0.9), sample(0.7), sample(1, "wall")).rows
    assert [list(row) for row in found] == [FIELDS, FIELDS], found
    assert [found[0][key] for key in ("value", "low", "high", "runs")] == [0.7, 0.5, 0.9, 3]


@test("bench: no schedule beats the bound")
def bound():
    run = levels.Run(1, 8, 2, each=16)
    assert run.bound_ms(16) == 16 * 2 + 16 / 8
    assert run.bound_ms(16, strict=True) == 16 * 2
    assert run.bound_ms(100) == 100, "the CPU is the limit"
    assert levels.Run(1, 8, 2, same_page=True, each=16).bound_ms(4) == 16 * 2 + 4


@test("bench: break-even is where the ratio passes 1")
def break_even():
    points = [(0.01, 0.8), (0.02, 0.9), (0.04, 1.1), (0.1, 2)]
    assert abs(levels_report.break_even_us(points) - 30) < 1e-6
    assert levels_report.break_even_us([(0.01, 0.8), (0.02, 0.9)]) is None
    assert levels_report.break_even_us([(0.01, 1.2), (0.02, 1.5)]) == 10


@test("bench: Mann-Whitney as in the tables")
def mann_whitney():
    assert abs(ranks.mann_whitney([1, 2, 3, 4, 5], [6, 7, 8, 9, 10]) - 2 / 252) < 1e-12
    assert abs(ranks.mann_whitney([1, 2, 3], [4, 5, 6]) - 0.1) < 1e-12
    assert ranks.mann_whitney([1, 4], [2, 3]) == 1
    assert ranks.mann_whitney([1, 1, 1], [1, 1, 1]) == 1


@test("bench: a goal is missed, met, or not measured")
def goals():
    def verdicts(value):
        of = levels_report.goals(table(*([] if value is None else [sample(value)])))
        return of[0].value is not None, of[0].met
    assert [verdicts(value) for value in (None, 0.98, 0.995)] == \
        [(False, False), (True, False), (True, True)]
    missed = levels_report.goals(table(sample(0.98)))
    assert "short by 0.010" in missed[0].note, missed[0]
    assert "not met" in page.goals_table(missed)


@test("bench: each case names its boots once, and $T chooses")
def boots():
    for full in (False, True):
        names = [boot.name for module in cases.modules()
                 for boot in module.boots(full, lambda name: True)]
        assert len(names) == len(set(names)) > 5, names
    only = [run.name() for run in levels.runs(True, lambda name: name == "user-faults-v1-t8-2ms")]
    assert only == ["user-faults-v1-t8-2ms"]
    for vcpus in (1, 2, 4):
        of = [run.page_ms for run in levels.runs(True, lambda name: True) if run.vcpus == vcpus]
        assert len(set(of)) <= 15, "apfvm takes 15 policies"


@test("bench: how much of a restore's work is done by a time")
def restore_done_by():
    times = [10, 20, 30, *range(40, 102)]
    assert len(times) == 65
    part = restore.VISITS * restore.TASKS / 64
    assert restore.done_by(times, 5) == part / 2
    assert restore.done_by(times, 25) == 2.5 * part
    assert restore.done_by(times, 200) == restore.VISITS * restore.TASKS


@test("bench: a restore to which APF adds nothing is told as such")
def restore_verdict():
    one = restore.Restore(*restore.POINTS[0])

    def of(way, off, kernel):
        return [sample(value, metric, level, one.case(way), restore.TASKS, one.page_ms)
                for level, value in (("off", off), ("kernel", kernel), ("halt", off))
                for metric, _ in restore.FIGURES]
    figures = zip(restore.WAYS, ((900, 300), (105, 100), (10, 13), (100, 200)))
    # 2 ms for each 64th of the work: 3 ms are no difference.
    found = table(sample(128, "work", "ceiling", one.case("4 KiB"), restore.TASKS, one.page_ms),
                  *[row for way, (off, kernel) in figures for row in of(way, off, kernel)])
    said = restore.verdict(found, one)
    assert "time at kernel): 4 KiB (3.00)." in said, said
    assert "than the figures tell: 2 MiB (1.05), prefetched (0.77)." in said, said
    assert "longer: 3/4 prefetched (0.50)." in said, said
    body = restore.sections(found)[0].body
    assert said in body and body.count("<tr>") == 1 + 3 * len(restore.WAYS) + 1, body
    assert said in "".join(restore.summary(found))
    assert not restore.sections(table(sample(1))) and not restore.summary(table(sample(1)))


@test("bench: summary.md is what make report makes of the recorded run")
def summary_is_generated():
    made = report.summary_of(*report.recorded())
    assert report.SUMMARY.read_text() == made, f"{report.SUMMARY}: run make report, and commit it"


@test("bench: the conclusions name the run they speak of")
def conclusions_name_the_run():
    meta, _ = report.recorded()
    said = (report.FOLDER / "conclusions.md").read_text()
    missing = [meta[key] for key in ("command", "commit", "date", "machine") if meta[key] not in said]
    assert not missing, f"docs/report/conclusions.md speaks of another run: {missing} are not in it"
