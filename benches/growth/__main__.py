"""python3 benches/growth: what a message costs as the work grows, as a table and a picture."""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import plot

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
TOP = "topology."


class Step(NamedTuple):
    """One size of the work."""

    size: int
    messages: int
    settings: dict


class Growth(NamedTuple):
    """What grows, and the file that is run."""

    name: str
    title: str
    file: str
    steps: list


def links(count):
    settings = {TOP + "workers": count + 1, "bolts.null.parallelism": count}
    return Step(count, 6_000_000, settings)


def tasks(count):
    return Step(count, 6_000_000, {"bolts.identity.parallelism": count})


def pending(count):
    # One batch more than is held is always let in. Three times as many messages as are pending: the first ones
    # find no room that has been used, which happens once in a spout's life.
    settings = {TOP + "max_spout_pending": count, "bolts.hold.config.open": count - count // 4}
    return Step(count, 6_000_000 + 3 * count, settings)


GROWTHS = [
    Growth("links", "links from the spout's worker", "links.toml", [links(n) for n in (1, 2, 4, 8)]),
    Growth("tasks", "tasks of a bolt", "tasks.toml", [tasks(n) for n in (10, 30, 100, 300, 1000)]),
    Growth("pending", "pending roots", "pending.toml",
           [pending(10**power) for power in (3, 4, 5, 6, 7)]),
]


def main() -> int:
    options = parse()
    table = {}
    for growth in GROWTHS:
        if options.only and growth.name not in options.only:
            continue
        table[growth.name] = points = []
        # In turns, so that what else the machine does falls on all of them.
        costs = {step.size: [] for step in growth.steps}
        for _ in range(options.runs):
            for step in growth.steps:
                costs[step.size].append(cost(options, growth, step))
        for size, found in costs.items():
            points.append((size, statistics.median(found), min(found), max(found)))
        show(growth, points)
    if options.plot:
        titles = {growth.name: growth.title for growth in GROWTHS}
        panels = [(titles[name], points) for name, points in table.items()]
        Path(options.plot).write_text(plot.picture(panels), encoding="utf-8")
    if options.json:
        Path(options.json).write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    return 0


def cost(options, growth, step):
    """CPU microseconds of all processes for a message, less what starting and ending take."""
    messages = max(1, int(step.messages * options.scale))
    idle, busy = (cpu_seconds(options, growth, step, count) for count in (1, messages))
    return (busy - idle) / messages * 1e6


def cpu_seconds(options, growth, step, count):
    settings = {**step.settings, "spouts.source.config.count": count}
    command = [options.binary, "run", HERE / growth.file, "--json"]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
    told = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{growth.name} {step.size} ended with {process.returncode}:\n{told[-2000:]}")
    totals = json.loads(told.splitlines()[-1])["totals"]["components"]
    [spout] = [part for part in totals if part["role"] == "spout"]
    if spout["counters"]["acked"] != count:
        sys.exit(f"{growth.name} {step.size}: {spout['counters']['acked']} of {count} were acked")
    return usage.ru_utime + usage.ru_stime


def show(growth, points):
    print(f"\n{growth.title:<32}  CPU µs/message (spread)      against the first")
    first = points[0][1]
    for size, middle, least, most in points:
        print(f"{size:>32,}  {middle:14.3f} ({least:.3f}–{most:.3f})  {middle / first:17.2f}×",
              flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="growth", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="rounds; in each all sizes run once")
    parser.add_argument("--scale", type=float, default=1.0, help="how much of the work is done")
    parser.add_argument("--only", nargs="+", choices=[growth.name for growth in GROWTHS])
    parser.add_argument("--plot", metavar="FILE", help="write an SVG picture")
    parser.add_argument("--json", metavar="FILE", help="write the figures")
    binary = ROOT / "target" / "release" / "galewire"
    parser.add_argument("--binary", default=binary, help="default: the release build")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
