"""What is built and installed, all of it under target/peers. Runs nothing that is measured."""

import hashlib
import random
import shutil
import string
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = ROOT / "target" / "peers"
SENTENCES = TARGET / "sentences.txt"
WORDS_PER_SENTENCE = 6

CLIENTS = ROOT / "target" / "clients"
CHILDREN = TARGET / "children"
SCRIPTS = ROOT / "tests" / "clients" / "scripts"
#: Per client of Storm's protocol, the program that splits, and what lies in its folder of CHILDREN.
COMMANDS = {
    "storm.py": ("python3 split.py", [SCRIPTS / "storm-py/split.py", CLIENTS / "storm/storm.py"]),
    "streamparse": (
        f"{CLIENTS}/python/bin/python -m streamparse.run split.Split",
        [SCRIPTS / "streamparse/src/bolts/split.py"],
    ),
    "storm.js": ("node split.js", [HERE / "children/split.js", CLIENTS / "storm/storm.js"]),
}


class Failure(Exception):
    """Something of one system does not work; the others go on."""


def call(*command, needs=""):
    """Runs a program to its end."""
    try:
        done = subprocess.run([str(part) for part in command], cwd=ROOT, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    except FileNotFoundError:
        raise Failure(f"{command[0]} is missing{needs and f': {needs}'}") from None
    if done.returncode:
        line, said = " ".join(map(str, command)), done.stdout[-2000:]
        raise Failure(f"{line} ended with {done.returncode}:\n{said}")


def once(folder, sources, make):
    """Has a folder made anew where it was not made from these very sources."""
    seen = hashlib.sha256()
    for source in sorted(sources):
        seen.update(source.read_bytes())
    stamp = folder / "made-from"
    if stamp.exists() and stamp.read_text() == seen.hexdigest():
        return
    make()
    stamp.write_text(seen.hexdigest())


def maven(system, *more_sources):
    """Compiles a system's Java sources and gathers the jars it needs, by pom-SYSTEM.xml."""
    pom = HERE / f"pom-{system}.xml"
    java = [*HERE.glob("java/peers/*.java"), *HERE.glob(f"java/peers/{system}/*.java")]
    once(TARGET / system, [pom, *java, *more_sources],
         lambda: call("mvn", "-B", "-q", "-f", pom, "clean", "package", needs="apt install maven"))


def sentences():
    """Writes 1,000 sentences of six words, 35 to 40 bytes each, the same ones everywhere."""
    if SENTENCES.exists():
        return
    chance = random.Random(42)
    words = [""] * 1500
    while len(set(words)) < len(words):
        lengths = [chance.randint(3, 8) for _ in words]
        words = ["".join(chance.choices(string.ascii_lowercase, k=length)) for length in lengths]
    found = {}
    while len(found) < 1000:
        sentence = " ".join(chance.choices(words, k=WORDS_PER_SENTENCE))
        if 35 <= len(sentence) <= 40:
            found[sentence] = True
    TARGET.mkdir(parents=True, exist_ok=True)
    SENTENCES.write_text("\n".join(found) + "\n")


def children():
    """Lays out the scripts of the children, each with its client library."""
    call("sh", "tests/clients.sh")
    for client, (_, files) in COMMANDS.items():
        folder = CHILDREN / client
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copy(file, folder)
