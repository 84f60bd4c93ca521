"""One project folder and the runs of the real binary in it. Knows nothing of faults or of what is right."""

import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
import uuid
from typing import Dict, List, Optional, Tuple

from processes import MARK, Family, Process, resident

BOLTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bolts")
#: How long what is left of a run may take to go.
LEFTOVERS_WITHIN = 2.0


LIBC = ctypes.CDLL(None)


def die_with_parent() -> None:
    """Called in the new process: a run does not outlive a harness that is killed."""
    set_parent_death_signal = 1
    LIBC.prctl(set_parent_death_signal, signal.SIGKILL)


class Engine:
    """A topology in a folder of its own; one run at a time."""

    def __init__(self, binary: str, folder: str, topology: str, lines: int) -> None:
        self.binary = binary
        self.folder = folder
        self.family = Family(mark := uuid.uuid4().hex)
        self._mark = mark
        self._process: Optional[subprocess.Popen] = None
        self._reader: Optional[threading.Thread] = None
        #: What the runs have told: when it was heard, and the event. A copy is in `told.jsonl`.
        self.events: List[Tuple[float, dict]] = []
        #: Lines of standard error that are no events.
        self.said: List[str] = []
        self.runs = 0
        #: Counters as last told, of the present run and of those before it.
        self.totals: dict = {}
        self.totals_before: List[dict] = []
        os.makedirs(os.path.join(folder, "tmp"), exist_ok=True)
        self._told = open(self.path("told.jsonl"), "w", encoding="utf-8", buffering=1)
        for name in os.listdir(BOLTS):
            shutil.copy(os.path.join(BOLTS, name), folder)
        self.write("topology.toml", topology)
        self.write("input.txt", "".join(f"{n} and some more text\n" for n in range(lines)))

    def path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def write(self, name: str, text: str) -> None:
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def _environment(self) -> Dict[str, str]:
        return {**os.environ, MARK: self._mark, "TMPDIR": self.path("tmp"), "NO_COLOR": "1",
                "PYTHONDONTWRITEBYTECODE": "1"}

    def slots(self) -> Dict[str, List[int]]:
        """Which workers run a component, as `galewire plan` tells."""
        slots = {}
        for line in self._plan().splitlines():
            cells = re.split(r"\s{2,}", line.strip())
            if cells[0].startswith(("spout ", "bolt ")) and len(cells) > 3:
                # "0 1×2": worker 0 and, twice, worker 1.
                slots[cells[0].split()[1]] = [int(slot.split("×")[0]) for slot in cells[3].split()]
        return slots

    def _plan(self) -> str:
        return subprocess.run([self.binary, "plan", "topology.toml"], cwd=self.folder, text=True,
                              env=self._environment(), stdout=subprocess.PIPE, check=True).stdout

    def start(self) -> None:
        self.runs += 1
        if self.totals:
            self.totals_before.append(self.totals)
            self.totals = {}
        # Signals that Python ignores stay ignored: a write beyond RLIMIT_FSIZE is an error then.
        self._process = subprocess.Popen(
            [self.binary, "run", "topology.toml", "--json"], cwd=self.folder,
            env=self._environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, restore_signals=False, start_new_session=True,
            preexec_fn=die_with_parent)
        self._reader = threading.Thread(target=self._read, args=(self._process.stderr,), daemon=True)
        self._reader.start()

    def _read(self, stream) -> None:
        for line in stream:
            heard = time.monotonic()
            try:
                event = json.loads(line)
            except ValueError:
                self.said.append(line.decode(errors="replace").rstrip())
                continue
            if "totals" in event:
                self.totals = event.pop("totals")
                for counts in self.totals["components"]:
                    counts["counters"].pop("latency", None)
            self.events.append((heard, event))
            self._told.write(json.dumps({"heard": round(heard, 3), **event, **(
                {"totals": self.totals} if event["event"] in ("progress", "finished") else {})}) + "\n")

    @property
    def pid(self) -> int:
        return self._process.pid

    def code(self) -> Optional[int]:
        """The exit code, once the run has ended."""
        return self._process.poll()

    def ended(self) -> Optional[dict]:
        """The event `finished` of the present run."""
        self._reader.join(LEFTOVERS_WITHIN)
        last = self.events[-1][1] if self.events else {}
        return last if last.get("event") == "finished" else None

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def heard(self, kind: str, since: float) -> Optional[float]:
        """When an event of this kind was first heard after `since`."""
        for heard, event in reversed(self.events):
            if heard < since:
                return None
            if event["event"] == kind:
                return heard
        return None

    def counter(self, role: str, name: str) -> int:
        """The sum of a counter over all components of a role, and over all runs."""
        return sum(counts["counters"][name]
                   for totals in [*self.totals_before, self.totals] if totals
                   for counts in totals["components"] if counts["role"] == role)

    def timed_out(self) -> int:
        """Messages that failed because their time was up, over all runs."""
        return sum(counts["counters"]["failed_by"].get("timed_out", 0)
                   for totals in [*self.totals_before, self.totals] if totals
                   for counts in totals["components"] if counts["role"] == "spout")

    def workers(self, living: Optional[List[Process]] = None) -> Dict[int, int]:
        """The workers' processes by slot."""
        workers = {}
        for process in living if living is not None else self.family.living():
            found = re.search(r" worker .*--slot (\d+)", process.command)
            if found and process.parent == self.pid:
                workers[int(found.group(1))] = process.pid
        return workers

    def children(self, command: str) -> List[int]:
        """The children of living workers whose command line contains this text."""
        living = self.family.living()
        workers = set(self.workers(living).values())
        return sorted(process.pid for process in living
                      if command in process.command and process.parent in workers)

    def memory(self, children: Dict[str, str]) -> Dict[str, int]:
        """Resident bytes by what a process does; of a component's children the most. `children`: what their commands contain."""
        living = self.family.living()
        workers = self.workers(living)
        taken = {"supervisor": resident(self.pid)}
        taken.update((f"worker {slot}", resident(pid)) for slot, pid in workers.items())
        for process in living:
            for component, text in children.items():
                if process.parent in workers.values() and text in process.command:
                    role = f"{component} ({'node' if '.mjs' in text else 'python'})"
                    taken[role] = max(taken.get(role, 0), resident(process.pid))
        return taken

    def may_wait(self) -> int:
        """The bytes that can wait in all queues, as `galewire plan` tells."""
        found = re.search(r"at most ([\d.,]+)([KMG])iB waiting", self._plan())
        return int(float(found.group(1).replace(",", "")) * (1 << {"K": 10, "M": 20, "G": 30}[found.group(2)]))

    def left_over(self) -> List[Process]:
        """Processes that are still there two seconds after the run has ended. They are killed then."""
        deadline = time.monotonic() + LEFTOVERS_WITHIN
        while ((living := self.family.living()) or self.family.may_grow()) and time.monotonic() < deadline:
            time.sleep(0.02)
        for process in living:
            try:
                os.kill(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return living

    def kill(self) -> None:
        """Ends whatever runs."""
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self.left_over()

    def close(self) -> None:
        self.kill()
        if self._process:
            self._reader.join()
            self._process.stderr.close()
        self._told.close()
