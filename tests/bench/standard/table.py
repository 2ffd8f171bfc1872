"""results.md: the tables as docs/benchmarks.md takes them.

SPDX-License-Identifier: MIT
"""

from standard.ceilings import CEILINGS
from standard.figures import shown, shown_target

LATENCIES = (("last_delivery", "last delivery"), ("delivery", "delivery"),
             ("ack", "answer"), ("opening", "connect to user_info"))


def row(*cells):
    return "| " + " | ".join(str(c) for c in cells) + " |"


def head(*cells):
    return [row(*cells), "|" + "---|" * len(cells)]


def targets(results):
    lines = head("what", "figure", "measured", "target", "met",
                 "of its ceiling")
    for case in results["cases"].values():
        if "failed" in case:
            lines.append(row(case["meaning"], case["failed"], "-", "", "no",
                             ""))
        for f in case.get("figures", []):
            met = {None: "", True: "yes", False: "**no**"}[f["met"]]
            if f["value"] is None and f["target"]:
                met = "**no**"
            share = "" if f["share"] is None else \
                f"{100 * f['share']:.0f} % of {f['ceiling']}"
            lines.append(row(case["meaning"], f["label"],
                             shown(f["value"], f["unit"]),
                             shown_target(f["target"], f["unit"]), met,
                             share))
    return lines


def bare(results):
    lines = head("ceiling", "what", "a second")
    for name, (meaning, _, _) in CEILINGS.items():
        if name in results["ceilings"]:
            lines.append(row(name, meaning,
                             f"{results['ceilings'][name]:,.0f}"))
    if "alone_ms" in results["ceilings"]:
        lines.append(row("alone_ms", "one commit by itself", shown(
            results["ceilings"]["alone_ms"], "ms")))
    return lines


def latencies(results):
    lines = head("what", "time", "p50", "p90", "p99", "p99.9", "max")
    for case in results["cases"].values():
        times = case.get("result", {}).get("latency_us", {})
        for key, meaning in LATENCIES:
            if key in times:
                lines.append(row(case["meaning"], meaning, *(
                    shown(times[key][p] / 1000, "ms")
                    for p in ("p50", "p90", "p99", "p999", "max"))))
    return lines


def cpu(results):
    lines = head("what", "process", "cores", "user", "system",
                 "switches (forced)")
    for case in results["cases"].values():
        result, per = case.get("result", {}), case.get("per", 0)
        for name, p in result.get("processes", {}).items():
            if not per or p["cores"] < 0.005:
                continue
            one = per * result["seconds"]
            lines.append(row(
                f"{case['meaning']}, per {case['one']}", name,
                f"{p['cores']:.2f}", f"{p['user_s'] / one * 1e6:.2f} us",
                f"{p['system_s'] / one * 1e6:.2f} us",
                f"{p['switches'] / one:.3f} "
                f"({p['switches_forced'] / one:.3f})"))
        if per and "machine" in result:
            m = result["machine"]
            lines.append(row(case["meaning"], "all others",
                             f"{m['others_cores']:.2f}, stolen "
                             f"{m['stolen_cores']:.2f}", "", "", ""))
    return lines


def work(results):
    """System calls and allocations, measured in a pass of their own."""
    lines = head("what", "process", "system calls", "the most frequent",
                 "allocations", "bytes allocated")
    for case in results.get("work", {}).values():
        for name, p in case["processes"].items():
            calls = p.get("calls")
            most = ", ".join(f"{k} {v:.2f}" for k, v in p.get("most", []))
            allocated = p.get("allocations")
            lines.append(row(
                f"{case['meaning']}, per {case['one']}", name,
                "" if calls is None else f"{calls:.2f}", most,
                "" if allocated is None else f"{allocated:.2f}",
                "" if allocated is None else f"{p['bytes']:,.0f}"))
    return lines


def met(results):
    """How many targets were met."""
    wanted = [f for case in results["cases"].values()
              for f in case.get("figures", []) if f["target"]]
    return f"{sum(f['met'] is True for f in wanted)} of {len(wanted)}"


def table(results):
    parts = [[f"Measured on {results['machine']}, {results['when']}, "
              f"revision {results['revision']}; {met(results)} targets "
              "met."], targets(results),
             ["Ceilings, measured in the same run:"], bare(results),
             ["Latencies:"], latencies(results),
             ["CPU of each process (1.00 is one core all the time; `client` "
              "is the load tool itself):"], cpu(results)]
    if results.get("work"):
        parts += [["Work, counted in a pass of its own, since counting "
                   "disturbs:"], work(results)]
    parts += [[note] for note in results.get("notes", [])]
    return "\n\n".join("\n".join(p) for p in parts) + "\n"
