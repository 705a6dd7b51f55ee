#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The door with curl and Go's pprof as clients. Usage: door_test.py PROGRAM [TEST...]."""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import unittest

PROGRAM = None


class Running:
    """The program, with a runtime directory of its own."""

    def __init__(self, *words, **environment):
        self.folder = tempfile.TemporaryDirectory()
        os.chmod(self.folder.name, 0o755)
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("WEFT_")}
        self.environment["XDG_RUNTIME_DIR"] = self.folder.name
        self.environment.update(environment)
        self.process = subprocess.Popen([PROGRAM, *words], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env=self.environment)
        self.first = self.process.stdout.readline().strip()
        self.socket = f"{self.folder.name}/weft/{self.process.pid}.sock"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.returncode is None:
            self.process.kill()
        if not self.process.stdout.closed:
            self.process.communicate()
        self.folder.cleanup()

    def end(self):
        """Closes its input; its status and what it said."""
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out + err


def curl(url, *words, at=None):
    """Status, headers (lower case), content."""
    with tempfile.NamedTemporaryFile() as head:
        local = ["--unix-socket", at] if at else []
        got = subprocess.run(["curl", "-sS", "--max-time", "60", "-D", head.name, *local, *words,
                              url], capture_output=True, check=False)
        if got.returncode != 0:
            raise AssertionError(f"curl {url}: {got.stderr.decode()}")
        lines = pathlib.Path(head.name).read_bytes().decode().split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
    return int(lines[0].split()[1]), {k.lower(): v for k, v in fields.items()}, got.stdout


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Place(unittest.TestCase):
    def test_default_socket(self):
        with Running() as p:
            self.assertEqual(p.first, "ready")
            self.assertEqual(stat.S_IMODE(os.stat(p.socket).st_mode), 0o600)
            self.assertEqual(stat.S_IMODE(os.stat(os.path.dirname(p.socket)).st_mode), 0o700)
            status, fields, text = curl("http://weft/debug/sched", at=p.socket)
            self.assertEqual(status, 200)
            self.assertEqual(fields["x-content-type-options"], "nosniff")
            self.assertRegex(text.decode(), r"^SCHED \d+ms: gomaxprocs=\d+ idleprocs=")
            self.assertEqual(p.end(), (0, ""))
            self.assertFalse(os.path.exists(p.socket))

    def test_off(self):
        with Running(WEFT_DEBUG_ADDR="off") as p:
            self.assertFalse(os.path.exists(p.socket))
            self.assertEqual(p.end(), (0, ""))

    def test_named_socket(self):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/door"
            with socket.socket(socket.AF_UNIX) as dead:
                dead.bind(path)  # deserted from here on
            with Running(WEFT_DEBUG_ADDR=f"unix:{path}") as p:
                self.assertEqual(curl("http://weft/debug/sched", at=path)[0], 200)
                with Running(WEFT_DEBUG_ADDR=f"unix:{path}") as second:
                    self.assertEqual(second.end(), (2, f'weft: WEFT_DEBUG_ADDR="unix:{path}": '
                                                    f"{path}: another process listens there\n"))
                self.assertEqual(p.end(), (0, ""))
            pathlib.Path(path).write_text("a file")
            with Running(WEFT_DEBUG_ADDR=f"unix:{path}") as p:
                self.assertEqual(p.end(), (2, f'weft: WEFT_DEBUG_ADDR="unix:{path}": {path} is '
                                           "there and no socket\n"))

    def test_stale_sockets_go(self):
        with Running() as p:
            directory = os.path.dirname(p.socket)
            gone = subprocess.Popen(["true"])
            gone.wait()
            stale = f"{directory}/{gone.pid}.sock"
            with socket.socket(socket.AF_UNIX) as dead:
                dead.bind(stale)
            second = subprocess.Popen([PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      env=p.environment)
            second.stdout.readline()
            self.assertFalse(os.path.exists(stale))
            self.assertTrue(os.path.exists(p.socket))
            second.communicate()

    def test_a_directory_of_others_is_not_used(self):
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(f"{folder}/weft")
            os.chmod(f"{folder}/weft", 0o777)
            with Running(XDG_RUNTIME_DIR=folder) as p:
                self.assertEqual(p.first, "ready")
                status, text = p.end()
                self.assertEqual((status, text), (
                    0, f"weft: no debug socket: {folder}/weft belongs to user {os.getuid()} with "
                       "mode 0777: it must be ours with 0700 (WEFT_DEBUG_ADDR=off: none)\n"))

    def test_killed_leaves_a_socket_that_the_next_removes(self):
        with Running() as p:
            p.process.send_signal(signal.SIGKILL)
            p.process.wait()
            self.assertTrue(os.path.exists(p.socket))
            subprocess.run([PROGRAM], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           env=p.environment, check=True)
            self.assertFalse(os.path.exists(p.socket))


class Who(unittest.TestCase):
    def test_beyond_loopback_wants_a_secret(self):
        why = ("is not loopback: whoever reaches it could read this process; use 127.0.0.1:6060, "
               "or set WEFT_DEBUG_TOKEN (options.debug_token), or ask for client certificates "
               "(weft::debughttp::use_tls)")
        for address in ("0.0.0.0:6060", ":6060", "[::]:6060", "10.1.2.3:6060", "example.org:6060"):
            with Running(WEFT_DEBUG_ADDR=address) as p:
                self.assertEqual(p.end(), (2, f'weft: WEFT_DEBUG_ADDR="{address}": {why}\n'))
        with Running("options", "0.0.0.0:6060") as p:
            self.assertEqual(p.first, f'weft::run: options.debug_addr is "0.0.0.0:6060": {why}')
            self.assertEqual(p.end()[0], 3)

    def test_bad_addresses(self):
        for address, why in (
                ("6060", "must be off, unix:PATH or HOST:PORT: address 6060: missing port in "
                         "address"),
                ("unix:", "unix: must be followed by a path"),
                ("unix:/" + "x" * 120, "the path of a Unix socket has at most 107 bytes, this one "
                                       "121")):
            with Running(WEFT_DEBUG_ADDR=address) as p:
                self.assertEqual(p.end(), (2, f'weft: WEFT_DEBUG_ADDR="{address}": {why}\n'))
        with Running(WEFT_DEBUG_ADDR="127.0.0.1:6060", WEFT_DEBUG_TOKEN="two words") as p:
            self.assertEqual(p.end(), (2, 'weft: WEFT_DEBUG_ADDR="127.0.0.1:6060": the token must '
                                       "be printable ASCII without blanks\n"))

    def test_token(self):
        port = free_port()
        with Running(WEFT_DEBUG_ADDR=f"0.0.0.0:{port}", WEFT_DEBUG_TOKEN="sesame") as p:
            self.assertEqual(p.first, "ready")
            url = f"http://127.0.0.1:{port}/debug/sched"
            status, fields, text = curl(url)
            self.assertEqual((status, fields["www-authenticate"]), (401, "Bearer"))
            self.assertEqual(text, b"401 unauthorized: send Authorization: Bearer "
                                   b"WEFT_DEBUG_TOKEN\n")
            for wrong in ("Bearer Sesame", "Bearer sesam", "Bearer sesame2", "Basic sesame",
                          "sesame", "Bearer "):
                self.assertEqual(curl(url, "-H", f"Authorization: {wrong}")[0], 401, wrong)
            self.assertEqual(curl(url, "-H", "Authorization: Bearer sesame")[0], 200)
            self.assertEqual(curl(url, "-H", "Authorization: bearer sesame",
                                  "-H", "Host: box.example.org")[0], 200)

    def test_host_and_origin(self):
        port = free_port()
        with Running(WEFT_DEBUG_ADDR=f"127.0.0.1:{port}") as p:
            self.assertEqual(p.first, "ready")
            url = f"http://127.0.0.1:{port}/debug/sched"
            for host in ("127.0.0.1", f"localhost:{port}", f"[::1]:{port}", "LOCALHOST",
                         "a.localhost", "127.9.9.9"):
                self.assertEqual(curl(url, "-H", f"Host: {host}")[0], 200, host)
            for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example",
                         "10.0.0.1", "0.0.0.0", "localhost.evil.example"):
                status, _, text = curl(url, "-H", f"Host: {host}")
                self.assertEqual(status, 403, host)
                self.assertEqual(text.decode(), f'403 forbidden: Host is "{host}"; ask for '
                                 "127.0.0.1 or localhost\n")
            own = f"http://127.0.0.1:{port}"
            self.assertEqual(curl(url, "-H", f"Origin: {own}")[0], 200)
            for origin in ("http://evil.example", "null", f"https://127.0.0.1:{port}",
                           f"http://localhost:{port}", own + ".evil.example"):
                status, _, text = curl(url, "-H", f"Origin: {origin}")
                self.assertEqual((status, text.decode()),
                                 (403, f'403 forbidden: Origin is "{origin}"\n'))

    @unittest.skipUnless(os.geteuid() == 0, "needs root to be somebody else")
    def test_other_users_are_turned_away(self):
        folder = tempfile.TemporaryDirectory()
        os.chmod(folder.name, 0o755)
        path = f"{folder.name}/door"
        with folder, Running(WEFT_DEBUG_ADDR=f"unix:{path}") as p:
            self.assertEqual(p.first, "ready")
            os.chmod(path, 0o777)  # as if only the uid were in the way
            ask = ["curl", "-sS", "--max-time", "20", "--unix-socket", path,
                   "http://weft/debug/sched"]
            got = subprocess.run(ask, capture_output=True, check=False, user=65534, group=65534)
            self.assertEqual(got.stdout, b"403 forbidden: not the user of this process\n")
            self.assertIn(b"SCHED", subprocess.run(ask, capture_output=True, check=True).stdout)

    def test_get_only(self):
        with Running() as p:
            for method in ("POST", "PUT", "DELETE"):
                status, fields, _ = curl("http://weft/debug/sched", "-X", method, at=p.socket)
                self.assertEqual((status, fields["allow"]), (405, "GET, HEAD"))


class Alive(unittest.TestCase):
    """The door is no reason to live."""

    def test_deadlock_is_found(self):
        with Running("deadlock") as p:
            self.assertTrue(os.path.exists(p.socket))
            self.assertEqual(curl("http://weft/debug/sched", at=p.socket)[0], 200)
            status, text = p.end()
            self.assertEqual(status, 2)
            self.assertIn("fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [chan "
                          "receive]:\n", text)
            # One goroutine: the door's is the runtime's own.
            self.assertEqual(re.findall(r"^goroutine \d+", text, re.M), ["goroutine 1"])

    def test_deadlock_waits_for_who_looks(self):
        with Running("deadlock") as p:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(30)
                s.connect(p.socket)
                for i in range(3):
                    s.sendall(b"GET /debug/sched HTTP/1.1\r\nHost: weft\r\n\r\n")
                    self.assertIn(b"200 OK", s.recv(65536))
                    if i == 0:  # it is connected: now the others may wait for ever
                        p.process.stdin.close()
                        p.process.stdin = None
            self.assertEqual(p.process.wait(timeout=30), 2)


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.program = Running()

    @classmethod
    def tearDownClass(cls):
        with cls.program:
            if cls.program.end() != (0, ""):
                sys.exit("the program did not end well")

    def get(self, path, *words):
        return curl("http://weft" + path, *words, at=self.program.socket)

    def test_sched(self):
        got = json.loads(self.get("/debug/sched?format=json")[2])
        self.assertEqual(len(got["processors"]), got["procs"])
        self.assertGreaterEqual(got["states"]["waiting"], 35)
        self.assertIn(self.program.process.pid, [m["tid"] for m in got["machines"]])
        by_accept = self.get("/debug/sched", "-H", "Accept: application/json")
        self.assertEqual(by_accept[1]["content-type"], "application/json")


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    if shutil.which("curl") is None:
        print("no curl")
        sys.exit(77)
    unittest.main()
