"""The topologies that are disturbed: what runs, and what the sink must hold at the end.

Every line of the input begins with its number. The sink holds `NUMBERS<TAB>PATH` lines; line N of the input becomes the numbers
N * fan_out .. (N + 1) * fan_out, each of which must be there. PATH names the processes that a tuple came through.
"""

from dataclasses import dataclass, field, replace
from typing import Dict, List, Optional

HEAD = """
name = "chaos-{name}"

[topology]
workers           = {workers}
max_spout_pending = {pending}
message_timeout   = "{timeout}"
stop_grace        = "1s"
child_timeout     = "{child_timeout}"
handshake_timeout = "10s"
state_dir         = "disk-state"
restart           = {{ max = 100000, within = "1s", backoff = "{backoff}" }}
retry             = {{ backoff = "20ms..500ms"{retry} }}
{settings}
"""

FILE = """
[spouts.lines]
type   = "file"
config = {{ path = "input.txt"{start} }}
"""

#: A spout that notes when it is told of a failure.
TOLD = """
[spouts.lines]
python  = "steps.py:Lines"
outputs = ["line"]
"""

EXPAND = """
[bolts.expand]
python      = "steps.py:Expand"
inputs      = ["lines"]
outputs     = ["number", "path"]
parallelism = {tasks}
config      = {{ fan_out = {fan_out}, rejects = {rejects} }}
"""

MARK = """
[bolts.mark]
node    = "steps.mjs:step"
inputs  = ["{source}"]
outputs = ["number", "path"]
"""

SINK = """
[bolts.sink]
type   = "write"
inputs = [{inputs}]
config = {{ path = "{folder}sink-{{task}}.txt"{more} }}
"""

#: A sink that is a child, and can be stopped.
WRITE = """
[bolts.sink]
python = "steps.py:Write"
inputs = ["parsed"]
"""

#: Bolts in Rust, tuple by tuple: the first word of each line, a number.
PARSED = """
[bolts.words]
type   = "split"
inputs = ["lines"]

[bolts.numbers]
type   = "filter"
inputs = ["words"]
config = { when = "word < 'a'" }

[bolts.parsed]
type   = "map"
inputs = ["numbers"]
config = { set = { number = "int(word)", path = "'r'", side = "int(word) % 2" }, keep = [] }
"""

#: What one task emits to one other comes in order: where two tasks share the numbers, the path says which one it was.
NATIVE = """
[bolts.left]
type        = "map"
inputs      = [{ from = "parsed", grouping = { fields = ["side"] } }]
config      = { set = { number = "number * 4", path = "'l' + string(side)" }, keep = ["number", "path"] }
parallelism = 2

[bolts.counted]
type        = "count"
inputs      = [{ from = "parsed", grouping = { fields = ["side"] } }]
config      = { by = ["number", "side"] }
parallelism = 2

[bolts.right]
type   = "map"
inputs = ["counted"]
config = { set = { number = "number * 4 + 1", path = "'c' + string(side)" }, keep = ["number"] }

[bolts.branch]
python  = "steps.py:Branch"
inputs  = ["parsed"]
outputs = ["number", "path"]
config  = { branch = 2, branches = 4 }

[bolts.other]
node    = "steps.mjs:branch"
inputs  = ["parsed"]
outputs = ["number", "path"]
config  = { branch = 3, branches = 4 }
"""

DIAMOND = """
[bolts.left]
python  = "steps.py:Branch"
inputs  = ["expand"]
outputs = ["number", "path"]
config  = { branch = 0, branches = 3 }

[bolts.right]
node    = "steps.mjs:branch"
inputs  = ["expand"]
outputs = ["number", "path"]
config  = { branch = 1, branches = 3 }

[bolts.middle]
type   = "map"
inputs = ["expand"]
config = { set = { number = "number * 3 + 2" } }
"""

JOIN = """
[bolts.join]
python  = "steps.py:Join"
inputs  = ["expand"]
outputs = ["number", "path"]
"""

SLOW = """
[bolts.slow]
python  = "steps.py:Slow"
inputs  = ["expand"]
outputs = ["number", "path"]
"""

KEYED = """
[bolts.keyed]
python      = "steps.py:Step"
inputs      = [{ from = "expand", grouping = { fields = ["number"] } }]
outputs     = ["number", "path"]
parallelism = 2

[bolts.second]
python      = "steps.py:Step"
inputs      = [{ from = "keyed", grouping = { partial_key = ["number"] } }]
outputs     = ["number", "path"]
parallelism = 2
"""

#: Faults of processes that a run survives by itself, and how often each is drawn.
PROCESSES = {
    "kill-child": 8, "exit-child": 3, "heir-child": 1, "stop-child": 3, "kill-worker": 3,
    "stop-worker": 2, "stop-supervisor": 1,
}


@dataclass(frozen=True)
class Case:
    """One topology with the faults that befall it."""

    name: str
    summary: str
    workers: int
    #: How many numbers the sink must hold for each line of the input.
    fan_out: int
    #: Components with child processes, and what their command lines contain.
    children: Dict[str, str]
    bolts: str
    sinks: int = 1
    #: Messages in flight.
    pending: int = 1000
    #: Kinds of faults, and how often each is drawn.
    faults: Dict[str, int] = field(default_factory=lambda: dict(PROCESSES))
    #: The message time-out, and the delays before a child is started again.
    timeout: str = "20s"
    backoff: str = "20ms..200ms"
    #: How long a child may be silent.
    child_timeout: str = "60s"
    #: How many seconds a fault waits after the one before is over and done with; None: it does not wait.
    pace: Optional[float] = None
    #: No more faults than this in a round: they take long.
    most_faults: int = 1000
    #: No more tuples than this in a round: it is slow on purpose.
    most_tuples: int = 1 << 40
    #: No fewer tuples than this in a round: its speed is looked at.
    least_tuples: int = 0
    #: One line of the input in so many always fails, and must stand among the dead letters; 0: none.
    rejects: int = 0
    #: Whether the run can be ended and gone on with.
    resumes: bool = False
    #: Whether the links go through the harness's own relay.
    relayed: bool = False
    #: Whether the spout is a program that notes when it is told of a failure.
    told: bool = False
    #: Whether nothing may be given out again: then nothing may come twice or out of order either.
    strict: bool = False
    #: Whether bolts in Rust keep something in memory: a run that lost it ends with a code that says so.
    remembers: bool = False
    #: Small file systems: a folder for each, and what is on it.
    disks: Dict[str, str] = field(default_factory=dict)
    #: How many seconds the sink's child stands still, once, where that is what the case is about.
    stands_still: Optional[float] = None

    def topology(self, relay: Optional[int] = None) -> str:
        """The topology file; `relay`: the port where the links' relay begins."""
        settings = "" if relay is None else f'link = "tcp"\nlink_relay = "127.0.0.1:{relay}"\n'
        head = HEAD.format(
            name=self.name, workers=self.workers, pending=self.pending, timeout=self.timeout,
            backoff=self.backoff, child_timeout=self.child_timeout,
            retry=f', max = 1, dead_letter = "{self.letters()}"' if self.rejects else "", settings=settings)
        start = ', start = "saved"' if self.resumes else ""
        return head + (TOLD if self.told else FILE.format(start=start)) + self.bolts

    def expected(self, lines: int) -> int:
        """How many numbers come of so many lines, rejected ones included."""
        return lines * self.fan_out

    def sink_files(self) -> List[str]:
        folder = "disk-sink/" if self.disks else ""
        return [f"{folder}sink-{task}.txt" for task in range(self.sinks)]

    def letters(self) -> str:
        """The file of dead letters."""
        return "disk-letters/dead.jsonl" if self.disks else "dead.jsonl"

    def standing_still(self, seconds: float) -> "Case":
        """The same, for so long; without an effect on cases that are not about that."""
        if self.stands_still is None:
            return self
        return replace(self, stands_still=seconds, child_timeout=f"{round(seconds) + 60}s")


def expand(fan_out: int, tasks: int = 1, rejects: int = 0) -> str:
    return EXPAND.format(fan_out=fan_out, tasks=tasks, rejects=rejects)


def sink(*inputs: str, more: str = "", folder: str = "") -> str:
    listed = ", ".join(f'"{name}"' for name in inputs)
    return SINK.format(inputs=listed, more=more, folder=folder)


CHAIN = expand(10, 2) + MARK.format(source="expand") + sink("mark")
CHAIN_CHILDREN = {"expand": "steps.py:Expand", "mark": "steps.mjs:step"}

#: Small file systems, by what is on them; `run` is the run's own folder, with the positions for a replaced worker.
DISKS = {"sink": "disk-sink", "letters": "disk-letters", "state": "disk-state", "run": "tmp"}

CASES: List[Case] = [
    Case("alone", "one worker: Python, Node, sink", workers=1, fan_out=10, child_timeout="2s",
         children=CHAIN_CHILDREN, bolts=CHAIN, faults={**PROCESSES, "hang-child": 2}),
    Case("chain", "two workers: two Python tasks, Node, sink", workers=2, fan_out=10,
         children=CHAIN_CHILDREN, bolts=CHAIN),
    Case("diamond", "three workers: Python, Node and a built-in side by side", workers=3,
         fan_out=12,
         children={"expand": "steps.py:Expand", "left": "steps.py:Branch",
                   "right": "steps.mjs:branch"},
         bolts=expand(4) + DIAMOND + sink("left", "right", "middle")),
    # Tuples that were there at two deaths are given one at a time, and a join of one waits for its time.
    Case("join", "four workers: tuples anchored to many roots", workers=4, fan_out=10, pending=50,
         children={"expand": "steps.py:Expand", "join": "steps.py:Join", "mark": "steps.mjs:step"},
         bolts=expand(10) + JOIN + MARK.format(source="join") + sink("mark")),
    Case("fields", "four workers: groupings by key, two sinks", workers=4, fan_out=10, sinks=2,
         children={"expand": "steps.py:Expand", "keyed": "steps.py:Step"},
         bolts=expand(10, 2) + KEYED
         + sink("second").replace("config =", "parallelism = 2\nconfig =")),
    Case("links", "three workers over TCP; links are cut, stalled and slow, and nothing comes twice",
         workers=3, fan_out=12, relayed=True, strict=True,
         children={"expand": "steps.py:Expand", "left": "steps.py:Branch",
                   "right": "steps.mjs:branch"},
         bolts=expand(4) + DIAMOND + sink("left", "right", "middle"),
         faults={"cut-link": 6, "stall-link": 2, "delay-link": 1}),
    Case("tangle", "the same while processes are killed", workers=3, fan_out=12, relayed=True,
         children={"expand": "steps.py:Expand", "left": "steps.py:Branch",
                   "right": "steps.mjs:branch"},
         bolts=expand(4) + DIAMOND + sink("left", "right", "middle"),
         faults={**PROCESSES, "cut-link": 6, "stall-link": 3, "delay-link": 2}),
    Case("stalled", "a bolt stands still for three message time-outs; nothing comes twice",
         workers=2, fan_out=10, pending=10, timeout="2s", strict=True, pace=4.5, most_faults=2,
         most_tuples=60_000, children=CHAIN_CHILDREN,
         bolts=expand(10) + MARK.format(source="expand") + sink("mark", more=', flush = "20ms"'),
         faults={"hold-child": 1}),
    # The least delay is the default one.
    Case("recovery", "one fault after the other: how long each is felt", workers=2, fan_out=10,
         pending=100, children=CHAIN_CHILDREN, pace=0.3, backoff="200ms..200ms",
         bolts=expand(10, 2) + MARK.format(source="expand") + sink("mark", more=', flush = "10ms"'),
         faults={"kill-child": 3, "kill-worker": 2}),
    Case("told", "one fault after the other: how long until the spout hears of it", workers=2, fan_out=10,
         pending=100, told=True, children={"slow": "steps.py:Slow"}, pace=0.3, backoff="200ms..200ms",
         most_tuples=40_000, most_faults=12, bolts=expand(10) + SLOW + sink("slow"), faults={"kill-child": 1}),
    Case("full", "no space for the sink, no file descriptors left", workers=2, fan_out=10,
         children=CHAIN_CHILDREN, bolts=CHAIN,
         faults={"full-disk": 4, "no-descriptors": 3, "kill-child": 2, "kill-worker": 1}),
    Case("rejects", "some messages always fail; no space for the sink and the dead letters", workers=2,
         fan_out=10, children=CHAIN_CHILDREN, rejects=50,
         bolts=expand(10, 2, rejects=50) + MARK.format(source="expand") + sink("mark"),
         faults={"full-letters": 4, "full-disk": 1, "kill-child": 2, "kill-worker": 2}),
    Case("native", "four workers: all kinds of bolts in Rust, Python and Node beside them", workers=4, fan_out=4,
         children={"branch": "steps.py:Branch", "other": "steps.mjs:branch"}, remembers=True,
         bolts=PARSED + NATIVE + sink("left", "right", "branch", "other"),
         faults={**PROCESSES, "kill-worker": 8, "stop-worker": 4}),
    Case("disks", "small disks for the sink, dead letters and positions are filled; children, workers and runs are killed",
         workers=2, fan_out=10, children=CHAIN_CHILDREN, rejects=50, resumes=True, disks=DISKS,
         bolts=expand(10, 2, rejects=50) + MARK.format(source="expand")
         + sink("mark", more=", append = true", folder="disk-sink/"),
         faults={"no-space-sink": 4, "no-space-letters": 3, "no-space-state": 2, "no-space-run": 2, "kill-child": 2,
                 "kill-worker": 2, "kill-supervisor": 1, "interrupt": 1}),
    Case("stopped", "the sink, a child, is stopped at full rate: memory, replays, speed afterwards", workers=2, fan_out=1,
         children={"sink": "steps.py:Write"}, pending=4096, timeout="5s", strict=True, stands_still=25.0, most_faults=1, least_tuples=1_500_000,
         child_timeout="85s", bolts=PARSED + WRITE, faults={"hold-child": 1}),
    Case("resume", "the supervisor is killed or stopped; the next run goes on", workers=2,
         fan_out=10, children=CHAIN_CHILDREN, resumes=True,
         bolts=expand(10, 2) + MARK.format(source="expand") + sink("mark", more=", append = true"),
         faults={"kill-supervisor": 3, "interrupt": 2, "terminate": 2, "kill-child": 2,
                 "kill-worker": 1}),
]


def named(name: str) -> Case:
    for case in CASES:
        if case.name == name:
            return case
    raise KeyError(name)
