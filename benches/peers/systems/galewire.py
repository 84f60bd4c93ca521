"""Galewire: runs of a bounded input, less what a run of one message takes."""

import json

from build import COMMANDS, CHILDREN, HERE, SENTENCES, Failure

#: The topologies of all cases.
FOLDER = HERE / "galewire"


def prepare():
    """The Makefile builds it; the binary is named on the command line."""


def run(run, case, settings):
    chosen = [setting for pair in choices(case, settings) for setting in ("--set", "=".join(pair))]
    file = FOLDER / ("child-sdk.toml" if settings.get("client") == "sdk" else f"{case}.toml")
    command = [settings["binary"], "run", file, "--json", *chosen]
    idle = spend(run, command, 1)
    run.memory_mib = 0.0
    if case == "latency":
        count = settings["rate"] * settings["seconds"]
    else:
        count = enough(run, command, idle, settings["seconds"])
    cost = spend(run, command, count)
    figures = {
        "rate": count / max(cost.wall - idle.wall, 1e-3),
        "cpu_per_million": max(cost.cpu - idle.cpu, 0) / count * 1e6,
        "first_result_s": idle.wall,
        "memory_mib": run.memory_mib,
    }
    if case == "latency":
        # What starting takes differs from run to run; no more than was offered can have come.
        figures["rate"] = min(figures["rate"], settings["rate"])
        told = json.loads(run.said("galewire").splitlines()[-1])
        figures.update((name, told[name]) for name in ("p50_us", "p99_us", "p999_us"))
    return figures


def choices(case, settings):
    yield "topology.workers", str(settings.get("workers", 1))
    if case in ("word-count", "child"):
        # A list of plain ASCII texts is the same in JSON and TOML.
        yield "spouts.source.config.fields.sentence", json.dumps(SENTENCES.read_text().splitlines())
    if case == "word-count":
        for component in ("spouts.source", "bolts.split", "bolts.count"):
            yield f"{component}.parallelism", str(settings["parallelism"])
    if case == "latency":
        yield "spouts.source.config.rate", str(settings["rate"])
    if (client := settings.get("client", "sdk")) != "sdk":
        yield "bolts.split.command", json.dumps(COMMANDS[client][0].split())
        yield "bolts.split.dir", json.dumps(str(CHILDREN / client))


def enough(run, command, idle, seconds):
    """How many messages take the wanted time, by runs of ever more."""
    count, least = 5_000, seconds / 4
    while (took := spend(run, command, count).wall - idle.wall) < least:
        count = int(count * min(10, max(2, 1.2 * least / max(took, 1e-3))))
    return int(count * seconds / took)


def spend(run, command, count):
    """What a whole run takes. Every message must have been acked."""
    cost = run.cost("galewire", *command, "--set", f"spouts.source.config.count={count}")
    last = json.loads(run.said("galewire", "err").splitlines()[-1])
    [spout] = [part for part in last["totals"]["components"] if part["role"] == "spout"]
    if (acked := spout["counters"]["acked"]) != count:
        raise Failure(f"{acked} of {count} messages were acked, see {run.folder}")
    return cost
