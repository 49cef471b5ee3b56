# SPDX-License-Identifier: GPL-2.0-only
"""The demo's figures, and its table."""

from lab.levels import LEVELS
from lab.result import check_end, check_figures, check_silent, run_figures

# The rows whose guests are told of each fault. That of a guest without the driver is none of them.
ANNOUNCING = tuple(name for name, level in LEVELS.items() if level.announces)


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
