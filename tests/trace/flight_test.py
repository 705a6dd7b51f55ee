#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The flight recorder before Go's judgement: flight_test.py PROGRAM BARE_PROGRAM [sanitized]. What
it writes, and what is left behind by programs that die, is a trace that `go tool trace` accepts and
that has the last moments in it."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import check  # noqa: E402


def stamps(text):
    """Times of what happened, in nanoseconds."""
    return [int(t) for t in re.findall(r"StateTransition Time=(\d+)", text)]


class Flight(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.dir = pathlib.Path(self.folder.name)

    def run_case(self, case, traced=True, program=None, **settings):
        """Status, what it said, and the files it left in WEFT_TRACE_DIR by their WHY."""
        left = self.dir / "left"
        left.mkdir(exist_ok=True)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("WEFT_")}
        if traced:
            environment["WEFT_TRACE_DIR"] = str(left)
        environment.update(settings)
        words = [program] if program else [PROGRAM, case, str(self.dir / "out")]
        ran = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120,
                             check=False)
        files = {p.name.split(".")[-2]: p for p in left.iterdir()}
        return ran.returncode, ran.stdout + ran.stderr, files

    def events(self, path):
        return check.parsed(path)

    def assert_last_words(self, text):
        self.assertIn("the last words", text)
        self.assertRegex(text, "chan receive")

    def test_written_when_asked(self):
        status, said, left = self.run_case("written", traced=False)
        self.assertEqual((status, said, left), (0, "", {}))
        text = self.events(self.dir / "out")
        self.assert_last_words(text)
        seen = stamps(text)
        # It ran for 2.5 s and remembers half a second, in generations of one.
        self.assertGreater(max(seen) - min(seen), 500e6)
        self.assertLess(max(seen) - min(seen), 2200e6)
        self.assert_last_words(self.events(self.dir / "out.trace"))
        self.assert_last_words(self.events(self.dir / "out.again"))

    def test_bytes_are_bounded(self):
        status, said, _ = self.run_case("small", traced=False)
        self.assertEqual((status, said), (0, ""))
        self.assertLess((self.dir / "out").stat().st_size, 2 << 20)
        self.assert_last_words(self.events(self.dir / "out"))

    def test_left_by_the_dying(self):
        # Under a sanitizer, faults are its own.
        for case in (["fault"] if not SANITIZED else []) + ["panic", "quit", "early"]:
            with self.subTest(case):
                got, said, left = self.run_case(case)
                self.assertEqual(got, 2, said)
                self.assertIn(f"weft: a trace of the last seconds is in {left['crash']}\n", said)
                self.assert_last_words(self.events(left["crash"]))
                left["crash"].unlink()

    def test_beside_the_core(self):
        got, said, left = self.run_case("quit", WEFT_TRACEBACK="crash")
        self.assertEqual(got, -3, said)
        self.assert_last_words(self.events(left["crash"]))

    def test_programs_that_know_nothing_of_it(self):
        got, said, left = self.run_case("", program=BARE)
        self.assertEqual(got, 2, said)
        self.assertIn("chan receive", self.events(left["crash"]))

    def test_latency(self):
        status, said, left = self.run_case("latency")
        self.assertEqual(status, 0, said)
        # The first was quick, the third within the same minute.
        self.assertEqual(set(left), {"latency-1", "asked-for-1-2"}, said)
        self.assertRegex(said, r"weft: GET /pay (took|has taken) \d+ ms.* \(limit 20 ms\): trace")
        self.assertIn(str(left["asked-for-1-2"]), said)
        self.assertRegex(self.events(left["latency-1"]), "GET /pay (took|has taken)")
        self.events(left["asked-for-1-2"])

    def test_a_stall_that_never_ends(self):
        status, said, left = self.run_case("stall")
        self.assertEqual((status, set(left)), (0, {"latency-1"}), said)
        self.assertRegex(said, r"weft: GET /never has taken \d+ ms so far \(limit 20 ms\): trace")
        self.assertIn("GET /never has taken", self.events(left["latency-1"]))

    def test_a_trace_that_is_left_on(self):
        status, said, _ = self.run_case("left_on", traced=False)
        self.assertEqual((status, said), (0, ""))
        self.assertIn("chan receive", self.events(self.dir / "out"))
        self.assert_last_words(self.events(self.dir / "out.second"))

    def test_whole_runs(self):
        status, said, left = self.run_case("other", WEFT_DEBUG="traceruns=1")
        self.assertEqual((status, said), (0, ""))
        self.assertEqual(set(left), {"run-1"})
        self.assert_last_words(self.events(left["run-1"]))

    def test_deadlock(self):
        status, said, left = self.run_case("deadlock")
        self.assertEqual(status, 2)
        self.assertIn("all goroutines are asleep - deadlock!", said)
        self.events(left["crash"])

    def test_bad_directories(self):
        for path, why in (("/no/such", "No such file or directory"),
                          ("/dev/null", "it is no directory"),
                          ("/" + "x/" * 2500, "File name too long")):
            status, said, _ = self.run_case("other", WEFT_TRACE_DIR=path)
            self.assertEqual((status, said), (2, f'weft: WEFT_TRACE_DIR="{path}": {why}\n'))


if __name__ == "__main__":
    PROGRAM, BARE, SANITIZED = sys.argv[1], sys.argv[2], sys.argv[3:4] == ["sanitized"]
    del sys.argv[1:4 if SANITIZED else 3]
    check.find_go()
    unittest.main()
