"""Word count through whole topologies, with the release binary: `python3 benches/topologies.py [NAME…]`.

Prints, for each case, sentences a second between the first and the last ack, and CPU seconds of all processes per
million sentences (start-up included). A sentence has six words; every tuple is acked. The cases with a client library
of Storm's need `sh tests/clients.sh`, which installs them as they were released; their scripts are those of the tests.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
BINARY = ROOT / "target" / "release" / "galewire"
CLIENTS = ROOT / "target" / "clients"
FOLDER = ROOT / "target" / "bench"

CASES = {
    # name: (topology, sentences, settings)
    "rust-1": ("rust.toml", 6_000_000, {"topology.workers": 1}),
    "rust-2": ("rust.toml", 4_000_000, {"topology.workers": 2}),
    "rust-1-no-acks": ("rust.toml", 6_000_000, {"topology.guarantee": '"at_most_once"'}),
    "python": ("python.toml", 1_500_000, {}),
    "node": ("node.toml", 1_500_000, {}),
    "python-orjson": ("python.toml", 1_500_000, {"topology.python": f'"{FOLDER}/orjson/bin/python"'}),
    "storm-style-python": ("storm-python.toml", 100_000, {}),
    "storm.py": ("client.toml", 100_000, {}),
    "storm.py-on-request": ("client.toml", 10_000, {"bolts.split.task_ids": '"on_request"'}),
    "storm.js": ("client.toml", 300_000, {}),
    "streamparse": ("client.toml", 100_000, {}),
}

# What a client's split is run with, and the files that lie together in its folder.
SCRIPTS = ROOT / "tests" / "clients" / "scripts"
COMMANDS = {
    "storm.py": (["python3", "split.py"], [SCRIPTS / "storm-py" / "split.py", CLIENTS / "storm" / "storm.py"]),
    "storm.js": (["node", "split.js"], [SCRIPTS / "storm-js" / "split.js", CLIENTS / "storm" / "storm.js"]),
    "streamparse": (
        [str(CLIENTS / "python" / "bin" / "python"), "-m", "streamparse.run", "split.Split"],
        [SCRIPTS / "streamparse" / "src" / "bolts" / "split.py"],
    ),
}


def prepare(name):
    """The settings that a case needs beside its own."""
    if name == "python-orjson" and not (FOLDER / "orjson").exists():
        subprocess.run([sys.executable, "-m", "venv", FOLDER / "orjson"], check=True)
        subprocess.run([FOLDER / "orjson" / "bin" / "pip", "install", "--quiet", "orjson"], check=True)
    client = name.removesuffix("-on-request")
    if client not in COMMANDS:
        return {}
    command, files = COMMANDS[client]
    folder = FOLDER / client
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        shutil.copy(file, folder)
    return {"bolts.split.command": json.dumps(command), "bolts.split.dir": json.dumps(str(folder))}


def run(topology, sentences, settings):
    settings = {"spouts.sentences.config.count": sentences, **settings}
    command = [str(BINARY), "run", str(HERE / "topologies" / topology), "--json"]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    events = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}\n{done.stderr[-2000:]}")
    finished = events[-1]
    spout = finished["totals"]["components"][0]["counters"]
    assert spout["acked"] == sentences, spout
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    # What starts and stops takes the same time however many sentences there are; a run of none tells how long.
    return sentences, wall, cpu


def start_up(topology, settings):
    return min(run(topology, 1, settings)[1] for _ in range(2))


def main():
    os.chdir(HERE.parent)
    wanted = sys.argv[1:] or list(CASES)
    print(f"{'case':<22}{'sentences/s':>14}{'words/s':>14}{'CPU s per million':>20}{'start and end s':>18}")
    for name in wanted:
        topology, sentences, settings = CASES[name]
        settings = {**settings, **prepare(name)}
        idle = start_up(topology, settings)
        count, wall, cpu = run(topology, sentences, settings)
        rate = count / max(wall - idle, 1e-3)
        print(f"{name:<22}{rate:>14,.0f}{rate * 6:>14,.0f}{cpu / count * 1e6:>20.2f}{idle:>18.2f}", flush=True)


if __name__ == "__main__":
    main()
