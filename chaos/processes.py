"""Which processes belong to a run: those that inherited its mark in their environment.

A process that has lost its parent is found too. Nothing here signals anybody.
"""

import os
import time
from typing import Dict, List, NamedTuple, Optional

MARK = "GALEWIRE_CHAOS_RUN"
#: A process that has had no environment for so many seconds has none.
BLANK_FOR = 0.2


class Process(NamedTuple):
    pid: int
    started: int
    parent: int
    command: str


class Family:
    """The living processes that bear one mark."""

    def __init__(self, mark: str) -> None:
        self._mark = f"{MARK}={mark}".encode()
        #: What is known of a process: its start, and whether it bears the mark.
        self._known: Dict[int, tuple] = {}
        #: Processes without any environment, and since when: those that just become another program have none for a moment.
        self._blank: Dict[tuple, float] = {}

    def may_grow(self) -> bool:
        """Whether one was seen that may turn out to be of the family."""
        return any(time.monotonic() - since < BLANK_FOR for since in self._blank.values())

    def living(self) -> List[Process]:
        found = []
        known = {}
        blank = {}
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            pid = int(name)
            stat = read_stat(pid)
            if stat is None:
                continue
            before = self._known.get(pid)
            ours = before[1] if before and before[0] == stat.started else self._bears_mark(pid)
            if ours is None:
                life = (pid, stat.started)
                blank[life] = self._blank.get(life, time.monotonic())
                continue
            known[pid] = (stat.started, ours)
            if ours and stat.state not in "ZX":
                found.append(Process(pid, stat.started, stat.parent, command(pid)))
        self._known, self._blank = known, blank
        return found

    def _bears_mark(self, pid: int) -> Optional[bool]:
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                environment = file.read()
                return self._mark in environment.split(b"\0") if environment else None
        except OSError:
            return False


class Stat(NamedTuple):
    state: str
    parent: int
    started: int


def read_stat(pid: int) -> Optional[Stat]:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            # The name stands in brackets and may hold anything.
            fields = file.read().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return Stat(fields[0], int(fields[1]), int(fields[19]))


def command(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def resident(pid: int) -> int:
    """Resident bytes."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def open_files(pid: int) -> int:
    """How many file descriptors a process has open."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


def listening_ports(pid: int) -> List[int]:
    """TCP ports of the loopback interface that a process listens on."""
    sockets = set()
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            try:
                target = os.readlink(f"/proc/{pid}/fd/{name}")
            except OSError:
                continue
            if target.startswith("socket:["):
                sockets.add(target[8:-1])
        with open(f"/proc/{pid}/net/tcp", encoding="ascii") as file:
            rows = [line.split() for line in file.readlines()[1:]]
    except OSError:
        return []
    listening = "0A"
    return [int(row[1].split(":")[1], 16) for row in rows
            if row[3] == listening and row[9] in sockets]
