"""python3 chaos: kills, stops and starves real topologies, and counts what comes out."""

import argparse
import os
import signal
import sys
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection, wait
from typing import Dict, Iterable

from report import Report
from rounds import play
from schedule import Round, plan_round, rounds
from topologies import CASES, named

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BINARY = os.path.join(ROOT, "target", "release", "galewire")


def main() -> int:
    options = parse()
    # What a round has started is ended with it, also by SIGTERM.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if options.list:
        for case in CASES:
            print(f"{case.name:10} {case.summary}\n{'':10} {', '.join(case.faults)}")
        return 0
    cases = [named(name) for name in options.case or []] or CASES
    cases = [case.standing_still(options.stall_seconds) for case in cases if case.name not in (options.skip or [])]
    report = Report(options.seed)
    if options.round is not None:
        planned = [plan_round(options.seed, options.round, cases[0], options.tuples, options.faults)]
    else:
        planned = rounds(options.seed, cases, options.round_tuples, options.round_faults)
    play_all(planned, report, options)
    if options.judge_times:
        report.judge_times()
    report.print()
    return 1 if report.failed else 0


def play_all(planned: Iterable[Round], report: Report, options: argparse.Namespace) -> None:
    """Plays rounds until there were enough, or one has failed; some at a time, each in a process."""
    planned = iter(planned)
    under_way: Dict[Connection, Process] = {}
    try:
        while True:
            over = report.failed or report.enough(options.tuples, options.faults)
            while not over and len(under_way) < options.jobs and (plan := next(planned, None)):
                result, sender = Pipe(duplex=False)
                under_way[result] = Process(target=play_one, args=(sender, plan, options))
                under_way[result].start()
                sender.close()
            if not under_way:
                return
            for result in wait(list(under_way)):
                report.add(result.recv())
                under_way.pop(result).join()
    finally:
        for process in under_way.values():
            process.terminate()
        for process in under_way.values():
            process.join()


def play_one(sender: Connection, plan: Round, options: argparse.Namespace) -> None:
    sender.send(play(plan, options.binary, options.keep, not options.no_mounts))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="all that is done follows from it")
    parser.add_argument("--faults", type=int, default=1000, help="at least so many")
    parser.add_argument("--tuples", type=int, default=10_000_000, help="at least so many at the sinks")
    parser.add_argument("--case", action="append", help="only this topology; can be given again")
    parser.add_argument("--skip", action="append", help="not this topology; can be given again")
    parser.add_argument("--round", type=int, help="only this round, to repeat it")
    parser.add_argument("--round-faults", type=int, default=25, help="faults of a round")
    parser.add_argument("--round-tuples", type=int, default=250_000, help="tuples of a round")
    parser.add_argument("--jobs", type=int, default=2, help="rounds at a time")
    parser.add_argument("--stall-seconds", type=float, default=25.0, help="how long the sink of the case `stopped` stands still")
    parser.add_argument("--no-mounts", action="store_true", help="limit files where small disks would be filled")
    parser.add_argument("--judge-times", action="store_true", help="fail where a recovery takes too long")
    parser.add_argument("--binary", default=BINARY, help="default: the release build")
    parser.add_argument("--keep", action="store_true", help="keep the folders of all rounds")
    parser.add_argument("--list", action="store_true", help="show the topologies and their faults")
    options = parser.parse_args()
    options.binary = os.path.abspath(options.binary)
    return options


if __name__ == "__main__":
    sys.exit(main())
