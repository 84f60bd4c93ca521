"""Values that are emitted byte for byte."""

import importlib.util
import json
import os
import sys
import unittest
from unittest import mock

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import galewire  # noqa: E402 - the path comes first
from galewire import codec  # noqa: E402
from galewire.codec import _std_dumps, _with_orjson  # noqa: E402

EXACT = ["1e400", "-0.0", "0.10", "1E5", "1180591620717411303424", '"\\ud800"', '{"b":1,"a":1,"b":2}', "[1, 2]", "9" * 10_000, "[" * 5000 + "]" * 5000]


def encoders():
    yield "json", _std_dumps
    if importlib.util.find_spec("orjson"):
        import orjson

        yield "orjson", _with_orjson(orjson)[1]


class RawJson(unittest.TestCase):
    def test_a_raw_value_is_written_byte_for_byte(self):
        for name, dumps in encoders():
            for text in EXACT:
                with self.subTest(encoder=name, text=text[:40]):
                    value = {"emits": [["a", galewire.raw_json(text), None], [galewire.raw_json(text)]]}
                    expected = '{"emits":[["a",%s,null],[%s]]}' % (text, text)
                    self.assertEqual(dumps(value), expected.encode())

    def test_text_that_looks_like_a_mark_stays_text(self):
        with mock.patch("os.urandom", lambda count: b"\0" * count):
            mark = "galewire-raw-" + "00" * 9 + "-"
            text = _std_dumps([f"x{mark}0-", galewire.raw_json("1e400")])
        self.assertEqual(text, b'["x%s0-",1e400]' % mark.encode())

    def test_what_is_no_json_is_refused_at_once(self):
        for text in ["", "{", "1 2", "nope", '"a\nb"']:
            with self.subTest(text=text), self.assertRaises(ValueError):
                galewire.raw_json(text)

    def test_a_line_break_between_values_cannot_end_the_message(self):
        self.assertEqual(codec.dumps([galewire.raw_json(b"[1,\n2]")]), b"[[1, 2]]")
        self.assertEqual(json.loads(codec.dumps([galewire.raw_json("NaN")]))[0] > 0, False)

    def test_values_of_other_types_are_still_refused(self):
        with self.assertRaises(TypeError):
            codec.dumps([object()])
