"""What a round has shown."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Dict, List, Optional, Tuple

from checks import Findings
from schedule import Round


@dataclass
class Recovery:
    """How long a fault was felt, in seconds."""

    kind: str
    #: Until what was hit was there again.
    back: Optional[float] = None
    #: Until the sink grew after that.
    flow: Optional[float] = None
    #: Until the spout had heard of the last message that failed by it.
    told: Optional[float] = None


@dataclass
class Outcome:
    """What a round has shown."""

    round: Round
    findings: Findings = field(default_factory=Findings)
    fired: Counter = field(default_factory=Counter)
    recoveries: List[Recovery] = field(default_factory=list)
    replayed: int = 0
    #: The most resident bytes of all processes at one time, and of each.
    peak: int = 0
    peaks: Dict[str, int] = field(default_factory=dict)
    #: After how many seconds the sink that stood still was at full speed again, and how processes grew meanwhile.
    full_speed: Optional[float] = None
    grown: Dict[str, Tuple[int, int]] = field(default_factory=dict)
    seconds: float = 0.0
    #: What is wrong.
    problems: List[str] = field(default_factory=list)
    #: Where the files are, with `story.txt`: what was done.
    folder: str = ""
