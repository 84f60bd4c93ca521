"""Mistakes that a type checker sees. A line without its mistake fails too (unused ignore)."""

import galewire
from galewire import testkit


galewire.batch_bolt(size="many")  # type: ignore[call-overload]
galewire.bolt(autoack=False)  # type: ignore[call-overload]


@galewire.bolt
def split(line: str) -> str:
    raise galewire.Fail(404)  # type: ignore[arg-type]


class Count(galewire.Bolt):
    def process(self, tup: galewire.Tuple) -> None:
        self.emit(tup.word, strem="errors")  # type: ignore[call-arg]
        self.emit(tup.word, task="7")  # type: ignore[arg-type]
        self.counter("hits").increment()  # type: ignore[attr-defined]
        self.gauge("depth").set("deep")  # type: ignore[arg-type]
        self.fail("why")  # type: ignore[arg-type]
        self.coutner("hits")  # type: ignore[attr-defined]
        self.config = {}  # type: ignore[misc]
        tup.ack("reason")  # type: ignore[call-arg]

    def tick(self, seconds: int) -> None: ...  # type: ignore[override]


class Store(galewire.BatchBolt):
    size = "many"  # type: ignore[assignment]

    def process(self, batch: str) -> None: ...  # type: ignore[override]


galewire.Emit("a", stream=3)  # type: ignore[arg-type]
galewire.Message("a", task="x")  # type: ignore[arg-type]
galewire.testkit.run(split, {"line": "a"})  # type: ignore[arg-type]
testkit.run(split, [], tick=1)  # type: ignore[call-arg]
testkit.run(split, []).emited  # type: ignore[attr-defined]
galewire.splitt  # type: ignore[attr-defined]
