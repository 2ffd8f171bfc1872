"""SVG plots of a run by gnuplot, beside results.json: latency.svg,
ceilings.svg, cpu.svg, progress.svg. Without gnuplot there are none.

SPDX-License-Identifier: MIT
"""

import shutil
import subprocess
import sys

COMMON = """
set encoding utf8
set style line 100 lc rgb '#dddddd'
set grid back ls 100
set border 3 lc rgb '#666666'
set tics nomirror
"""
TIMES = ("last_delivery", "delivery", "ack", "opening")
COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b")


def gnuplot(path, size, script):
    text = (f"set terminal svg size {size[0]},{size[1]} dynamic "
            f"background '#ffffff' font 'sans-serif,12'\n"
            f"set output '{path}'\n{COMMON}{script}")
    done = subprocess.run(["gnuplot"], input=text, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise RuntimeError(f"gnuplot: {done.stdout[-500:]}")


def block(name, rows):
    return f"${name} << EOD\n" + "".join(
        " ".join(str(c) for c in r) + "\n" for r in rows) + "EOD\n"


def quoted(text):
    return '"' + text.replace('"', "'").replace("_", r"\\_") + '"'


def latency(results, path):
    """Percentile curves: the x axis is 1 / (1 - share), so that each nine has
    the same room."""
    script, curves = "", []
    for case in results["cases"].values():
        times = case.get("result", {}).get("latency_us", {})
        key = next((k for k in TIMES if k in times), None)
        if key is None or len(times[key]["curve"]) < 3:
            continue
        name = f"c{len(curves)}"
        script += block(name, ((100 / (100 - share), us / 1000)
                               for share, us in times[key]["curve"]
                               if share < 100))
        title = f"{case['meaning']} ({key.replace('_', ' ')})"
        curves.append(f"${name} using 1:2 with lines lw 2 "
                      f"title {quoted(title)}")
    if curves:
        gnuplot(path, (1000, 640), script + """
set logscale xy
set xlabel 'share of all'
set ylabel 'milliseconds'
set xtics ('0' 1, '50 %%' 2, '90 %%' 10, '99 %%' 100, '99.9 %%' 1000, \
'99.99 %%' 10000, '99.999 %%' 100000)
set key outside below left reverse Left maxcols 2
plot """ + ", ".join(curves) + "\n")


def ceilings(results, path):
    bars = [(quoted(f"{case['meaning']}: {f['label']}, of {f['ceiling']}"),
             100 * f["share"]) for case in results["cases"].values()
            for f in case.get("figures", []) if f["share"] is not None]
    if bars:
        bars.reverse()
        rows = [(i, share, label) for i, (label, share) in enumerate(bars)]
        gnuplot(path, (1000, 60 + 34 * len(bars)), block("bars", rows) + f"""
set xlabel 'percent of the ceiling'
set xrange [0:*]
set yrange [-0.6:{len(bars) - 0.4}]
set style fill solid 0.8 noborder
unset key
plot $bars using ($2/2):1:($2/2):(0.35):ytic(3) with boxxyerror \
lc rgb '{COLOURS[0]}', '' using 2:1:(sprintf(' %.0f %%', $2)) \
with labels left
""")


def cpu(results, path):
    """CPU time of each process per message, stacked. Each bar is as high as the
    others, since a connection costs a hundred times what a delivery does; the
    time that it stands for is written below it."""
    cases = [c for c in results["cases"].values()
             if c.get("per") and c["result"].get("processes")]
    names = list(dict.fromkeys(n for c in cases
                               for n in c["result"]["processes"]))
    rows = []
    for case in cases:
        used = case["result"]["processes"]
        times = [used[n]["user_s"] + used[n]["system_s"] if n in used else 0
                 for n in names]
        one = sum(times) / (case["per"] * case["result"]["seconds"]) * 1e6
        if one > 0:
            label = f"{case['name']}: {one:,.0f} us a {case['one']}"
            rows.append([quoted(label)] + [100 * t / sum(times)
                                           for t in times])
    if rows:
        columns = ", ".join(
            f"{'$cpu' if not i else repr('')} using {i + 2}"
            f"{':xtic(1)' if not i else ''} title {quoted(n)} "
            f"lc rgb '{COLOURS[i % len(COLOURS)]}'"
            for i, n in enumerate(names))
        gnuplot(path, (1000, 600), block("cpu", rows) + f"""
set style data histograms
set style histogram rowstacked
set style fill solid 0.9 noborder
set boxwidth 0.7
set ylabel 'percent of the CPU time'
set yrange [0:100]
set xtics rotate by -35 font ',10'
set rmargin 12
set key outside top horizontal
plot {columns}
""")


def progress(results, path):
    """A small panel for each case: how much went on, and the slowest."""
    rates = ("acked_per_s", "delivered_per_s", "opened_per_s")
    cases = [c for c in results["cases"].values()
             if len(c.get("result", {}).get("progress", [])) > 3
             and any(p[k] for p in c["result"]["progress"] for k in rates)]
    if not cases:
        return
    rows = (len(cases) + 2) // 3
    script = f"set multiplot layout {rows},3\nset key off\n"
    for i, case in enumerate(cases):
        points = case["result"]["progress"]
        key = next(k for k in rates if any(p[k] for p in points))
        script += block(f"p{i}", (
            (p["at_s"], p[key], max(p["slowest_us"] / 1000, 0.1))
            for p in points)) + f"""
set title {quoted(case['name'] + ': ' + key.replace('_per_s', '/s'))} \
font ',11'
set ytics nomirror
set y2tics
set yrange [0:*]
set y2range [0.05:*]
set logscale y2
set y2label 'slowest, ms' font ',9'
plot $p{i} using 1:2 with lines lw 2 lc rgb '{COLOURS[0]}', \
$p{i} using 1:3 axes x1y2 with points pt 7 ps 0.3 lc rgb '{COLOURS[1]}'
"""
    gnuplot(path, (1200, 260 * rows), script + "unset multiplot\n")


def draw(results, directory):
    """Returns the names of the plots that were made."""
    if shutil.which("gnuplot") is None:
        return []
    made = []
    for name, plot in (("latency", latency), ("ceilings", ceilings),
                       ("cpu", cpu), ("progress", progress)):
        path = directory / f"{name}.svg"
        path.unlink(missing_ok=True)
        try:
            plot(results, path)
        except RuntimeError as fault:
            print(f"{name}.svg was not drawn: {fault}", file=sys.stderr)
            continue
        if path.exists():
            made.append(path.name)
    return made
