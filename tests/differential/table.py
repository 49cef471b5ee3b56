# SPDX-License-Identifier: GPL-2.0-only
"""Compare the levels, and show it: program x level."""

import dataclasses
import json

WIDTH = 46


def differences(result, off):
    """What is bad at a level, and is not with APF off."""
    found = sorted(result.bad() - off.bad())
    if off.verdict == "pass" and result.verdict == "skip":
        found.append("verdict: skip")
    if result.verdict == "pass":
        lost = {name for name, word in off.sub.items() if word == "ok"} - result.sub.keys()
        if len(result.sub) < len(off.sub):
            found += [f"missing: {name}" for name in sorted(lost)]
    return found


@dataclasses.dataclass
class Row:
    """A program: its results by setting's name, and what differs, by setting's name."""

    name: str
    results: dict = dataclasses.field(default_factory=dict)
    different: dict = dataclasses.field(default_factory=dict)
    idle: list = dataclasses.field(default_factory=list)
    listed: str = ""

    def judge(self, floor, known):
        for setting, result in self.results.items():
            level, cpus = setting.split("-", 1)
            off = self.results.get(f"off-{cpus}")
            if level == "off":
                continue
            bad = {what for what in result.bad() if not known.covers(self.name, what)}
            if off:
                self.different[setting] = differences(result, off)
            elif bad:
                self.different[setting] = sorted(bad)
            if result.verdict in ("pass", "fail") and result.faults < floor:
                self.idle.append(setting)
        self.different = {key: value for key, value in self.different.items() if value}


def cell(row, setting):
    result = row.results.get(setting)
    if not result:
        return f"{'':8} {'':>8} {'':>6}"
    mark = "!" if setting in row.different else " "
    off = row.results.get(f"off-{setting.split('-', 1)[1]}")
    times = f"{result.seconds / off.seconds:.2f}" if off and off.seconds else ""
    return f"{result.verdict[:8] + mark:9}{result.faults:>8} {times:>6}"


def text(rows, settings):
    head = f"{'program':{WIDTH}}" + "  ".join(f"{name:24}" for name in settings)
    under = f"{'':{WIDTH}}" + "  ".join(f"{'verdict':9}{'faults':>8} {'x off':>6}" for _ in settings)
    lines = [head, under]
    for row in rows:
        lines.append(f"{row.name[:WIDTH - 1]:{WIDTH}}" +
                     "  ".join(cell(row, name) for name in settings))
    return "\n".join(lines) + "\n"


def summary(rows, settings):
    lines = []
    for setting in settings:
        results = [row.results[setting] for row in rows if setting in row.results]
        counts = {}
        for result in results:
            word = result.verdict.split()[0]
            counts[word] = counts.get(word, 0) + 1
        said = ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))
        lines.append(f"{setting}: {len(results)} programs, {sum(r.faults for r in results)} faults: {said}")
    return lines


def to_json(rows, settings, meta):
    return json.dumps({"meta": meta, "settings": settings, "programs": [
        {"name": row.name, "different": row.different, "idle": row.idle, "listed": row.listed,
         "results": {name: dataclasses.asdict(result) for name, result in row.results.items()}}
        for row in rows]}, indent=1)
