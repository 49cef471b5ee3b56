# SPDX-License-Identifier: GPL-2.0-only
"""The report's plots: lines over a logarithmic axis, drawn by gnuplot as SVG to be set inline."""

import re

from bench.plot import BLUE, FONT, GREEN, ORANGE, SKY, VERMILION, block, svg_of

# A level has the same colour and the same mark in all plots.
STYLES = {"off": ("#808890", 7), "halt": (ORANGE, 5), "pend": (SKY, 9), "announce": (BLUE, 11),
          "kernel": (VERMILION, 13), "ceiling": (GREEN, 3)}
# Drawn in a colour that no line has, and then made the text's colour, light or dark.
INK = "#123456"

SCRIPT = """\
set terminal svg size 680,360 font "{font},13" background "#fefefe"
set border 3 lc rgb "{ink}"
set tics nomirror scale 0.5 textcolor rgb "{ink}"
set grid ytics lc rgb "{ink}" lt 1 lw 0.2
set key outside top center horizontal textcolor rgb "{ink}" Left reverse samplen 1.5 spacing 1.15
set xlabel "{xlabel}" textcolor rgb "{ink}"
set ylabel "{ylabel}" textcolor rgb "{ink}"
set xrange [{left}:{right}]
{log}
set xtics ({xtics})
set yrange {yrange}
plot {plots}
"""


def tics(values):
    return ", ".join(f'"{value:g}" {value:g}' for value in values)


def data(name, points):
    return block(name, [(x, row["value"], row["low"], row["high"]) for x, row in points])


def line(name, label, style):
    colour, mark = style
    return (f'${name} using 1:2 with lines lc rgb "{colour}" lw 2 notitle, '
            f'${name} using 1:2:3:4 with yerrorbars lc rgb "{colour}" pt {mark} ps 0.7 '
            f'title "{label}"')


def reference(value, ink=INK):
    return f'{value} with lines lc rgb "{ink}" dt 3 lw 1.5 notitle'


def inline(svg):
    """As wide as there is room, without background, in the colour of the text around it."""
    svg = svg[svg.index("<svg"):]
    svg = re.sub(r'<svg\s+width="\d+"\s+height="\d+"', "<svg", svg, count=1)
    svg = re.sub(r"<rect [^>]*#fefefe[^>]*/>|<title>[^<]*</title>|<desc>[^<]*</desc>", "", svg)
    svg = re.sub(r"rgb\( *18, *52, *86\)", "currentColor", svg)
    svg = re.sub(r'"black"', '"currentColor"', svg)
    return re.sub(r"[ \t]*\n\s*", "\n", svg)


def plot(curves, xlabel, ylabel, logs="x", yrange="[0:*]", references=()):
    """curves: (level, [(x, row)]). An SVG element, or "" if there is nothing to draw."""
    curves = [curve for curve in curves if curve[1]]
    if not curves:
        return ""
    blocks = "".join(data(f"d{n}", points) for n, (_, points) in enumerate(curves))
    lines = [line(f"d{n}", level, STYLES[level]) for n, (level, _) in enumerate(curves)]
    xs = sorted({x for _, points in curves for x, _ in points})
    log = "x" in logs
    script = SCRIPT.format(
        font=FONT, ink=INK, xlabel=xlabel, ylabel=ylabel, yrange=yrange,
        left=xs[0] / 1.3 if log else xs[0] - 0.5, right=xs[-1] * 1.3 if log else xs[-1] + 0.5,
        xtics=tics(xs), log="\n".join(f"set logscale {axis}" for axis in logs),
        plots=", \\\n".join(lines + [reference(value) for value in references]))
    return inline(svg_of(blocks + script))
