"""What is said of memory and of speed; that a small disk can be filled, where disks can be mounted."""

import errno
import os
import tempfile
import unittest
from multiprocessing import Process, Queue

import memory
import speed
from disks import Disk, mounts_of_its_own
from memory import MIB
from report import percentile


class Memory(unittest.TestCase):
    def test_the_bound_of_a_worker_rises_with_what_can_wait(self) -> None:
        self.assertEqual(memory.too_much({"worker 0": memory.WORKER}, 0), [])
        self.assertEqual(memory.too_much({"worker 0": memory.WORKER + 30 * MIB}, 10 * MIB), [])
        self.assertEqual(len(memory.too_much({"worker 0": memory.WORKER + 31 * MIB}, 10 * MIB)), 1)

    def test_each_kind_of_process_has_its_bound(self) -> None:
        peaks = {"supervisor": memory.SUPERVISOR, "expand (python)": memory.PYTHON, "mark (node)": memory.NODE}
        self.assertEqual(memory.too_much(peaks, MIB), [])
        self.assertEqual(len(memory.too_much({role: peak + 1 for role, peak in peaks.items()}, MIB)), 3)

    def samples(self, size) -> list:
        return [(time, {"worker 0": size(time)}) for time in range(100)]

    def test_memory_that_fills_and_stays_is_flat(self) -> None:
        grown = memory.growth(self.samples(lambda time: min(time, 14) * 4 * MIB), 0, 100)
        self.assertEqual(grown, {"worker 0": (56 * MIB, 56 * MIB)})
        self.assertEqual(memory.not_flat(grown), [])

    def test_memory_that_creeps_is_not_flat(self) -> None:
        grown = memory.growth(self.samples(lambda time: 50 * MIB + time * MIB // 8), 0, 100)
        self.assertEqual(len(memory.not_flat(grown)), 1)

    def test_a_process_that_came_meanwhile_is_not_flat(self) -> None:
        grown = memory.growth([(90, {"worker 1": 50 * MIB})], 0, 100)
        self.assertEqual(len(memory.not_flat(grown)), 1)


class Percentiles(unittest.TestCase):
    def test_one_in_a_hundred_may_be_worse(self) -> None:
        values = [1.0] * 99 + [9.0]
        self.assertEqual((percentile(values, 0.99), percentile(values[1:], 0.99)), (1.0, 9.0))
        self.assertEqual((percentile([3.0, 1.0, 2.0], 0.5), percentile([4.0], 0.5)), (2.0, 4.0))


class Speed(unittest.TestCase):
    def sink(self, back: float, fast: int = 100) -> list:
        """100 a tenth of a second until 10, then nothing until `back`."""
        length, samples = 0, []
        for tenth in range(400):
            time = tenth / 10
            length += 100 if time <= 10 else fast if time > back else 0
            samples.append((time, length))
        return samples

    def test_full_speed_at_once_takes_no_time(self) -> None:
        self.assertAlmostEqual(speed.back_at_full_speed(self.sink(20), 10, 20), 0)

    def test_full_speed_is_waited_for(self) -> None:
        # Four fifths of a second at full speed count as full speed.
        self.assertAlmostEqual(speed.back_at_full_speed(self.sink(23), 10, 20), 2.8)

    def test_half_speed_is_not_full_speed(self) -> None:
        self.assertIsNone(speed.back_at_full_speed(self.sink(20, fast=50), 10, 20))


def fill_a_disk(told: Queue) -> None:
    if not mounts_of_its_own():
        return told.put(None)
    with tempfile.TemporaryDirectory() as folder:
        disk = Disk(os.path.join(folder, "disk"), 1 * MIB)
        path = os.path.join(disk.folder, "file")
        with open(path, "wb", buffering=0) as file:
            file.write(b"before")
            disk.fill()
            try:
                while file.write(b"x" * 4096):
                    seen = 0
            except OSError as error:
                seen = error.errno
            disk.empty()
            file.write(b"y" * 4096)
        disk.take_off()
        with open(path, "rb") as file:
            told.put((seen, file.read(6)))


class Disks(unittest.TestCase):
    def test_a_full_disk_refuses_and_its_files_outlive_it(self) -> None:
        told: Queue = Queue()
        process = Process(target=fill_a_disk, args=(told,))
        process.start()
        seen = told.get(timeout=60)
        process.join()
        if seen is None:
            self.skipTest("nothing may be mounted here")
        self.assertEqual(seen, (errno.ENOSPC, b"before"))


if __name__ == "__main__":
    unittest.main()
