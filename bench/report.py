# SPDX-License-Identifier: GPL-2.0-only
"""From the lines of the result channel to figures: parse, check, table, JSON."""

import json

# Those that are told of every fault.
ANNOUNCING = ("announce", "kernel")

# Name in the JSON -> statistic of KVM's vCPU.
KVM_STATS = {
    "announced": "apf_announced",
    "repeated": "apf_repeated",
    "declined": "apf_declined",
    "halted": "apf_halted",
    "sync": "apf_sync",
    "ready": "apf_ready",
    "batches": "apf_batches",
    "stage2_aborts": "stage2_aborts",
    "hypercalls": "hvc_exit_stat",
}


class ReportError(Exception):
    """A run is missing or wrong; the message says which and how."""


def parse(text, name):
    """The records of one VM, in order. A damaged line is an error, not skipped."""
    records = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise ReportError(f"{name}: line {number} of the result is no JSON "
                              f"({error.msg}): {line[:80]}") from None
    return records


def check_end(records, name):
    """A guest that did not report its end, or not a good one, has no figures."""
    complaints = [r["error"] for r in records if "error" in r]
    done = [r for r in records if "done" in r]
    if complaints:
        raise ReportError(f"{name}: the guest says: {'; '.join(complaints)}")
    if not done:
        raise ReportError(f"{name}: the guest did not come to its end")
    if done[-1]["status"]:
        raise ReportError(f"{name}: the guest's job ended with status {done[-1]['status']}")


def check_silent(records, name):
    lines = [line for record in records for line in record.get("klog", ())]
    if lines:
        raise ReportError(f"{name}: the guest's kernel logged: {'; '.join(lines)}")


def sum_stats(record):
    total = {}
    for vcpu in record["vcpus"]:
        for stat, value in vcpu.items():
            total[stat] = total.get(stat, 0) + value
    return total


def difference(before, after, key):
    return after.get(key, 0) - before.get(key, 0)


def find_run(records, label, name):
    """Index of a run's record, with the statistics around it."""
    stats = {r["stats"]: sum_stats(r) for r in records if "stats" in r}
    for index, record in enumerate(records):
        if "run" in record and record["run"]["label"] == label:
            missing = {f"{label}-begin", f"{label}-end"} - stats.keys()
            if missing:
                raise ReportError(f"{name}: statistics {', '.join(sorted(missing))} are missing")
            return index, stats[f"{label}-begin"], stats[f"{label}-end"]
    raise ReportError(f"{name}: run {label} is missing")


def guest_spurious(records, index):
    """Counted by the driver in the guest, if it has one: nearest before and after."""
    before = [r["guest_apf"] for r in records[:index] if "guest_apf" in r]
    after = [r["guest_apf"] for r in records[index:] if "guest_apf" in r]
    return difference(before[-1] if before else {}, after[0] if after else {}, "spurious")


def run_figures(records, label, name):
    """All figures of one run, as they go into the JSON."""
    index, before, after = find_run(records, label, name)
    run = records[index]["run"]
    figures = {key: run[key] for key in
               ("wall_ms", "faults", "pages_verified", "pages_bad", "work_done", "bystander")}
    if run["bystander"]:
        figures["bystander_worst_gap_ms"] = run["bystander"]["worst_gap_ms"]
        figures["bystander_p99_gap_ms"] = run["bystander"]["p99_gap_ms"]
    for key, stat in KVM_STATS.items():
        figures[key] = difference(before, after, stat)
    figures["spurious"] = guest_spurious(records, index)
    figures["exits"] = difference(before, after, "exits")
    return figures


def check_figures(figures, name, announces):
    if figures["pages_bad"] or figures["pages_verified"] != figures["faults"]:
        raise ReportError(f"{name}: {figures['pages_bad']} of {figures['faults']} pages do not "
                          "hold what they should")
    if announces and not figures["announced"]:
        raise ReportError(f"{name}: not one fault was announced. Does the guest's kernel have the "
                          "driver, and the host's parameter apf the value on?")


def level_figures(records, level, with_label, without_label):
    """One level of the JSON: the run with the bystander, and in it the one without."""
    check_end(records, level)
    check_silent(records, level)
    figures = run_figures(records, with_label, level)
    figures["without_bystander"] = run_figures(records, without_label, level)
    for run in (figures, figures["without_bystander"]):
        check_figures(run, level, announces=level in ANNOUNCING)
    return figures


def speedup(levels, level, without=False):
    def pick(name):
        return levels[name]["without_bystander"] if without else levels[name]
    return pick("off")["wall_ms"] / pick(level)["wall_ms"]


def add_speedups(levels):
    for level in levels:
        levels[level]["speedup"] = round(speedup(levels, level), 3)
        levels[level]["without_bystander"]["speedup"] = round(speedup(levels, level, True), 3)


COLUMNS = ("level", "bystander", "wall ms", "speed-up", "worst gap", "p99 gap", "faults",
           "announced", "halted", "sync", "aborts/fault")


def table_row(level, run):
    gap = run["bystander"]
    return (level, "yes" if gap else "no", f"{run['wall_ms']:.1f}", f"{run['speedup']:.2f}",
            f"{gap['worst_gap_ms']:.2f}" if gap else "-",
            f"{gap['p99_gap_ms']:.2f}" if gap else "-",
            str(run["faults"]), str(run["announced"]), str(run["halted"]), str(run["sync"]),
            f"{run['stage2_aborts'] / run['faults']:.2f}")


def table(levels):
    """Aligned columns: names to the left, numbers to the right."""
    rows = [COLUMNS]
    for level in levels:
        rows.append(table_row(level, levels[level]))
        rows.append(table_row("", levels[level]["without_bystander"]))
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) if i < 2 else cell.rjust(width)
                 for i, (cell, width) in enumerate(zip(row, widths))]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)


def latency_line(latency_ms, levels):
    """One page latency in a line: wall time, speed-up, worst gap per level."""
    parts = [f"{level} {run['wall_ms']:.1f} ms ({run['speedup']:.2f}x, "
             f"gap {run['bystander_worst_gap_ms']:.2f})" for level, run in levels.items()]
    return f"pages of {latency_ms:g} ms: " + ", ".join(parts)
