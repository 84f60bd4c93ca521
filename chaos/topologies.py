"""The topologies that are disturbed: what runs, and what the sink must hold at the end.

Every line of the input begins with its number. The sink holds `NUMBERS<TAB>PATH` lines; line N of the input becomes the numbers
N * fan_out .. (N + 1) * fan_out, each of which must be there. PATH names the processes that a tuple came through.
"""

from dataclasses import dataclass, field
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
state_dir         = "state"
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
config = {{ path = "sink-{{task}}.txt"{more} }}
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

    def topology(self, relay: Optional[int] = None) -> str:
        """The topology file; `relay`: the port where the links' relay begins."""
        settings = "" if relay is None else f'link = "tcp"\nlink_relay = "127.0.0.1:{relay}"\n'
        head = HEAD.format(
            name=self.name, workers=self.workers, pending=self.pending, timeout=self.timeout,
            backoff=self.backoff, child_timeout=self.child_timeout, retry=', max = 1, dead_letter = "dead.jsonl"' if self.rejects else "",
            settings=settings)
        start = ', start = "saved"' if self.resumes else ""
        return head + (TOLD if self.told else FILE.format(start=start)) + self.bolts

    def expected(self, lines: int) -> int:
        """How many numbers the sink must hold."""
        return lines * self.fan_out


def expand(fan_out: int, tasks: int = 1, rejects: int = 0) -> str:
    return EXPAND.format(fan_out=fan_out, tasks=tasks, rejects=rejects)


def sink(*inputs: str, more: str = "") -> str:
    listed = ", ".join(f'"{name}"' for name in inputs)
    return SINK.format(inputs=listed, more=more)


CHAIN = expand(10, 2) + MARK.format(source="expand") + sink("mark")
CHAIN_CHILDREN = {"expand": "steps.py:Expand", "mark": "steps.mjs:step"}

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
    # Tuples of a child that died are given one at a time, and a batch of one waits for its time.
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
