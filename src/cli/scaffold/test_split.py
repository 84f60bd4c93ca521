import unittest

from galewire import testkit

from split import split


class SplitTest(unittest.TestCase):
    def test_a_line_becomes_its_words(self):
        out = testkit.run(split, [{"line": "Rain and rain"}], outputs=["word"])
        self.assertEqual(out.emitted, ["rain", "and", "rain"])
        self.assertEqual(out.acked, ["1"])
