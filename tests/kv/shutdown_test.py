# SPDX-License-Identifier: Apache-2.0
"""SIGTERM: no new clients, requests that were sent are answered, then a clean end."""
import signal
import sys
import time
import unittest

import kvtest
from kvtest import Status, wait_for

PROGRAM = sys.argv.pop(1) if len(sys.argv) > 1 else "weft-kv"


class Shutdown(unittest.TestCase):
    def end(self, kv, number=signal.SIGTERM):
        code, out, err = kv.stop(number)
        self.assertEqual((code, out, err), (0, "weft-kv stopped\n", ""))

    def test_idle_and_blocked_clients_find_an_end(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with kvtest.WeftKv(PROGRAM) as kv:
                clients = [kv.client() for _ in range(50)]
                for c in clients:
                    c.do("PING")
                clients[0].send("BLPOP", "q", 0)
                clients[1].do("SUBSCRIBE", "ch")
                clients[2].send_raw(b"*2\r\n$3\r\nGET\r\n$1")
                self.end(kv, number)
                for c in clients:
                    self.assertTrue(c.at_end())
                    c.close()

    def test_requests_in_flight_are_answered(self):
        with kvtest.WeftKv(PROGRAM) as kv, kv.client() as c, kv.client() as slow:
            count = 20000
            c.send_raw(b"".join(kvtest.Client.encode("INCR", "n") for _ in range(count)))
            slow.send("DEBUG", "SLEEP", "0.3")
            slow.send("GET", "n")
            wait_for("work is under way", lambda: self.processed(kv) > 10)
            kv.process.send_signal(signal.SIGTERM)
            self.assertEqual([c.reply() for _ in range(count)][-1], count)
            self.assertTrue(c.at_end())
            self.assertEqual(slow.reply(), Status("OK"))
            self.assertEqual(slow.reply(), str(count).encode())
            self.assertTrue(slow.at_end())
            self.end(kv, None)

    def test_a_subscriber_that_does_not_read_keeps_nobody(self):
        with kvtest.WeftKv(PROGRAM) as kv, kv.client() as sub, kv.client() as c:
            sub.do("SUBSCRIBE", "ch")
            for _ in range(3000):  # more than sockets hold, less than its queue
                c.send("PUBLISH", "ch", "x" * 10000)
                self.assertEqual(c.reply(), 1)
            self.end(kv)

    def processed(self, kv):
        with kv.client() as probe:
            text = probe.do("INFO", "stats")
        return int(text.split(b"total_commands_processed:")[1].split(b"\r\n")[0])

    def test_new_clients_are_refused_while_others_finish(self):
        with kvtest.WeftKv(PROGRAM) as kv, kv.client() as slow:
            slow.do("PING")
            slow.send("DEBUG", "SLEEP", "0.5")
            time.sleep(0.05)  # no state to see: whether it sleeps or waits to, the end is the same
            kv.process.send_signal(signal.SIGTERM)

            def refused():
                try:
                    kv.client().close()
                except ConnectionError:
                    return True
                return False
            wait_for("connections are refused", refused)
            self.assertEqual(slow.reply(), Status("OK"))
            self.end(kv, None)


if __name__ == "__main__":
    unittest.main(verbosity=1)
