# SPDX-License-Identifier: GPL-2.0-only
"""Make the report of the run that is recorded in docs/report/bench.json.gz.

Writes docs/report/summary.md, which is committed, and report.html into --out, which is not.
To record another run: gzip -9n <out/bench.json >docs/report/bench.json.gz, then this.
"""

import argparse
import gzip
import json
from pathlib import Path

from bench import cases, markdown, page, rows
from lab import paths, term

FOLDER = paths.REPO / "docs" / "report"
DATA = FOLDER / "bench.json.gz"
SUMMARY = FOLDER / "summary.md"
ORIGIN = "`make report` from bench.json.gz"
MORE = """\
The rows of this run are in [bench.json.gz](bench.json.gz), and [conclusions.md](conclusions.md) says what follows from them.
`make report` writes this page and, to `out/report.html`, the whole report with all curves and tables.
"""


def recorded(path=DATA):
    """(meta, table) of a run; an error that says what is wrong with the file."""
    try:
        with gzip.open(path, "rt") as text:
            found = json.load(text)
        return found["meta"], rows.Table(found["rows"])
    except (OSError, EOFError, ValueError, KeyError) as error:
        raise term.LabError(f"{path}: no recorded run ({error}). A run is recorded by: "
                            f"gzip -9n <out/bench.json >{DATA}") from None


def summary_of(meta, table):
    return markdown.render(cases.modules(), table, meta, cases.goals(table), ORIGIN, MORE)


def report_of(meta, table):
    return page.render(cases.modules(), table, meta, cases.goals(table))


def arguments(words):
    parser = argparse.ArgumentParser(prog="python3 -m bench report", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=paths.OUT, metavar="DIR")
    return parser.parse_args(words)


def main(words):
    args = arguments(words)
    meta, table = recorded()
    text = report_of(meta, table)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "report.html").write_text(text)
    SUMMARY.write_text(summary_of(meta, table))
    term.say(f"{args.out / 'report.html'}, {SUMMARY}")
    return 0
