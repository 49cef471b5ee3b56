# SPDX-License-Identifier: GPL-2.0-only
"""The report: one HTML file that needs nothing else, and what the terminal shows of it."""

import dataclasses
import html

from bench.cases import FAULTS

STYLE = """\
:root { color-scheme: light dark; --ink: #1c2024; --paper: #fff; --soft: #f2f4f6; --line: #d0d5da;
  --good: #0b7a4b; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7ea; --paper: #15181b; --soft: #20252a;
  --line: #3a4148; --good: #5bd3a0; --bad: #ff8a80; } }
body { color: var(--ink); background: var(--paper); margin: 0 auto; max-width: 62rem;
  padding: 1rem; font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child, td.text, th.text { text-align: left; }
thead th { background: var(--soft); position: sticky; top: 0; }
figure { margin: 1.5rem 0; } figure svg { width: 100%; max-width: 44rem; height: auto; }
figcaption, .note { font-size: .85rem; opacity: .85; }
code { background: var(--soft); padding: .1em .3em; border-radius: 3px; font-size: .85em;
  overflow-wrap: anywhere; }
.good { color: var(--good); font-weight: 600; } .bad { color: var(--bad); font-weight: 600; }
details { margin: .5rem 0; } summary { cursor: pointer; }
"""


@dataclasses.dataclass
class Section:
    """body: HTML, made by the functions below."""

    title: str
    body: str


def text(words):
    """Plain text as HTML; what stands between backquotes is code."""
    parts = html.escape(words, quote=False).split("`")
    return "".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts))


def paragraph(words, kind=""):
    return f'<p{f" class={kind}" if kind else ""}>{text(words)}</p>\n'


def cell(value, tag="td"):
    """A figure, or words; ("good" or "bad", words) in that colour."""
    kind = ""
    if isinstance(value, tuple):
        kind, value = f' class="{value[0]}"', value[1]
    return f"<{tag}{kind}>{text(str(value))}</{tag}>"


def table(head, rows):
    lines = "\n".join("<tr>" + "".join(map(cell, row)) + "</tr>" for row in rows)
    first = "".join(cell(name, "th") for name in head)
    return (f'<div class="wide"><table><thead><tr>{first}</tr></thead><tbody>\n{lines}\n'
            "</tbody></table></div>\n")


def repeat(pattern, target="bench"):
    return f"make {target} T='{pattern}'"


def figure(svg, caption, pattern, target="bench"):
    if not svg:
        return ""
    return (f"<figure>{svg}<figcaption>{text(caption)} Again: "
            f"<code>{html.escape(repeat(pattern, target))}</code></figcaption></figure>\n")


def folded(title, body):
    return f"<details><summary>{text(title)}</summary>\n{body}</details>\n"


def verdict(goal):
    if goal.value is None:
        return ("", "not measured")
    return ("good", "met") if goal.met else ("bad", "not met")


def goals_table(goals):
    return table(("goal", "wanted", "measured", "", ("text", "note")),
                 [((goal.what), goal.wanted, goal.value or "-", verdict(goal), ("text", goal.note))
                  for goal in goals])


def counts(goals):
    measured = [goal for goal in goals if goal.value is not None]
    return (f"{sum(goal.met for goal in measured)} of {len(measured)} goals met"
            + (f", {len(goals) - len(measured)} not measured" if len(goals) > len(measured) else ""))


def facts(meta):
    """[(name, what is known of the run)]."""
    names = ("date", "commit", "command", "minutes", "machine", "system", "qemu", "compiler",
             "kernel", "without", "remark")
    return [(name, meta[name]) for name in names if meta.get(name)]


def facts_table(meta):
    return table(("", ("text", "of this run")),
                 [(name, ("text", value)) for name, value in facts(meta)])


LEVELS = (
    ("off", "the vCPU stands still until the page is there, as without asynchronous page faults"),
    ("halt", "the vCPU halts and takes interrupts; the guest is not told"),
    ("pend", "as announce, but the interrupt is only pended, with the priority that the guest "
             "gave it (knob `pend_only`)"),
    ("announce", "the guest is told of the faults of its user space (`kvm_apf.kernel=0`)"),
    ("kernel", "the guest is told of the faults of its user space and of its kernel: the driver's default"),
    ("ceiling", "the same work, and no page is missing"),
)


def method():
    return (table(("level", ("text", "what happens at a missing page")),
                  [(name, ("text", what)) for name, what in LEVELS])
            + paragraph(
        "All figures but those named wall-clock are in virtual time: one instruction takes 1 ns, and "
        "idle time passes at once (QEMU `-icount shift=0,sleep=off`). The figures are sums of "
        "instructions and of waiting, not times of any hardware: a trap or a cache miss costs "
        "nothing, and all CPUs of the emulated host take turns on one timeline. On hardware the "
        "server of the pages and other vCPUs would run at the same time as the guest; here their "
        "times add up, and more vCPUs make nothing faster. Each vCPU has a CPU of the host; the "
        "server of the pages and all else share the last one.")
            + paragraph(
        "A row is the median of the runs, with the lowest and the highest. A round runs all levels "
        "in one host. Each page is compared with its expected content. A host or guest whose kernel "
        "logs anything gives no figures."))


def render(modules, rows, meta, goals):
    sections = [Section("Goals", paragraph(counts(goals) + ".") + goals_table(goals))]
    for module in modules:
        if hasattr(module, "sections"):
            sections += module.sections(rows)
    sections += [Section("How it was measured", method() + facts_table(meta))]
    body = "".join(f"<section><h2>{text(section.title)}</h2>\n{section.body}</section>\n"
                   for section in sections if section.body)
    return ('<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>arm64-apf: the case for it</title>\n<style>\n{STYLE}</style></head><body>\n"
            "<h1>Asynchronous page faults on KVM/arm64: what they give, and what they cost</h1>\n"
            f"{body}</body></html>\n")


def mark(goal):
    return "-" if goal.value is None else "yes" if goal.met else "NO"


def aligned(rows):
    widths = [max(len(str(row[n])) for row in rows) for n in range(len(rows[0]))]
    return "\n".join("  ".join(str(value).ljust(width) if n == 0 else str(value).rjust(width)
                               for n, (value, width) in enumerate(zip(row, widths)))
                     for row in rows)


def overlap_lines(rows, case):
    levels = ("off", "halt", "pend", "announce", "kernel")
    lines = [(f"{case}, page ms", *levels)]
    for ms in rows.known("page_ms", case=case, vcpus=1, tasks=8, metric="overlap"):
        found = [rows.value(case, level, 1, 8, ms, "overlap") for level in levels]
        lines.append((f"{ms:g}", *("-" if value is None else f"{value:.3f}" for value in found)))
    return aligned(lines) if len(lines) > 1 else ""


def terminal(rows, goals):
    parts = [overlap_lines(rows, case) for case in FAULTS]
    if any(parts):
        parts.insert(0, "8 tasks on one vCPU: overlap, 1 is the best that any schedule could reach")
    parts.append(aligned([("goal", "wanted", "measured", "met")]
                         + [(goal.what, goal.wanted, goal.value or "-", mark(goal))
                            for goal in goals]))
    parts.append(counts(goals))
    return "\n\n".join(part for part in parts if part)
