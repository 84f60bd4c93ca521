"""One run: starts its processes, samples what they take, reads what their sinks told, ends them."""

import ctypes
import os
import resource
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from build import SENTENCES, TARGET, Failure

LIBC = ctypes.CDLL(None)
TICKS = os.sysconf("SC_CLK_TCK")
PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / 2**20
SAMPLE_EVERY = 0.25
#: How long what a program started may take to end behind it.
LEFTOVERS_WITHIN = 2.0
PERCENTILES = {"p50_us": 0.5, "p99_us": 0.99, "p999_us": 0.999}


class Cost(NamedTuple):
    """Seconds, and CPU seconds."""

    wall: float
    cpu: float


class Run:
    """A folder, PEERS_DIR, and all that is started. Leaving the context ends every process."""

    def __init__(self, name):
        self.folder = TARGET / "runs" / name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        own = {"PEERS_DIR": str(self.folder), "PEERS_SENTENCES": str(SENTENCES)}
        self.environment = {**os.environ, **own}
        self.started = {}
        self.memory_mib = 0.0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end_all()

    def start(self, label, *command, cwd=None, **environment):
        """Standard output and error go to LABEL.out and LABEL.err of the folder."""
        path = self.folder / label
        with open(f"{path}.out", "wb") as out, open(f"{path}.err", "wb") as err:
            try:
                process = subprocess.Popen(
                    [str(part) for part in command], cwd=cwd or self.folder,
                    env={**self.environment, **environment}, stdin=subprocess.DEVNULL, stdout=out,
                    stderr=err, start_new_session=True, preexec_fn=die_with_parent)
            except FileNotFoundError:
                raise Failure(f"{command[0]} is missing") from None
        self.started[label] = process
        return process

    def finish(self, label, within=600):
        """Waits for a process that ends by itself."""
        process = self.started[label]
        deadline = time.monotonic() + within
        ended = os.pidfd_open(process.pid)
        try:
            while not select.select([ended], [], [], SAMPLE_EVERY)[0]:
                self._sample()
                if time.monotonic() > deadline:
                    raise Failure(f"{label} has not ended within {within} s, see {self.folder}")
        finally:
            os.close(ended)
        process.wait()
        self.check()

    def cost(self, label, *command, **environment):
        """What a program takes from its start to its end, its children included."""
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        self.start(label, *command, **environment)
        self.finish(label)
        wall = time.monotonic() - began
        # What it left behind was adopted, and its time is known when it was waited for.
        self._watch(time.monotonic() + LEFTOVERS_WITHIN, while_any=True)
        reap()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return Cost(wall, sum(after[:2]) - sum(before[:2]))

    def check(self):
        """Fails where a process has ended otherwise than well."""
        for label, process in self.started.items():
            if process.poll():
                said = self.said(label, "out")[-1000:] + self.said(label, "err")[-2000:]
                raise Failure(f"{label} ended with {process.returncode}:\n{said}")

    def said(self, label, stream="out"):
        return (self.folder / f"{label}.{stream}").read_text(errors="replace")

    def steady(self, began, warmup, seconds, per_message=1):
        """The figures of `seconds` after the first result and the warm-up.

        `per_message`: how often sinks count one.
        """
        first = self._first_result()
        self._watch(first + warmup)
        begin, used = time.monotonic(), processes()
        self._watch(begin + seconds)
        end, used_then = time.monotonic(), processes()
        time.sleep(2 * SAMPLE_EVERY)
        taps = self._taps()
        messages = sum(total_at(tap, end) - total_at(tap, begin) for tap in taps) / per_message
        if messages <= 0:
            raise Failure(f"nothing arrived any more, see {self.folder}")
        cpu = sum(seconds - used.get(pid, (0, 0))[0] for pid, (seconds, _) in used_then.items())
        return {
            "rate": messages / (end - begin),
            "cpu_per_million": cpu / messages * 1e6,
            "first_result_s": first - began,
            "memory_mib": self.memory_mib,
            **percentiles(taps, begin, end),
        }

    def _first_result(self, within=120):
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if taps := self._taps():
                return min(tap[0][0] for tap in taps)
            self.check()
            time.sleep(0.05)
        raise Failure(f"no result within {within} s, see {self.folder}")

    def _watch(self, until, while_any=False):
        """Until then, or until nothing runs any more."""
        while (left := until - time.monotonic()) > 0 and not (while_any and not processes()):
            self._sample()
            self.check()
            time.sleep(min(SAMPLE_EVERY, left))

    def _sample(self):
        self.memory_mib = max(self.memory_mib, sum(mib for _, mib in processes().values()))

    def _taps(self):
        """What each process wrote: (monotonic seconds, total, histogram as text), in order."""
        taps = []
        for file in self.folder.glob("tap-*.txt"):
            # The last line may be half written.
            lines = [line.split(" ") for line in file.read_text().split("\n")[:-1]]
            taps.append([(int(nanos) / 1e9, int(total), told) for nanos, total, told in lines])
        return [tap for tap in taps if tap]


def total_at(tap, at):
    """Linear between two samples."""
    before = (tap[0][0], 0)
    for moment, total, _ in tap:
        if moment >= at:
            part = max(at - before[0], 0) / (moment - before[0] or 1)
            return before[1] + (total - before[1]) * part
        before = (moment, total)
    return before[1]


def percentiles(taps, begin, end):
    """Of the latencies between two moments; nothing where none were taken."""
    counts = {}
    for tap in taps:
        for at, sign in ((begin, -1), (end, 1)):
            text = [histogram for moment, _, histogram in tap if moment <= at][-1:]
            for bucket in text[0].split(",") if text and text[0] else []:
                nanos, count = map(int, bucket.split(":"))
                counts[nanos] = counts.get(nanos, 0) + sign * count
    everything = sum(counts.values())
    found = {}
    for name, share in PERCENTILES.items():
        seen = 0
        for nanos, count in sorted(counts.items()):
            seen += count
            if count and seen >= share * everything:
                found[name] = nanos / 1e3
                break
    return found


def die_with_parent():
    """Called in the new process: what is started does not outlive a driver that is killed."""
    set_parent_death_signal = 1
    LIBC.prctl(set_parent_death_signal, signal.SIGKILL)


def adopt_orphans():
    """Processes whose parents end become children of this one: they are counted and ended too."""
    set_child_subreaper = 36
    LIBC.prctl(set_child_subreaper, 1, 0, 0, 0)


def processes():
    """CPU seconds and resident MiB of every process below this one."""
    table = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        cpu, memory = (int(fields[11]) + int(fields[12])) / TICKS, int(fields[21]) * PAGE_MIB
        table.setdefault(int(fields[1]), []).append((int(folder.name), fields[0], cpu, memory))
    ours, parents = {}, [os.getpid()]
    while parents:
        for pid, state, cpu, memory in table.get(parents.pop(), []):
            parents.append(pid)
            if state != "Z":
                ours[pid] = (cpu, memory)
    return ours


def end_all():
    """Kills every process below this one, and waits until all are gone.

    One with many threads is a zombie before the last of them has ended, and only then can it be waited for:
    its time must not be counted with what is started next.
    """
    while not reap():
        for pid in processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.02)


def reap():
    """Waits for what has ended; true where nothing is left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return True
    return False
