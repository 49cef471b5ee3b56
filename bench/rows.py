# SPDX-License-Identifier: GPL-2.0-only
"""What the benchmark measures: samples, one per run, and rows, which sum up the runs."""

import dataclasses
import statistics


@dataclasses.dataclass(frozen=True)
class Sample:
    """One figure of one run. page_ms is None where no page is late."""

    case: str
    level: str
    vcpus: int
    tasks: int
    page_ms: float | None
    metric: str
    unit: str
    value: float


def key_of(sample):
    return (sample.case, sample.level, sample.vcpus, sample.tasks, sample.page_ms, sample.metric,
            sample.unit)


def number(value):
    """Six digits are more than repeat, and keep the file small."""
    short = float(f"{value:.6g}")
    return int(short) if short.is_integer() else short


def row(key, values):
    case, level, vcpus, tasks, page_ms, metric, unit = key
    return {"case": case, "level": level, "vcpus": vcpus, "tasks": tasks, "page_ms": page_ms,
            "metric": metric, "unit": unit, "value": number(statistics.median(values)),
            "low": number(min(values)), "high": number(max(values)), "runs": len(values)}


def fold(samples):
    """Samples of the same thing, in the order in which they first came, become a row."""
    values = {}
    for sample in samples:
        values.setdefault(key_of(sample), []).append(sample.value)
    return [row(key, of) for key, of in values.items()]


class Table:
    """Rows, to be looked up."""

    FIELDS = ("case", "level", "vcpus", "tasks", "page_ms", "metric")

    def __init__(self, rows):
        self.rows = rows
        self.index = {tuple(row[field] for field in self.FIELDS): row for row in rows}

    def get(self, case, level, vcpus, tasks, page_ms, metric):
        """A row, or None if that was not run."""
        return self.index.get((case, level, vcpus, tasks, page_ms, metric))

    def value(self, *key):
        found = self.get(*key)
        return None if found is None else found["value"]

    def select(self, **wanted):
        """wanted: field=value, or field=values in a tuple, a list or a set."""
        def matches(row):
            return all(row[field] in value if isinstance(value, (tuple, list, set))
                       else row[field] == value for field, value in wanted.items())
        return [row for row in self.rows if matches(row)]

    def curve(self, along, **wanted):
        """[(value of the field along, row)], sorted."""
        return sorted(((row[along], row) for row in self.select(**wanted)
                       if row[along] is not None), key=lambda point: point[0])

    def known(self, field, **wanted):
        """The values that a field has, sorted."""
        found = {row[field] for row in self.select(**wanted)} - {None}
        return sorted(found)
