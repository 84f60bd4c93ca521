"""Apache Flink: in one JVM; where messages cross processes, a JobManager and two TaskManagers."""

import time

from build import TARGET, WORDS_PER_SENTENCE, maven

REST_PORT = 18081
OPENED = ["lang", "util", "util.concurrent", "util.concurrent.atomic", "time", "net"]
WARM_UP = 10
BUFFER_TIMEOUT_MS = 100
ENTRY = "org.apache.flink.runtime"
#: What Flink's own start scripts would compute.
CLUSTER = f"""\
jobmanager.rpc.address: 127.0.0.1
jobmanager.bind-host: 127.0.0.1
rest.address: 127.0.0.1
rest.bind-address: 127.0.0.1
rest.port: {REST_PORT}
taskmanager.host: 127.0.0.1
taskmanager.bind-host: 127.0.0.1
taskmanager.numberOfTaskSlots: 1
taskmanager.cpu.cores: 1
taskmanager.memory.task.heap.size: 512m
taskmanager.memory.framework.heap.size: 128m
taskmanager.memory.task.off-heap.size: 0m
taskmanager.memory.framework.off-heap.size: 128m
taskmanager.memory.network.min: 128m
taskmanager.memory.network.max: 128m
taskmanager.memory.managed.size: 0m
taskmanager.memory.jvm-metaspace.size: 256m
taskmanager.memory.jvm-overhead.min: 192m
taskmanager.memory.jvm-overhead.max: 192m
"""


def prepare():
    maven("flink")


def run(run, case, settings):
    began, port = time.monotonic(), 0
    if case == "latency":
        start_cluster(run)
        port = REST_PORT
    java(run, "job", "peers.flink.Main", case, settings.get("parallelism", 1),
         settings.get("checkpoint_ms", 0), settings.get("buffer_timeout_ms", BUFFER_TIMEOUT_MS),
         settings["rate"], port)
    per_message = WORDS_PER_SENTENCE if case == "word-count" else 1
    return run.steady(began, settings["warm_up"] or WARM_UP, settings["seconds"], per_message)


def start_cluster(run):
    conf = run.folder / "conf"
    conf.mkdir()
    (conf / "config.yaml").write_text(CLUSTER)
    told = ("--configDir", conf)
    java(run, "jobmanager", f"{ENTRY}.entrypoint.StandaloneSessionClusterEntrypoint", *told)
    for number in (1, 2):
        java(run, f"taskmanager-{number}", f"{ENTRY}.taskexecutor.TaskManagerRunner", *told)


def java(run, label, main, *arguments):
    opens = [f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in OPENED]
    path = f"{TARGET}/flink/peers.jar:{TARGET}/flink/lib/*"
    run.start(label, "java", "-Xmx1g", *opens, "-cp", path, main, *arguments)
