"""python3 benches/peers: the same work on other systems and on Galewire, in turns."""

import argparse
import importlib
import json
import os
import signal
import sys

import build
import measure
import network
from cases import CASES, RATE
from report import summary, table

OURS = "galewire"
PEERS = ["storm", "flink", "bytewax", "awk"]
BINARY = build.ROOT / "target" / "release" / "galewire"


def main() -> int:
    options = parse()
    # What was started is ended also by SIGTERM.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    systems, failures = prepare(options)
    try:
        network.isolate()
    except build.Failure as failure:
        failures += tell("network", failure)
        systems.pop("storm", None)
    measure.adopt_orphans()
    report = {}
    for case in options.case:
        rows = [row for row in CASES[case] if row.system in systems]
        runs = {row.name: [] for row in CASES[case]}
        for number in range(options.runs):
            for row in rows:
                say(f"{case} {number + 1}/{options.runs}: {row.name}")
                failures += measured(case, row, systems[row.system], options, runs[row.name])
        report[case] = summary(case, rows, runs)
        print("\n" + table(case, report[case]) + "\n", flush=True)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            told = {"runs": options.runs, "seconds": options.seconds, "cases": report}
            json.dump(told, file, indent=1)
    for failure in failures:
        say(failure)
    return 1 if failures else 0


def prepare(options):
    """The modules of the systems that can be run, and what went wrong with the others."""
    build.sentences()
    systems, failures = {}, []
    if "child" in options.case:
        try:
            build.children()
        except build.Failure as failure:
            failures += tell("child", failure)
            options.case = [case for case in options.case if case != "child"]
    for name in [OURS, *options.only]:
        module = importlib.import_module(f"systems.{name}")
        try:
            module.prepare()
            systems[name] = module
        except build.Failure as failure:
            failures += tell(name, failure)
    return systems, failures


def measured(case, row, system, options, runs):
    """Adds the figures of one run, or None; gives what went wrong."""
    given = {name: getattr(options, name) for name in ("seconds", "warm_up", "binary")}
    try:
        with measure.Run(f"{case}, {row.name}".replace(", ", "-").replace(" ", "-")) as run:
            runs.append(system.run(run, case, {"rate": RATE, **given, **row.settings}))
        return []
    except build.Failure as failure:
        runs.append(None)
        return tell(f"{case}, {row.name}", failure)


def tell(what, failure):
    """Said at once, and again at the end."""
    text = f"FAILED {what}: {failure}"
    say(text)
    return [text]


def say(text):
    print(text, file=sys.stderr, flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="peers", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="rounds; in each all run once")
    parser.add_argument("--seconds", type=int, default=20, help="how long a run is measured")
    parser.add_argument("--warm-up", type=float, help="seconds before; default: as each needs")
    for option, names in (("--only", PEERS), ("--case", list(CASES))):
        parser.add_argument(option, type=some_of(names), default=names, help=",".join(names))
    parser.add_argument("--json", metavar="FILE", help="write all figures to this file")
    parser.add_argument("--binary", default=BINARY, help="default: the release build")
    options = parser.parse_args()
    options.binary = os.path.abspath(options.binary)
    return options


def some_of(names):
    def chosen(text):
        wanted = text.split(",")
        if strange := [name for name in wanted if name not in names]:
            raise argparse.ArgumentTypeError(f"no {strange[0]}; there are {', '.join(names)}")
        return wanted
    return chosen


if __name__ == "__main__":
    sys.exit(main())
