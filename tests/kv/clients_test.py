# SPDX-License-Identifier: Apache-2.0
"""weft-kv and its clients: real ones, many, rude, silent, blocked, subscribed."""
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import kvtest
from kvtest import ErrorReply, Status, wait_for

PROGRAM = sys.argv.pop(1) if len(sys.argv) > 1 else "weft-kv"
SEED = 20240607


def resident_bytes(pid):
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def descriptors(pid):
    """How many are open, without the files in which the monitor reads the states of threads: it
    opens those when it first wants to know."""
    folder, count = f"/proc/{pid}/fd", 0
    for name in os.listdir(folder):
        try:
            count += not os.readlink(f"{folder}/{name}").startswith("/proc/")
        except FileNotFoundError:
            pass  # closed meanwhile
    return count


def client_count(c):
    return int(c.do("INFO", "clients").split(b"connected_clients:")[1].split(b"\r\n")[0])


class Pipeliner:
    """A process that sends `requests` again and again, a piece at a time, and reads no answer but
    now and then; it tells by a pipe of each piece."""

    def __init__(self, port, requests, piece):
        self.pieces, told = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                with kvtest.socket.create_connection(("127.0.0.1", port)) as s:
                    s.settimeout(0.01)
                    self.send_for_ever(s, requests, piece, told)
            finally:
                os._exit(1)
        os.close(told)

    @staticmethod
    def send_for_ever(s, requests, piece, told):
        at = 0
        while True:
            try:
                at = (at + s.send(requests[at:at + piece])) % len(requests)
            except TimeoutError:  # the server waits for us to read
                s.recv(65536)
            os.write(told, b".")

    def wait_for_pieces(self, count):
        while count > 0:
            count -= len(os.read(self.pieces, count))

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.pieces)


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kv = kvtest.WeftKv(PROGRAM, "--maxclients", "50000")

    @classmethod
    def tearDownClass(cls):
        code, _, err = cls.kv.stop()
        assert (code, err) == (0, ""), (code, err)

    def setUp(self):
        self.c = self.kv.client()
        self.c.do("FLUSHALL")
        # Tests count clients: those of the test before must have gone.
        wait_for("only this client is there", lambda: client_count(self.c) == 1)

    def tearDown(self):
        self.c.close()

    def test_redis_cli(self):
        kvtest.need("redis-cli")

        def cli(*words):
            done = subprocess.run(["redis-cli", "-p", str(self.kv.port), *words],
                                  capture_output=True, text=True, timeout=20, check=True)
            return done.stdout
        self.assertEqual(cli("SET", "greeting", "hello world"), "OK\n")
        self.assertEqual(cli("GET", "greeting"), "hello world\n")
        self.assertEqual(cli("LPUSH", "l", "1", "2", "3"), "3\n")
        self.assertEqual(cli("LRANGE", "l", "0", "-1"), "3\n2\n1\n")
        self.assertEqual(cli("--scan", "--pattern", "gree*"), "greeting\n")
        self.assertIn("wrong kind of value", cli("GET", "l"))
        self.assertIn("goroutine ", cli("DEBUG", "GOROUTINES"))

    def test_redis_benchmark(self):
        kvtest.need("redis-benchmark")
        done = subprocess.run(
            ["redis-benchmark", "-p", str(self.kv.port), "-c", "50", "-n", "5000", "-P", "4",
             "-r", "1000", "--csv", "-t",
             "ping,set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,lrange,mset"],
            capture_output=True, text=True, timeout=60, check=True)
        lines = [line for line in done.stdout.splitlines() if line.startswith('"')]
        self.assertGreaterEqual(len(lines), 14, done.stdout + done.stderr)
        self.assertEqual(done.stderr, "")

    def test_a_thousand_clients(self):
        clients = [self.kv.client() for _ in range(1000)]
        for i, c in enumerate(clients):
            c.send("SET", f"key{i}", i)
            c.send("GET", f"key{i}")
        for i, c in enumerate(clients):
            self.assertEqual(c.reply(), Status("OK"))
            self.assertEqual(c.reply(), str(i).encode())
        self.assertGreaterEqual(client_count(self.c), 1001)
        for c in clients:
            c.close()
        wait_for("clients are gone", lambda: client_count(self.c) == 1)

    def test_twenty_thousand_idle_clients(self):
        want = int(os.environ.get("WEFT_TEST_IDLE_CLIENTS", 20000))
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (want + 500, want + 500))
        except (ValueError, OSError):
            pass  # not allowed to raise: as many as there may be
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        count = min(want, hard - 300)
        with kvtest.WeftKv(PROGRAM, "--maxclients", "50000") as kv, kv.client() as control:
            before = resident_bytes(kv.process.pid)
            idle = []
            for i in range(count):
                # Ephemeral ports are per source address: spread over a few.
                idle.append(kvtest.socket.create_connection(
                    ("127.0.0.1", kv.port), timeout=20, source_address=(f"127.0.0.{2 + i % 8}", 0)))
            for s in idle:
                s.sendall(b"PING\r\n")
            for s in idle:
                self.assertEqual(s.recv(16), b"+PONG\r\n")
            self.assertEqual(client_count(control), count + 1)
            each = (resident_bytes(kv.process.pid) - before) / count
            print(f"{count} idle clients: {each:.0f} bytes resident each")
            if want == 20000:
                self.assertLess(each, 16384, "an idle client holds a buffer")
            control.send("PING")
            self.assertEqual(control.reply(), Status("PONG"))
            for s in idle:
                s.close()
            wait_for("clients are gone", lambda: client_count(control) == 1)

    def test_killed_clients(self):
        """kill -9 in the middle of a request, and while blocked: nothing is lost or stuck."""
        code = ("import socket,sys,time\ns=socket.create_connection(('127.0.0.1',%d))\n"
                "s.sendall(%r)\nprint('sent',flush=True)\ntime.sleep(60)\n")
        blpop = kvtest.Client.encode("BLPOP", "queue", "0")
        for data in (b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100\r\nhalf", b"*2\r\n$3\r\nGE", blpop):
            before = client_count(self.c)
            victim = subprocess.Popen([sys.executable, "-c", code % (self.kv.port, data)],
                                      stdout=subprocess.PIPE)
            self.assertEqual(victim.stdout.readline(), b"sent\n")
            wait_for("victim is a client", lambda: client_count(self.c) == before + 1)
            victim.kill()
            victim.communicate()
            wait_for("victim is gone", lambda: client_count(self.c) == before)
        self.c.do("RPUSH", "queue", "precious")
        self.assertEqual(self.c.do("LPOP", "queue"), b"precious")

    def test_clients_killed_while_they_pipeline(self):
        """200 times kill -9 between two bytes of endless requests: nothing of them is left."""
        def left():
            return (client_count(self.c), descriptors(self.kv.process.pid),
                    self.c.do("DEBUG", "GOROUTINES").count(b"\ngoroutine "))
        requests = b"".join(kvtest.Client.encode(*words) for words in (
            ("SET", "p", "x" * 500), ("GET", "p"), ("INCR", "n"), ("LPUSH", "l", "e"),
            ("BLPOP", "l", "0"), ("SUBSCRIBE", "c"), ("PUBLISH", "c", "m"), ("UNSUBSCRIBE", "c")))
        before = left()
        rng = random.Random(SEED)
        for _ in range(200):
            victim = Pipeliner(self.kv.port, requests * 50, piece=rng.randint(1, 5000))
            victim.wait_for_pieces(rng.randint(1, 20))
            victim.kill()
        wait_for("no more is left than was there before",
                 lambda: all(now <= was for now, was in zip(left(), before)))
        self.assertEqual(self.c.do("PING"), Status("PONG"))

    def test_garbage(self):
        rng = random.Random(SEED)
        for _ in range(200):
            data = bytes(rng.choice(b"*$0123456789\r\n\x00\xffGETSET \"'")
                         for _ in range(rng.randint(1, 200)))
            with self.kv.client() as rude:
                rude.send_raw(data)
                if rng.random() < 0.5:
                    rude.sock.shutdown(kvtest.socket.SHUT_WR)
                    try:
                        while rude.sock.recv(4096):
                            pass
                    except ConnectionError:
                        pass
        self.assertEqual(self.c.do("PING"), Status("PONG"))

    def test_oversized(self):
        cases = [(b"*1\r\n$536870913\r\n", "ERR Protocol error: invalid bulk length"),
                 (b"*1048577\r\n", "ERR Protocol error: invalid multibulk length"),
                 (b"A" * 70000, "ERR Protocol error: too big inline request")]
        for data, text in cases:
            with self.kv.client() as rude:
                rude.send_raw(data)
                self.assertEqual(rude.reply(), ErrorReply(text))
                self.assertTrue(rude.at_end())
        with kvtest.WeftKv(PROGRAM, "--max-bulk", "2000") as small, small.client() as c:
            self.assertEqual(c.do("SET", "k", "x" * 2000), Status("OK"))
            c.send("SET", "k", "x" * 2001)
            self.assertEqual(c.reply(), ErrorReply("ERR Protocol error: invalid bulk length"))

    def test_large_values(self):
        big = random.Random(SEED).randbytes(8 << 20)
        self.assertEqual(self.c.do("SET", "big", big), Status("OK"))
        self.assertEqual(self.c.do("GET", "big"), big)
        for _ in range(20):
            self.c.send("STRLEN", "big")
            self.c.send("GET", "big")
        for _ in range(20):
            self.assertEqual(self.c.reply(), len(big))
            self.assertEqual(len(self.c.reply()), len(big))

    def test_a_byte_at_a_time(self):
        for byte in kvtest.Client.encode("SET", "slow", "v\r\n") + b"GET slow\r\n":
            self.c.send_raw(bytes([byte]))
        self.assertEqual(self.c.reply(), Status("OK"))
        self.assertEqual(self.c.reply(), b"v\r\n")

    def test_scan_meets_every_key_once_or_more(self):
        for i in range(3000):
            self.c.send("SET", f"s{i}", i)
        for _ in range(3000):
            self.c.reply()
        cursor, met, rounds = b"0", set(), 0
        while True:
            cursor, keys = self.c.do("SCAN", cursor, "COUNT", 50)
            met.update(keys)
            rounds += 1
            if cursor == b"0":
                break
        self.assertEqual(met, {f"s{i}".encode() for i in range(3000)})
        self.assertGreater(rounds, 10)

    def test_expiry(self):
        begin = time.monotonic()
        self.c.do("SET", "short", "v", "PX", 50)
        self.c.do("SET", "long", "v", "EX", 1000)
        self.assertEqual(self.c.do("GET", "short"), b"v")
        wait_for("key has expired", lambda: self.c.do("GET", "short") is None)
        self.assertGreaterEqual(time.monotonic() - begin, 0.049)
        self.c.do("SET", "alone", "v", "PX", 30)
        wait_for("untouched key is removed", lambda: self.c.do("DBSIZE") == 1)
        self.assertEqual(self.c.do("EXISTS", "long"), 1)

    def wait_blocked(self, count):
        """`count` clients are inside BLPOP."""
        wait_for("clients block", lambda: self.c.do("DEBUG", "GOROUTINES").count(
            b"kv::blocking_pop(") >= count)

    def test_blpop_is_fair(self):
        clients = []
        for i in range(3):
            b = self.kv.client()
            b.do("CLIENT", "SETNAME", f"b{i}")
            b.send("BLPOP", "fair", "other", 0)
            self.wait_blocked(i + 1)
            clients.append(b)
        self.assertEqual(self.c.do("RPUSH", "fair", "x", "y"), 2)
        self.assertEqual(clients[0].reply(), [b"fair", b"x"])
        self.assertEqual(clients[1].reply(), [b"fair", b"y"])
        self.c.do("LPUSH", "other", "z")
        self.assertEqual(clients[2].reply(), [b"other", b"z"])
        self.assertEqual(self.c.do("EXISTS", "fair", "other"), 0)
        for b in clients:
            self.assertEqual(b.do("PING"), Status("PONG"), "serves on after blocking")
            b.close()

    def test_blpop_times_out(self):
        begin = time.monotonic()
        self.assertEqual(self.c.do("BLPOP", "nothing", 0.05), ("nil array",))
        self.assertGreaterEqual(time.monotonic() - begin, 0.05)
        self.assertEqual(self.c.do("BRPOP", "nothing", "none", 0.01), ("nil array",))

    def test_blpop_with_pipelined_requests(self):
        with self.kv.client() as b:
            b.send("PING")
            b.send("BLPOP", "pipe", 0)
            b.send("PING")
            self.assertEqual(b.reply(), Status("PONG"), "earlier replies do not wait")
            self.wait_blocked(1)
            self.c.do("RPUSH", "pipe", "e")
            self.assertEqual(b.reply(), [b"pipe", b"e"])
            self.assertEqual(b.reply(), Status("PONG"))

    def test_pubsub(self):
        with self.kv.client() as sub:
            self.assertEqual(sub.do("SUBSCRIBE", "news"), [b"subscribe", b"news", 1])
            self.assertEqual(sub.do("PSUBSCRIBE", "n*"), [b"psubscribe", b"n*", 2])
            self.assertEqual(self.c.do("PUBLISH", "news", "hello"), 2)
            self.assertEqual(sub.reply(), [b"message", b"news", b"hello"])
            self.assertEqual(sub.reply(), [b"pmessage", b"n*", b"news", b"hello"])
            self.assertEqual(sub.do("PING"), [b"pong", b""])
            self.assertIn("only (P|S)SUBSCRIBE", sub.do("GET", "x"))
            self.assertEqual(self.c.do("PUBSUB", "NUMSUB", "news"), [b"news", 1])
            self.assertEqual(sub.do("UNSUBSCRIBE"), [b"unsubscribe", b"news", 1])
            self.assertEqual(self.c.do("PUBLISH", "news", "again"), 1)
            self.assertEqual(sub.reply(), [b"pmessage", b"n*", b"news", b"again"])
            self.assertEqual(sub.do("PUNSUBSCRIBE", "n*"), [b"punsubscribe", b"n*", 0])
            self.assertEqual(sub.do("SET", "k", "v"), Status("OK"), "commands work again")
            for i in range(2000):
                self.c.send("PUBLISH", "flood", i)
            for i in range(2000):
                self.assertEqual(self.c.reply(), 0)

    def test_a_confirmed_subscriber_is_counted(self):
        with self.kv.client() as sub:
            for i in range(3000):
                self.assertEqual(sub.do("SUBSCRIBE", f"c{i}")[2], i + 1)
                self.assertEqual(self.c.do("PUBLISH", f"c{i}", "x"), 1)
                self.assertEqual(sub.reply(), [b"message", f"c{i}".encode(), b"x"])

    def test_one_command_subscribes_to_more_than_the_queue_holds(self):
        with self.kv.client() as sub:
            names = [f"many{i}" for i in range(20000)]
            sub.send("SUBSCRIBE", *names)
            for i, name in enumerate(names):
                self.assertEqual(sub.reply(), [b"subscribe", name.encode(), i + 1])
            self.assertEqual(self.c.do("PUBLISH", names[-1], "x"), 1)

    def test_a_subscriber_that_does_not_read_is_cut_off(self):
        with self.kv.client() as sub:
            sub.do("SUBSCRIBE", "flood")
            text = "x" * 10000
            gone = False
            for _ in range(200):
                for _ in range(100):
                    self.c.send("PUBLISH", "flood", text)
                gone = [self.c.reply() for _ in range(100)][-1] == 0
                if gone:
                    break
            self.assertTrue(gone, "200 MB were kept for one client")

    def test_maxclients(self):
        with kvtest.WeftKv(PROGRAM, "--maxclients", "2") as kv:
            with kv.client() as a, kv.client() as b:
                a.do("PING"), b.do("PING")
                with kv.client() as third:
                    self.assertEqual(third.reply(),
                                     ErrorReply("ERR max number of clients reached"))
                    self.assertTrue(third.at_end())
                self.assertEqual(a.do("CONFIG", "SET", "maxclients", "3"), Status("OK"))
                with kv.client() as third:
                    self.assertEqual(third.do("PING"), Status("PONG"))

    def test_unix_socket(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "kv.sock")
            with kvtest.WeftKv(PROGRAM, "--unix", path) as kv:
                with kvtest.socket.socket(kvtest.socket.AF_UNIX) as s:
                    s.connect(path)
                    s.sendall(b"PING\r\n")
                    self.assertEqual(s.recv(16), b"+PONG\r\n")
                kv.stop()
                self.assertFalse(os.path.exists(path))

    def test_bad_options_are_refused_by_name(self):
        for words, text in ((("--port", "70000"), '--port "70000": must be a whole number from 0'),
                            (("--port", "x"), '--port "x"'), (("--maxclients=0",), "--maxclients"),
                            (("--what", "1"), "--what: unknown option"),
                            (("--port",), "--port: a value is missing"),
                            (("--max-bulk", "1"), '--max-bulk "1"')):
            done = subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=20)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn(text, done.stderr)
        done = subprocess.run([PROGRAM, "--port", str(self.kv.port)], capture_output=True,
                              text=True, timeout=20)
        self.assertEqual(done.returncode, 1)
        self.assertIn("bind: address already in use", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=1)
