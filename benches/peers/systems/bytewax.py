"""Bytewax, as it comes: without its recovery store."""

import sys
import time

from build import HERE, TARGET, WORDS_PER_SENTENCE, call, once

PACKAGE = "bytewax==0.21.1"
VENV = TARGET / "bytewax"
WARM_UP = 3


def prepare():
    def install():
        call(sys.executable, "-m", "venv", "--clear", VENV, needs="apt install python3-venv")
        call(VENV / "bin" / "pip", "install", "--quiet", PACKAGE)

    once(VENV, [HERE / "systems" / "bytewax.py"], install)


def run(run, case, settings):
    began, processes = time.monotonic(), settings.get("workers", 1)
    how = ["bytewax.run"] if processes == 1 else ["bytewax.testing", "-p", processes]
    run.start("bytewax", VENV / "bin" / "python", "-m", *how, "flow", cwd=HERE / "bytewax",
              PEERS_CASE=case, PEERS_RATE=str(settings["rate"]), PYTHONDONTWRITEBYTECODE="1")
    per_message = WORDS_PER_SENTENCE if case == "word-count" else 1
    figures = run.steady(began, settings["warm_up"] or WARM_UP, settings["seconds"], per_message)
    if case == "latency":
        # Only what crossed arrives at the histograms, and is counted.
        figures["rate"], share = settings["rate"], figures["rate"] / settings["rate"]
        figures["cpu_per_million"] *= share
    return figures
