"""Instructions for each operation of the data path's parts, counted by valgrind: `python3 benches/instructions.py`.

They do not depend on what else the machine does, so one binary compares with another to a tenth of a percent:
`python3 benches/instructions.py --save before.json`, then `--against before.json`.
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = (20, 60)


def binary():
    """The benchmark, built."""
    command = ["cargo", "bench", "-j2", "--bench", "micro", "--no-run", "--message-format=json"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    artifacts = (json.loads(line) for line in done.stdout.splitlines())
    return next(a["executable"] for a in artifacts if a.get("executable") and a["target"]["name"] == "micro")


def instructions(program, name, rounds):
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, name, str(rounds)]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    counted = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not counted:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}\n{done.stderr}")
    return int(counted[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--save", type=Path, metavar="FILE")
    parser.add_argument("--against", type=Path, metavar="FILE")
    options = parser.parse_args()
    before = json.loads(options.against.read_text()) if options.against else {}
    program = binary()
    listed = subprocess.run([program, "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout
    found = {}
    for line in listed.splitlines():
        name, operations = line.split("\t")
        few, many = (instructions(program, name, rounds) for rounds in ROUNDS)
        found[name] = (many - few) / (ROUNDS[1] - ROUNDS[0]) / int(operations)
        ratio = f"{found[name] / before[name]:>10.3f}×" if name in before else ""
        print(f"{name:<32}{found[name]:>10.1f} instructions{ratio}", flush=True)
    if options.save:
        options.save.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
