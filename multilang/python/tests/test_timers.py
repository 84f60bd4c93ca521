"""Timers through a real child process, and their bookkeeping."""

import unittest

from galewire.timers import Timer, Timers

try:
    from .engine import ChildCase
except ImportError:
    from engine import ChildCase


def timer(period=None):
    return Timer(lambda: None, (), period)


class Bookkeeping(unittest.TestCase):
    def test_what_is_due_comes_in_the_order_of_its_time(self):
        timers, late, early = Timers(), timer(), timer()
        timers.set(late, 2.0)
        timers.set(early, 1.0)
        self.assertEqual(timers.next_due(), 1.0)
        self.assertEqual(timers.take_due(0.5), [])
        self.assertEqual(timers.take_due(3.0), [early, late])
        self.assertIsNone(timers.next_due())

    def test_a_cancelled_timer_is_never_due(self):
        timers, cancelled = Timers(), timer(period=1.0)
        timers.set(cancelled, 1.0)
        cancelled.cancel()
        self.assertIsNone(timers.next_due())
        self.assertEqual(timers.take_due(9.0), [])

    def test_a_periodic_timer_that_was_late_does_not_catch_up(self):
        timers, periodic = Timers(), timer(period=1.0)
        timers.set(periodic, 1.0)
        self.assertEqual(timers.take_due(5.5), [periodic])
        self.assertEqual(timers.next_due(), 6.5)


class InAChild(ChildCase):
    def test_a_timer_emits_unanchored_without_any_input(self):
        child = self.child("""
            class B(galewire.Bolt):
                def open(self):
                    self.after("5ms", self.emit, "later")
                def process(self, line):
                    pass
            """, "B")
        emitted = child.wait(lambda e: e.get("tuple") == ["later"])
        self.assertEqual(emitted["anchors"], [])
        self.assertEqual(child.finish(), 0)

    def test_a_timer_of_an_async_bolt_may_be_async_and_has_no_tuple_in_hand(self):
        child = self.child("""
            import asyncio
            class B(galewire.Bolt):
                async def process(self, line):
                    self.after(0.005, self.later, line)
                    await asyncio.sleep(0.05)
                async def later(self, line):
                    await asyncio.sleep(0)
                    self.emit(line)
            """, "B")
        child.rows(1, ["a"])
        emitted = child.wait(lambda e: e.get("tuple") == ["a"])
        self.assertEqual(emitted["anchors"], [])
        self.assertEqual(child.finish(), 0)

    def test_a_thread_of_the_users_can_set_a_timer_while_the_bolt_waits(self):
        child = self.child("""
            import threading
            class B(galewire.Bolt):
                def open(self):
                    threading.Timer(0.05, lambda: self.after(0, self.emit, "set")).start()
                def process(self, line):
                    pass
            """, "B")
        child.wait(lambda e: e.get("tuple") == ["set"])
        self.assertEqual(child.finish(), 0)

    def test_a_period_is_longer_than_nothing(self):
        child = self.child("""
            class B(galewire.Bolt):
                def process(self, line):
                    self.every(0, self.emit, line)
            """, "B")
        child.rows(1, ["a"])
        self.assertIn("longer than nothing", child.wait(lambda e: e.get("command") == "fail")["msg"])


if __name__ == "__main__":
    unittest.main()
