"""Apache Storm, as it is deployed: ZooKeeper, Nimbus and a supervisor, with its defaults."""

import json
import shutil
import socket
import time

from build import CHILDREN, COMMANDS, HERE, TARGET, WORDS_PER_SENTENCE, Failure, maven

HOME = TARGET / "storm" / "home"
JAR = TARGET / "storm" / "peers.jar"
#: Main class, heap and port of what has to run before a topology can be submitted.
DAEMONS = {
    "zookeeper": ("org.apache.storm.command.DevZookeeper", "-Xmx256m", 2181),
    "nimbus": ("org.apache.storm.daemon.nimbus.Nimbus", "-Xmx1024m", 6627),
    "supervisor": ("org.apache.storm.daemon.supervisor.Supervisor", "-Xmx256m", 6628),
}
#: The best that was found for latency at a moderate rate; the defaults are the best for throughput.
LOW_LATENCY = {
    "topology.producer.batch.size": 1,
    "topology.transfer.batch.size": 1,
    "topology.spout.wait.strategy": "org.apache.storm.policy.WaitStrategyPark",
    "topology.spout.wait.park.microsec": 50,
    "topology.bolt.wait.strategy": "org.apache.storm.policy.WaitStrategyPark",
    "topology.bolt.wait.park.microsec": 50,
    "topology.disable.loadaware.messaging": True,
}
#: Open messages a spout; storm.js is many times slower with thousands.
PENDING = {"child": 500}
WARM_UP = 10
#: Two workers take longer until the JVMs have compiled what they run.
WARM_UP_OF_TWO = 45


def prepare():
    maven("storm", *(file for file in CHILDREN.glob("*/*") if file.is_file()))


def run(run, case, settings):
    workers = settings.get("workers", 1)
    conf = {"topology.workers": workers, "topology.max.spout.pending": PENDING.get(case, 5000)}
    if settings.get("low_latency"):
        conf.update(LOW_LATENCY)
    command = []
    if client := settings.get("client"):
        # Storm starts a child in the folder that holds those of all clients.
        command = ["sh", "-c", f"cd {client} && exec {COMMANDS[client][0]}"]
    start_daemons(run)
    submitted = time.monotonic()
    java(run, "submit", "peers.storm.Main", "-Xmx256m", case, settings.get("parallelism", 1),
         settings["rate"], json.dumps(conf), *command)
    run.finish("submit")
    warm_up = settings["warm_up"] or (WARM_UP if workers == 1 else WARM_UP_OF_TWO)
    per_message = WORDS_PER_SENTENCE if case in ("word-count", "child") else 1
    return run.steady(submitted, warm_up, settings["seconds"], per_message)


def start_daemons(run):
    for part in ("conf", "log4j2", "extlib"):
        (HOME / part).mkdir(exist_ok=True)
    for name in ("cluster.xml", "worker.xml"):
        shutil.copy(HERE / "storm-log.xml", HOME / "log4j2" / name)
    (HOME / "conf" / "storm.yaml").write_text(json.dumps({
        "storm.zookeeper.servers": ["localhost"],
        "nimbus.seeds": ["localhost"],
        "storm.local.hostname": "localhost",
        "storm.local.dir": str(run.folder / "local"),
        "storm.log.dir": str(run.folder / "logs"),
        "dev.zookeeper.path": str(run.folder / "zookeeper"),
    }))
    for name, (main, heap, port) in DAEMONS.items():
        java(run, name, main, heap)
        until(run, f"{name} does not listen", lambda: listens(port))
    until(run, "nimbus does not lead", lambda: "leader" in run.said("nimbus", "err"))


def java(run, label, main, heap, *arguments):
    logs = run.folder / "logs"
    logs.mkdir(exist_ok=True)
    run.start(label, "java", heap, f"-Dstorm.home={HOME}", f"-Dstorm.log.dir={logs}",
              f"-Ddaemon.name={label}", f"-Dstorm.jar={JAR}",
              f"-Dlog4j.configurationFile={HOME}/log4j2/cluster.xml",
              "-cp", f"{HOME}/lib/*:{HOME}/conf:{JAR}", main, *arguments)


def until(run, problem, condition, within=60):
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise Failure(f"{problem}, see {run.folder}")
        run.check()
        time.sleep(0.05)


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
