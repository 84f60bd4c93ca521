"""awk, which counts the words of a file: what one would write for a book that lies there."""

import math

from build import SENTENCES, TARGET

PROGRAM = "{ for (i = 1; i <= NF; i++) n[$i]++ } END { for (word in n) print n[word], word }"
REPEATS = 1000
FILE = TARGET / "awk" / "sentences.txt"


def prepare():
    FILE.parent.mkdir(parents=True, exist_ok=True)
    text = SENTENCES.read_text()
    if not FILE.exists() or FILE.stat().st_size != len(text) * REPEATS:
        FILE.write_text(text * REPEATS)


def run(run, _, settings):
    sentences = 1000 * REPEATS
    passes = math.ceil(settings["seconds"] / count(run, 1).wall)
    wall, cpu = count(run, passes)
    return {
        "rate": sentences * passes / wall,
        "cpu_per_million": cpu / (sentences * passes) * 1e6,
        "memory_mib": run.memory_mib,
    }


def count(run, passes):
    """What it takes for so many times the file."""
    return run.cost("awk", "awk", PROGRAM, *[FILE] * passes, LC_ALL="C")
