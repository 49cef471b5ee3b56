# SPDX-License-Identifier: GPL-2.0-only
"""The demo's pictures, drawn by gnuplot as SVG."""

import subprocess

from bench.timeline import subtract
from lab.result import ResultError

# Okabe and Ito's palette: told apart also by those who do not see all colours.
BLUE, SKY, ORANGE, VERMILION, GREEN = "#0072b2", "#56b4e9", "#e69f00", "#d55e00", "#009e73"
PALE, INK = "#dfe3e8", "#30363d"

NAMES = {"off": "off", "halt": "halt", "halt_no_driver": "halt,\\nno driver",
         "announce": "announce", "kernel": "kernel"}
FONT = "DejaVu Sans,Verdana,Helvetica,Arial,sans-serif"

THROUGHPUT = """\
set terminal svg size 1000,470 font "{font},14" background "white"
set output "{output}"
set multiplot
set style fill solid 1 noborder
set border 3 lc rgb "{ink}"
set tics nomirror scale 0.5 textcolor rgb "{ink}"
set xtics scale 0
set grid ytics lc rgb "{pale}" lt 1
set xrange [-0.6:{last}+0.6]
set xtics ({xtics})
set key at graph 0.02, graph 0.98 left top Left reverse samplen 1.2 spacing 1.2
set label 1 "{headline}" at screen 0.5, screen 0.955 center font ",16" textcolor rgb "{ink}"
set origin 0, 0
set size 0.52, 0.92
set lmargin 9
set tmargin 3
set bmargin 4
set title "Throughput (higher is better)" font ",14" offset 0,-0.3
set ylabel "times that of off" offset 1,0
set yrange [0:{top}]
plot $data using ($0-0.19):2:(0.36) with boxes lc rgb "{blue}" title "with the bystander", \\
     $data using ($0+0.19):3:(0.36) with boxes lc rgb "{sky}" title "without", \\
     $data using ($0-0.19):2:(sprintf("%.2f", $2)) with labels offset 0,0.7 \\
         font ",12" notitle, \\
     $data using ($0+0.19):3:(sprintf("%.2f", $3)) with labels offset 0,0.7 \\
         font ",12" notitle
unset label 1
set origin 0.5, 0
set size 0.5, 0.92
unset key
set title "Worst stall of the bystander (lower is better)" font ",14" offset 0,-0.3
set ylabel "ms between wakeups by a 1 ms timer (log)" offset 1,0
set logscale y
set yrange [0.5:{worst_top}]
set ytics (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
plot $data using 0:4:(0.5) with boxes lc rgb "{vermilion}", \\
     $data using 0:4:(sprintf("%.2f ms", $4)) with labels offset 0,0.7 font ",12"
unset multiplot
"""


def svg_of(script):
    """What gnuplot draws, if the script says no other output."""
    try:
        done = subprocess.run(["gnuplot"], input=script, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except FileNotFoundError:
        raise ResultError("gnuplot is missing: install the package gnuplot-nox") from None
    if done.returncode:
        raise ResultError(f"gnuplot: {done.stderr.strip()}")
    return done.stdout


def run_gnuplot(script):
    svg_of(script)


def block(name, rows):
    """A gnuplot datablock; without a row gnuplot would complain, so NaN stands for none."""
    lines = [" ".join(str(cell) for cell in row) for row in rows] or ["NaN " * 7]
    return "\n".join([f"${name} << END", *lines, "END", ""])


def throughput_script(levels, headline, output):
    rows, tics = [], []
    for position, (level, run) in enumerate(levels.items()):
        tics.append(f'"{NAMES[level]}" {position}')
        rows.append((level, run["speedup"], run["without_bystander"]["speedup"],
                     run["bystander_worst_gap_ms"]))
    return block("data", rows) + THROUGHPUT.format(
        font=FONT, output=output, ink=INK, pale=PALE, blue=BLUE, sky=SKY, vermilion=VERMILION,
        headline=headline, xtics=", ".join(tics), last=len(rows) - 1,
        top=1.35 * max(max(row[1:3]) for row in rows),
        worst_top=2 * max(row[3] for row in rows))


def throughput(levels, headline, output):
    run_gnuplot(throughput_script(levels, headline, output))


HEAD = 84           # pixels above the first panel: headline and legend
PANEL_TITLE = 30
LANE = 17
PANEL_GAP = 8
FOOT = 46
WIDTH = 1000
LEFT, RIGHT = 0.105, 0.985

LEGEND = ((BLUE, "running"), (ORANGE, "waiting for its page"),
          (PALE, "ready to run, but not on the CPU"),
          (VERMILION, "vCPU stands still for a page"),
          ("#ffffff", "vCPU idle"), (GREEN, "bystander wakes up"))

TIMELINE_HEAD = """\
set terminal svg size {width},{height} font "{font},13" background "white"
set output "{output}"
set multiplot
unset key
set border 0
set style fill solid 1 noborder
set lmargin at screen {left}
set rmargin at screen {right}
set xrange [0:{window}]
set label 1 "{headline}" at screen 0.5, screen {headline_y} center font ",16" \\
    textcolor rgb "{ink}"
"""

PANEL = """\
set tmargin at screen {top}
set bmargin at screen {bottom}
set yrange [{lanes}:0]
set ytics ({ytics}) scale 0 font ",11" textcolor rgb "{ink}"
set xtics {xtics} scale 0.4 nomirror textcolor rgb "{ink}"
set format x "{format}"
set xlabel "{xlabel}" offset 0,0.4
set label 2 "{title}" at screen {left}, screen {title_y} left font ",13" textcolor rgb "{ink}"
plot $bars{n} using 1:2:3:4:5:6:7 with boxxyerror lc rgb variable, \\
     $ticks{n} using 1:2:(0):3 with vectors nohead lw 1 lc rgb "{green}"
unset label
"""


def rgb(colour):
    return int(colour[1:], 16)


def bars(lane, intervals, colour, half=0.36):
    return [((a + b) / 2, lane, a, b, lane - half, lane + half, rgb(colour))
            for a, b in intervals]


def panel_bars(lanes):
    """Lane 0.5 is the vCPU, then the tasks; what is drawn later lies on top."""
    away = sorted(lanes.stalled + lanes.idle)
    rows = bars(0.5, subtract([(0, lanes.end)], away), BLUE)
    rows += bars(0.5, lanes.stalled, VERMILION)
    for row, task in enumerate(sorted(lanes.alive)):
        rows += bars(row + 1.5, lanes.alive[task], PALE)
        rows += bars(row + 1.5, lanes.waiting[task], ORANGE)
        rows += bars(row + 1.5, lanes.running[task], BLUE)
    return rows


def panel_tics(lanes):
    names = ["vCPU", *(f"task {task}" for task in sorted(lanes.alive)), "bystander"]
    return ", ".join(f'"{name}" {row + 0.5}' for row, name in enumerate(names))


def legend(height):
    """Swatches in a row under the headline, as objects and labels on the screen."""
    lines, x = [], LEFT
    y = 1 - 56 / height
    half = 6 / height
    for number, (colour, text) in enumerate(LEGEND, 10):
        border = f'border lc rgb "{INK}"' if colour == "#ffffff" else "noborder"
        lines.append(f'set object {number} rect from screen {x:.4f}, screen {y - half:.4f} '
                     f'to screen {x + 0.014:.4f}, screen {y + half:.4f} '
                     f'fc rgb "{colour}" fs solid 1 {border}')
        lines.append(f'set label {number} "{text}" at screen {x + 0.019:.4f}, screen {y:.4f} '
                     f'left font ",11" textcolor rgb "{INK}"')
        x += 0.030 + 0.0057 * len(text)
    return "\n".join(lines) + "\n"


def panel_script(number, lanes, title, top, height, last):
    count = len(lanes.alive) + 2
    wakeups = [(w, count - 0.14, -0.72) for w in lanes.wakeups]
    place = PANEL.format(
        n=number, lanes=count, ytics=panel_tics(lanes), title=title, ink=INK, green=GREEN,
        left=LEFT, top=1 - top / height, bottom=1 - (top + LANE * count) / height,
        title_y=1 - (top - PANEL_TITLE / 2 + 2) / height, xtics="10",
        format="%g" if last else "", xlabel="ms" if last else "")
    return (block(f"bars{number}", panel_bars(lanes)) + block(f"ticks{number}", wakeups) + place)


def timeline_script(panels, window, headline, output):
    """panels: pairs (title, Lanes), drawn from above."""
    heights = [PANEL_TITLE + LANE * (len(lanes.alive) + 2) + PANEL_GAP for _, lanes in panels]
    height = HEAD + sum(heights) + FOOT
    script = TIMELINE_HEAD.format(
        width=WIDTH, height=height, font=FONT, output=output, left=LEFT, right=RIGHT,
        window=window, headline=headline, headline_y=1 - 26 / height, ink=INK) + legend(height)
    top = HEAD
    for number, (title, lanes) in enumerate(panels):
        script += panel_script(number, lanes, title, top + PANEL_TITLE, height,
                               number == len(panels) - 1)
        script += "unset object\n"
        top += heights[number]
    return script + "unset multiplot\n"


def timeline(panels, window, headline, output):
    run_gnuplot(timeline_script(panels, window, headline, output))
