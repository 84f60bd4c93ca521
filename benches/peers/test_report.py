"""Tests of the arithmetic."""

import unittest

from cases import CASES, Row
from measure import percentiles, total_at
from report import summary, table


class Taps(unittest.TestCase):
    def test_a_total_between_two_samples_is_linear(self):
        tap = [(10.0, 100, ""), (12.0, 300, "")]
        self.assertEqual([total_at(tap, at) for at in (9.0, 10.0, 11.0, 13.0)], [0, 0, 200, 300])

    def test_latencies_of_the_warm_up_are_left_out(self):
        tap = [(1.0, 5, "9000000:5"), (2.0, 105, "9000000:5,1000:99,2000:1")]
        found = percentiles([tap], 1.0, 2.0)
        self.assertEqual(found, {"p50_us": 1.0, "p99_us": 1.0, "p999_us": 2.0})

    def test_latencies_of_all_processes_count(self):
        taps = [[(1.0, 1, "1000:1")], [(1.0, 2, "3000:2")]]
        self.assertEqual(percentiles(taps, 0.0, 1.0)["p50_us"], 3.0)


class Ratios(unittest.TestCase):
    ROWS = [Row("galewire", "1 worker", {}), Row("storm", "1 worker", {}, ("1 worker",))]

    def ratios(self, case, ours, theirs):
        runs = {"galewire, 1 worker": ours, "storm, 1 worker": theirs}
        return summary(case, self.ROWS, runs)[1]

    def test_rates_are_compared_round_by_round(self):
        ours = [{"rate": 10.0}, {"rate": 30.0}, {"rate": 8.0}]
        entry = self.ratios("pass", ours, [{"rate": 5.0}, {"rate": 10.0}, {"rate": 8.0}])
        [ratio] = entry["galewire_is"]
        self.assertEqual((ratio["median"], ratio["min"], ratio["max"]), (2.0, 1.0, 3.0))

    def test_a_shorter_latency_is_better(self):
        ours, theirs = {"p50_us": 2.0, "p99_us": 10.0}, {"p50_us": 6.0, "p99_us": 5.0}
        entry = self.ratios("latency", [ours], [theirs])
        found = {ratio["by"]: ratio["median"] for ratio in entry["galewire_is"]}
        self.assertEqual(found, {"p50_us": 3.0, "p99_us": 0.5})

    def test_a_round_that_failed_is_left_out_and_told(self):
        entry = self.ratios("pass", [{"rate": 10.0}, None], [{"rate": 5.0}, {"rate": 1.0}])
        self.assertEqual([ratio["max"] for ratio in entry["galewire_is"]], [2.0])
        failed = self.ratios("pass", [{"rate": 10.0}], [None])
        self.assertIn("FAILED", table("pass", [failed]))

    def test_every_row_is_compared_with_one_that_there_is(self):
        for rows in CASES.values():
            ours = {row.how for row in rows if row.system == "galewire"}
            for row in rows:
                self.assertLessEqual(set(row.against), ours)
                self.assertEqual(bool(row.against), row.system != "galewire")


if __name__ == "__main__":
    unittest.main()
