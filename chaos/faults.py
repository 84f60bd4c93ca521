"""What can be done to a run, and how it is seen that it has recovered.

A fault finds its target, does its harm, and says what undoes it and what shows the recovery. It never judges.
"""

import os
import resource
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Callable, Dict, List, Optional, Tuple

from processes import open_files

if TYPE_CHECKING:
    from rounds import World


@dataclass(frozen=True)
class Fault:
    """A fault as planned: when the sink holds `at` numbers."""

    at: int
    kind: str
    #: Chooses among the targets that there are.
    choice: int
    #: Seconds that it lasts, where it does.
    span: float

    def __str__(self) -> str:
        return f"{self.kind} at {self.at:,} (choice {self.choice}, {self.span:.2f} s)"


@dataclass
class Fired:
    """A fault that was done."""

    target: str
    #: After how many seconds what undoes it is called.
    undo: List[Tuple[float, Callable[[], None]]] = field(default_factory=list)
    #: Whether what was hit is back; None where nothing has to come back.
    back: Optional[Callable[[], bool]] = None
    #: Whether the spout's own process is lost with it.
    spout_lost: bool = False
    #: Whether the run ends with it, and with which exit codes that is right.
    ends: Optional[Tuple[int, ...]] = None


def signal_process(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass  # It has ended by itself; what is tested shows elsewhere.


def pick(items: list, choice: int):
    return items[choice % len(items)] if items else None


class Child:
    """A child process that was picked."""

    def __init__(self, world: "World", choice: int) -> None:
        self.component = pick(sorted(world.case.children), choice)
        self._command = world.case.children[self.component]
        self._world = world
        self.before = world.engine.children(self._command)
        self.pid = pick(self.before, choice // 7)

    def back(self) -> bool:
        now = self._world.engine.children(self._command)
        return self.pid not in now and len(now) >= len(self.before)


def signalled_child(number: int) -> Callable:
    def fire(world: "World", fault: Fault) -> Optional[Fired]:
        child = Child(world, fault.choice)
        if child.pid is None:
            return None
        signal_process(child.pid, number)
        return Fired(f"{child.component} {child.pid}", back=child.back)
    return fire


def stop_child(world: "World", fault: Fault) -> Optional[Fired]:
    child = Child(world, fault.choice)
    if child.pid is None:
        return None
    signal_process(child.pid, signal.SIGSTOP)
    resume = (fault.span, lambda: signal_process(child.pid, signal.SIGCONT))
    return Fired(f"{child.component} {child.pid}", undo=[resume])


def kill_worker(world: "World", fault: Fault) -> Optional[Fired]:
    slot = fault.choice % world.case.workers
    pid = world.engine.workers().get(slot)
    if pid is None or not world.is_at_work(slot):
        return None
    signal_process(pid, signal.SIGKILL)
    return Fired(f"worker {slot}", back=world.replaced(slot), spout_lost=world.has_spout(slot))


def stop_worker(world: "World", fault: Fault) -> Optional[Fired]:
    slot = fault.choice % world.case.workers
    pid = world.engine.workers().get(slot)
    if pid is None or not world.is_at_work(slot):
        return None
    signal_process(pid, signal.SIGSTOP)
    resume = (fault.span, lambda: signal_process(pid, signal.SIGCONT))
    # A longer one may be taken for dead, and replaced.
    return Fired(f"worker {slot}", undo=[resume],
                 spout_lost=fault.span > SHORT and world.has_spout(slot))


def stop_supervisor(world: "World", fault: Fault) -> Optional[Fired]:
    pid = world.engine.pid
    signal_process(pid, signal.SIGSTOP)
    resume = (fault.span, lambda: signal_process(pid, signal.SIGCONT))
    return Fired("supervisor", undo=[resume])


def ended_supervisor(number: int, *codes: int) -> Callable:
    def fire(world: "World", fault: Fault) -> Optional[Fired]:
        if not all(world.is_at_work(slot) for slot in range(world.case.workers)):
            return None
        world.engine.signal(number)
        return Fired("supervisor", spout_lost=True, ends=codes)
    return fire


def limit(world: "World", pid: int, kind: int, least: int) -> Optional[Callable[[], None]]:
    """Lowers a limit of a process; what puts it back to that of the supervisor."""
    try:
        # No fault lowers how many files the supervisor may open, or how large those of the harness may be.
        usual, hard = resource.prlimit(0 if kind == resource.RLIMIT_FSIZE else world.engine.pid, kind)
        resource.prlimit(pid, kind, (least, hard))
    except (ProcessLookupError, PermissionError):
        return None

    def undo() -> None:
        try:
            resource.prlimit(pid, kind, (usual, hard))
        except ProcessLookupError:
            pass
    return undo


def full_disk(world: "World", fault: Fault) -> Optional[Fired]:
    """A file of the sink may not grow any more: as on a full disk, writing it fails."""
    slot = pick(world.slots["sink"], fault.choice)
    pid = world.engine.workers().get(slot)
    if pid is None or not world.is_at_work(slot):
        return None
    undo = limit(world, pid, resource.RLIMIT_FSIZE, world.sink_length() + fault.choice % 5000)
    return undo and Fired(f"sink of worker {slot}", undo=[(fault.span, undo)])


def full_letters(world: "World", fault: Fault) -> Optional[Fired]:
    """The same for the dead letters, and whatever else the spout's worker writes."""
    slot = pick(world.slots["lines"], fault.choice)
    pid = world.engine.workers().get(slot)
    if pid is None or not world.is_at_work(slot):
        return None
    length = os.path.getsize(world.engine.path(world.case.letters()))
    undo = limit(world, pid, resource.RLIMIT_FSIZE, length + fault.choice % 500)
    return undo and Fired(f"dead letters of worker {slot}", undo=[(fault.span, undo)])


def no_space(disk: str, instead: Callable) -> Callable:
    """A disk that is full; `instead`: what is done where none could be mounted."""
    def fire(world: "World", fault: Fault) -> Optional[Fired]:
        # Where nothing flows nobody would notice.
        if not world.flows() or not all(world.is_at_work(slot) for slot in range(world.case.workers)):
            return None
        if disk not in world.disks:
            return instead(world, fault)
        world.disks[disk].fill()
        return Fired(f"the disk of the {disk}", undo=[(fault.span, world.disks[disk].empty)])
    return fire


def no_files(world: "World", fault: Fault) -> Optional[Fired]:
    """No file may grow at all: not of the supervisor, not of the spout's worker."""
    workers = world.engine.workers()
    undo = []
    for pid in [world.engine.pid, *(workers[slot] for slot in world.slots["lines"] if slot in workers)]:
        undo.append(limit(world, pid, resource.RLIMIT_FSIZE, 0))
    return Fired("files of the supervisor and the spout", undo=[(fault.span, back) for back in undo if back])


def no_descriptors(world: "World", fault: Fault) -> Optional[Fired]:
    """A worker can open nothing any more, and then one of its children is killed."""
    slot = fault.choice % world.case.workers
    pid = world.engine.workers().get(slot)
    if pid is None or not world.is_at_work(slot):
        return None
    living = world.engine.family.living()
    child = pick([process.pid for process in living if process.parent == pid], fault.choice // 7)
    undo = limit(world, pid, resource.RLIMIT_NOFILE, open_files(pid))
    if undo and child:
        signal_process(child, signal.SIGKILL)
    return undo and Fired(f"worker {slot}", undo=[(fault.span, undo)])


def link(harm: Callable) -> Callable:
    def fire(world: "World", fault: Fault) -> Optional[Fired]:
        slot = fault.choice % world.case.workers
        connected = world.proxy.connections(slot)
        if connected < world.case.workers - 1 or not world.is_at_work(slot):
            return None
        accepted = world.proxy.accepted[slot]
        harm(world.proxy, slot, fault)
        back = None
        if fault.kind == "cut-link":
            back = lambda: world.proxy.accepted[slot] >= accepted + connected
        return Fired(f"links to worker {slot}", back=back)
    return fire


#: A process that stands still for no longer is not taken for dead.
SHORT = 1.0

#: What stands still or is cut off is waited for: no message fails.
WAITED_FOR = ("stop-child", "hold-child", "stop-supervisor", "cut-link", "stall-link", "delay-link")
#: Faults that end workers.
LOSES_WORKERS = ("kill-worker", "stop-worker", "kill-supervisor")


def failures(kind: str, span: float) -> int:
    """How often a fault may fail each message that is in flight."""
    if kind in WAITED_FOR or kind == "stop-worker" and span <= SHORT:
        return 0
    # What is given out again may come by a worker that has not heard of the loss, and goes to the lost one once more.
    return 2 if kind in LOSES_WORKERS else 1


KINDS: Dict[str, Callable] = {
    "kill-child": signalled_child(signal.SIGKILL),
    "exit-child": signalled_child(signal.SIGUSR2),
    "heir-child": signalled_child(signal.SIGHUP),
    # Stopped for good: it is found out, and replaced.
    "hang-child": signalled_child(signal.SIGSTOP),
    "stop-child": stop_child,
    "hold-child": stop_child,
    "kill-worker": kill_worker,
    "stop-worker": stop_worker,
    "stop-supervisor": stop_supervisor,
    "kill-supervisor": ended_supervisor(signal.SIGKILL, -signal.SIGKILL),
    "interrupt": ended_supervisor(signal.SIGINT, 0),
    "terminate": ended_supervisor(signal.SIGTERM, 0),
    "full-disk": full_disk,
    "full-letters": full_letters,
    "no-space-sink": no_space("sink", full_disk),
    "no-space-letters": no_space("letters", full_letters),
    "no-space-state": no_space("state", no_files),
    "no-space-run": no_space("run", no_files),
    "no-descriptors": no_descriptors,
    "cut-link": link(lambda proxy, slot, fault: proxy.cut(slot)),
    "stall-link": link(lambda proxy, slot, fault: proxy.stall(slot, fault.span)),
    "delay-link": link(lambda proxy, slot, fault: proxy.delay(slot, 0.03, fault.span)),
}

#: How long faults last that last, in seconds: least and most.
SPANS = {"hold-child": (6.1, 6.5), "stop-child": (0.05, 0.5), "stop-worker": (0.05, 2.5), "stop-supervisor": (0.1, 2.5),
         "stall-link": (0.05, 3.0),
         "delay-link": (0.1, 1.0), "full-disk": (0.2, 1.0), "full-letters": (0.2, 1.0), "no-descriptors": (0.2, 1.0),
         "no-space-sink": (0.2, 1.0), "no-space-letters": (0.2, 1.0), "no-space-state": (0.2, 1.0), "no-space-run": (0.2, 1.0)}
