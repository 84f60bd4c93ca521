"""python3 benches/profile.py: where a message's time goes, by perf: shares and CPU nanoseconds by kind of work.

A sample counts for the innermost frame that a rule knows, inlined functions included.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
CASES = ROOT / "src" / "cli" / "bench" / "topologies"

#: Kind of work, what is looked at (function or file), what it contains. The first that fits counts.
RULES = [
    ("values: copies, drops", "function", r"drop_in_place.*(Value|Tuple)|Value as .*Clone|ecow|EcoVec|EcoString"),
    ("user code", "file", r"/src/builtin/"),
    ("encode", "function", r"\bput_|push_remote|set_apart"),
    ("decode", "function", r"open_part"),
    ("decode", "file", r"/src/tuple/wire"),
    ("acks", "file", r"/src/ack/|spout_task/roots|executor/replay"),
    ("acks", "function", r"flush_acks"),
    ("link", "file", r"/src/transport/|/src/worker/|/zeromq-|asynchronous-codec|/tokio-[^/]*/src/net/"),
    ("link", "function", r"unix_stream_|sock_|do_epoll|ep_poll|ksys_(read|write)"),
    ("queues, wake-ups", "file", r"/mailbox\.rs|/base/(signal|alarm|executors)\.rs"),
    ("route", "file", r"/src/grouping/|/executor/(routes|lane|runs|emit|spout_emit)|/component/collector|/tuple/canonical|/tuple/key"),
    ("loops of tasks", "file", r"/executor/"),
    ("queues, wake-ups", "function", r"futex|schedule|tokio::|try_to_wake_up|park"),
    ("queues, wake-ups", "file", r"/tokio-"),
    ("values: copies, drops", "file", r"/src/tuple/|/ecow-|/smallvec-"),
    ("hash tables", "file", r"/hashbrown-"),
    ("memory: allocator, moves", "file", r"mimalloc"),
    ("memory: allocator, moves", "function", r"\bmi_|__mem(cpy|move|set|cmp)|page_fault|clear_page"),
    ("kernel: switches", "function", r"finish_task_switch|_raw_spin|__schedule|irqentry|syscall"),
]


def main() -> int:
    options = parse()
    with tempfile.TemporaryDirectory() as folder:
        cpu, stacks = record(options, Path(folder) / "perf.data")
    frames = symbols(options.binary, {address for stack in stacks for address, _ in stack if address})
    kinds = Counter(kind_of(stack, frames) for stack in stacks)
    total = sum(kinds.values())
    each = cpu / options.count * 1e9
    print(f"{options.topology.name}, {options.workers} worker(s): {each:,.0f} ns CPU a message, {total:,} samples")
    for kind, count in kinds.most_common():
        print(f"{kind:<24}{count / total:7.1%}{each * count / total:9,.0f} ns")
    return 0


def record(options, data):
    """CPU seconds of a run, and the stacks of its samples: (address in the program or None, name)."""
    run = [options.binary, "run", options.topology, "--quiet",
           "--set", f"topology.workers={options.workers}",
           "--set", f"spouts.source.config.count={options.count}"]
    perf = ["perf", "record", "-q", "-F", "997", "-g", "-o", data, "--", *run]
    process = subprocess.Popen(perf, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"perf record ended with {process.returncode}")
    script = ["perf", "script", "-i", data, "-F", "comm,ip,sym,dso"]
    text = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    own = f"({os.path.realpath(options.binary)})"
    stacks = []
    for block in text.split("\n\n"):
        stack = []
        for line in block.splitlines()[1:]:
            address, _, rest = line.strip().partition(" ")
            stack.append((address if own in rest else None, rest))
        if stack:
            stacks.append(stack)
    return usage.ru_utime + usage.ru_stime, stacks


def symbols(binary, addresses):
    """For each address its functions with their files, what is inlined first."""
    listed = sorted(addresses)
    shift = text_shift(binary)
    command = ["addr2line", "-e", binary, "-i", "-f", "-C", "-a"]
    lines = "".join(f"{int(address, 16) + shift:#x}\n" for address in listed)
    text = subprocess.run(command, input=lines, capture_output=True, text=True, check=True).stdout
    found, current = {}, None
    rows = iter(text.splitlines())
    for row in rows:
        if re.fullmatch(r"0x[0-9a-f]{8,}", row):
            current = found.setdefault(f"{int(row, 16) - shift:x}", [])
        else:
            current.append((row, next(rows)))
    return found


def text_shift(binary):
    """perf names code by its place in the file, and addr2line by its address."""
    command = ["readelf", "-lW", binary]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    [code] = re.findall(r"LOAD\s+0x(\w+) 0x(\w+) .* R E ", text)
    return int(code[1], 16) - int(code[0], 16)


def kind_of(stack, frames):
    for address, name in stack:
        for function, file in frames.get(address, []) if address else []:
            if kind := fits(function, file):
                return kind
        if kind := fits(name, ""):
            return kind
    return "other"


def fits(function, file):
    for kind, what, pattern in RULES:
        if re.search(pattern, function if what == "function" else file):
            return kind
    return None


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="profile", description=__doc__.splitlines()[0])
    parser.add_argument("topology", nargs="?", type=Path, default=CASES / "word-count.toml")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--count", type=int, default=6_000_000, help="messages")
    binary = ROOT / "target" / "release" / "galewire"
    parser.add_argument("--binary", default=str(binary), help="default: the release build")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
