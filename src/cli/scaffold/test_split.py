import galewire.testkit

from split import split


def test_a_line_becomes_its_words():
    out = galewire.testkit.run(split, [{"line": "Rain and rain"}])
    assert [list(emit.values) for emit in out.emitted] == [["rain"], ["and"], ["rain"]]
    assert len(out.acked) == 1
