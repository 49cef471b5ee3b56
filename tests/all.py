# SPDX-License-Identifier: GPL-2.0-only
"""Run the test targets of make one after the other, and end with one table.

python3 -m tests.all TARGET...: each is a target of make, in this order. One that fails does not
keep the next from being run. What each says is in out/test-all/TARGET.log; its last line is in
the table. The status is 0 if all targets succeeded.
"""

import dataclasses
import subprocess
import sys
import time

from lab import make, paths, term

OUT = paths.OUT / "test-all"
# Make's own words for a status that its target has explained already.
OF_MAKE = ("make: ***", "make[1]: ***")


@dataclasses.dataclass
class Row:
    """What came of a target: last is the last line that it said itself."""

    target: str
    status: int
    minutes: float
    last: str


def last_line(log):
    lines = [line for line in log.read_text(errors="replace").splitlines()
             if line.strip() and not line.startswith(OF_MAKE)]
    return lines[-1] if lines else "(said nothing)"


def run(target):
    begin, log = time.monotonic(), OUT / f"{target}.log"
    meter = term.Meter(f"make {target}")
    with open(log, "w") as out, subprocess.Popen(
            ["make", "--no-print-directory", target], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            cwd=paths.REPO, env=make.environment()) as child:
        try:
            for line in child.stdout:
                out.write(line)
                out.flush()
                meter.line(line)
        except KeyboardInterrupt:
            child.terminate()       # it ends its own QEMUs
            child.wait()
            raise
    meter.clear()
    row = Row(target, child.returncode, (time.monotonic() - begin) / 60, last_line(log))
    term.say(f"make {target}: {'passed' if not row.status else 'FAILED'} in {row.minutes:.0f} min")
    return row


def table(rows):
    width = max(len("target"), *(len(row.target) for row in rows))
    yield f"{'target':{width}}  status  minutes  last line"
    for row in rows:
        yield f"{row.target:{width}}  {row.status:6}  {row.minutes:7.1f}  {row.last}"


def main():
    targets = sys.argv[1:]
    if not targets or targets[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    OUT.mkdir(parents=True, exist_ok=True)
    rows = [run(target) for target in targets]
    text = "\n".join(table(rows))
    (OUT / "table").write_text(text + "\n")
    term.say(f"\n{text}\n\nThe logs: {OUT}")
    return 1 if any(row.status for row in rows) else 0


if __name__ == "__main__":
    term.main(main)
