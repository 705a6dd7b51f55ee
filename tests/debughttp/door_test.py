#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The door with curl and Go's pprof as clients. Usage: door_test.py PROGRAM WITHOUT [TEST...]."""
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

try:
    from prometheus_client import parser as old_parser
    from prometheus_client.openmetrics import parser as open_parser
except ImportError:
    # Debian's packages are for Debian's own interpreter.
    if sys.executable != "/usr/bin/python3" and os.path.exists("/usr/bin/python3"):
        os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])
    if os.environ.get("CI") == "true":  # there it must not go unnoticed
        sys.exit("python3-prometheus-client is not installed")
    old_parser = open_parser = None

PROGRAM = None
WITHOUT = None  # the same without the layer


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

    def test_an_address_wants_the_layer(self):
        why = "nothing in this program listens there; link weft::debughttp\n"
        for words, status, text in (
                ([], 2, f'weft: WEFT_DEBUG_ADDR="unix:/tmp/door": {why}'),
                (["options", "127.0.0.1:1"], 3,
                 f'weft::run: options.debug_addr is "127.0.0.1:1": {why}')):
            got = subprocess.run([WITHOUT, *words], stdin=subprocess.DEVNULL, text=True,
                                 capture_output=True, check=False,
                                 env={**os.environ, "WEFT_DEBUG_ADDR": "unix:/tmp/door"})
            self.assertEqual((got.returncode, got.stdout + got.stderr), (status, text))
        got = subprocess.run([WITHOUT], stdin=subprocess.DEVNULL, text=True, capture_output=True,
                             check=False, env={**os.environ, "WEFT_DEBUG_ADDR": "off"})
        self.assertEqual((got.returncode, got.stdout), (0, "ready\n"))

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


class WithProgram(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.program = Running()

    @classmethod
    def tearDownClass(cls):
        with cls.program:
            status, text = cls.program.end()
            if (status, text) != (0, ""):
                sys.exit(f"the program ended with {status}:\n{text}")

    def get(self, path, *words):
        return curl("http://weft" + path, *words, at=self.program.socket)

    def json(self, path):
        status, fields, text = self.get(path)
        self.assertEqual((status, fields["content-type"]), (200, "application/json"))
        return json.loads(text)

    def refused(self, path, status, text, *words):
        """As Go's pprof refuses."""
        got = self.get(path, *words)
        self.assertEqual((got[0], got[2].decode()), (status, text + "\n"), path)
        self.assertEqual(got[1]["x-go-pprof"], "1")
        self.assertEqual(got[1]["x-content-type-options"], "nosniff")
        self.assertEqual(got[1]["content-type"], "text/plain; charset=utf-8")
        self.assertNotIn("content-disposition", got[1])


def parse_openmetrics(text):
    """Strictly what weft writes of it: {family: (type, unit, {labels: value})}."""
    lines = text.split("\n")
    if lines[-2:] != ["# EOF", ""]:
        raise AssertionError("it does not end with # EOF")
    families, name, stage = {}, None, 0
    for line in lines[:-2]:
        if match := re.fullmatch(r"# TYPE ([a-z][a-z0-9_]*) (gauge|counter|histogram)", line):
            name, stage = match.group(1), 1
            if name in families or name.endswith("_total"):
                raise AssertionError(line)
            families[name] = [match.group(2), "", {}]
        elif match := re.fullmatch(r"# UNIT (\S+) ([a-z]+)", line):
            if match.group(1) != name or stage != 1 or not name.endswith("_" + match.group(2)):
                raise AssertionError(line)
            families[name][1], stage = match.group(2), 2
        elif match := re.fullmatch(r"# HELP (\S+) ([ -~]+)", line):
            if match.group(1) != name or stage not in (1, 2):
                raise AssertionError(line)
            stage = 3
        else:
            match = re.fullmatch(r'([a-z0-9_]+)(?:\{([a-z_]+="[^"\\]*")\})? (\S+)', line)
            endings = {"gauge": [""], "counter": ["_total"],
                       "histogram": ["_bucket", "_count", "_sum"]}[families[name][0]]
            if not match or stage != 3 or match.group(1) not in [name + e for e in endings]:
                raise AssertionError(line)
            value, labels = float(match.group(3)), match.group(2)
            if len(endings) > 1:
                labels = labels or match.group(1).removeprefix(name)
            if value != value or value < 0 or labels in families[name][2]:
                raise AssertionError(line)
            families[name][2][labels] = value
    return families


class Pages(WithProgram):
    def test_goroutines(self):
        got = self.json("/debug/goroutines?format=json")
        self.assertGreaterEqual(got["goroutines"], 37)
        parked = got["groups"][0]
        self.assertEqual((parked["count"], parked["state"], parked["reason"], parked["labels"]),
                         (30, "waiting", "chan receive", {"kind": "parked"}))
        self.assertEqual(len(parked["ids"]), 8)
        self.assertIn("serve()", parked["frames"][0]["function"])
        self.assertRegex(parked["frames"][0]["file"], r"program\.cpp$")
        self.assertEqual(parked["created_by"]["function"], "(anonymous namespace)::serve")
        text = self.get("/debug/goroutines")[2].decode()
        self.assertRegex(text, r"\A\d+ goroutines in \d+ groups\n\n30 goroutines \[chan receive, "
                               r'oldest [^]]+\] labels:\{"kind": "parked"\} ids( \d+){8} \.\.\.:\n')

    def test_goroutines_filtered(self):
        def counts(query):
            got = self.json(f"/debug/goroutines?format=json&{query}")
            return [group["count"] for group in got["groups"]]

        self.assertEqual(counts("reason=sync.Mutex.Lock"), [5])
        self.assertEqual(counts("label=kind:parked"), [30])
        self.assertEqual(counts("label=kind:other"), [])
        self.assertEqual(counts("state=waiting"), [30, 5])
        self.assertEqual(counts("state=waiting&limit=1"), [30])
        self.assertEqual(counts("state=waiting&min_age=1h"), [])
        self.assertEqual(counts("state=waiting&min_age=1ms&reason=&label="), [30, 5])
        self.assertEqual(len(counts("state=waiting&system=1")), 3)
        for query, why in (
                ("state=dead", 'state is "dead": must be running, runnable or waiting'),
                ("min_age=soon", 'min_age is "soon": must be a time like 90s, 250ms, 5m'),
                ("label=kind", 'label is "kind": must be KEY:VALUE'),
                ("limit=0", 'limit is "0": must be 1 to 100000'),
                ("color=red", 'unknown parameter "color"; known are state, reason, min_age, label, '
                              "limit, system, format")):
            status, _, text = self.get(f"/debug/goroutines?{query}")
            self.assertEqual((status, text.decode()), (400, why + "\n"))

    def test_html_has_no_holes(self):
        status, fields, text = self.get("/debug/goroutines", "-H", "Accept: text/html,*/*")
        self.assertEqual((status, fields["content-type"]), (200, "text/html; charset=utf-8"))
        self.assertEqual(fields["content-security-policy"],
                         "default-src 'none'; style-src 'unsafe-inline'")
        self.assertIn(b"labels:{&#34;kind&#34;: &#34;parked&#34;}", text)
        # As g++ and as clang call it.
        self.assertRegex(text, rb"serve\(\)::(\{lambda\(\)#1\}|\$_0)::operator\(\)\(\)")

    def test_contents(self):
        pages = [p["path"] for p in self.json("/debug/?format=json")["pages"]]
        self.assertEqual(len(pages), 5)
        for page in pages:
            self.assertEqual(self.get(page)[0], 200, page)
            self.assertIn(page.encode(), self.get("/debug/")[2])
            self.assertIn(page.encode(), self.get("/debug/", "-H", "Accept: text/html")[2])

    def test_heap(self):
        got = self.json("/debug/heap?format=json")
        self.assertGreaterEqual(got["span_bytes"], got["in_use_bytes"])
        # Sanitizers bring a malloc of their own.
        objects = sum(c["in_use"] for c in got["classes"]) + got["large_objects"]
        self.assertEqual(objects > 0, got["in_use_bytes"] > 0)
        self.assertIn(b"fragmentation", self.get("/debug/heap")[2])

    def test_metrics(self):
        status, fields, text = self.get("/metrics")
        self.assertEqual((status, fields["content-type"]), (
            200, "application/openmetrics-text; version=1.0.0; charset=utf-8"))
        found = parse_openmetrics(text.decode())
        self.assertEqual(found["weft_sched_gomaxprocs_threads"][0:2], ["gauge", "threads"])
        self.assertGreaterEqual(found["weft_sched_goroutines_goroutines"][2][None], 37)
        procs = int(found["weft_sched_gomaxprocs_threads"][2][None])
        self.assertEqual(list(found["weft_sched_run_queue_goroutines"][2]),
                         [f'p="{n}"' for n in range(procs)])
        # Go's invariant of the classes.
        classes = {n: f[2][None] for n, f in found.items() if n.startswith("weft_memory_classes_")}
        total = classes.pop("weft_memory_classes_total_bytes")
        self.assertEqual(sum(classes.values()), total)
        self.assertEqual(set(self.json("/metrics?format=json")), set(found))
        # Counters only grow.
        later = parse_openmetrics(self.get("/metrics")[2].decode())
        for name, (kind, _, values) in found.items():
            for labels, value in values.items() if kind != "gauge" else ():
                self.assertGreaterEqual(later[name][2][labels], value, name)

    def test_run_latencies(self):
        # The first reading begins the measuring; answering makes some goroutines ready each time,
        # one in 64 of which is measured.
        name = "weft_sched_latencies_seconds"
        values = {"_count": 0}
        while values["_count"] == 0:
            kind, unit, values = parse_openmetrics(self.get("/metrics")[2].decode())[name]
        self.assertEqual((kind, unit), ("histogram", "seconds"))
        count, total = values.pop("_count"), values.pop("_sum")
        self.assertGreater(total, 0)
        bounds = [float(text.removeprefix('le="').removesuffix('"')) for text in values]
        self.assertEqual(bounds, sorted(bounds))
        self.assertEqual(list(values.values()), sorted(values.values()))
        self.assertEqual((bounds[-1], values['le="+Inf"']), (float("inf"), count))
        # The mean lies between what the buckets' bounds allow.
        each = [b - a for a, b in zip([0, *values.values()], values.values())]
        self.assertGreaterEqual(total, sum(n * b for n, b in zip(each[1:], bounds)) * 0.999)
        if each[-1] == 0:
            self.assertLessEqual(total, sum(n * b for n, b in zip(each, bounds) if n) * 1.001)

    @unittest.skipIf(open_parser is None, "no python3-prometheus-client")
    def test_metrics_as_prometheus_sees_them(self):
        text = self.get("/metrics")[2].decode()
        seen = {f.name: f for f in open_parser.text_string_to_metric_families(text)}
        ours = parse_openmetrics(text)
        self.assertEqual({n: (f.type, f.unit, len(f.samples)) for n, f in seen.items()},
                         {n: (kind, unit, len(v)) for n, (kind, unit, v) in ours.items()})
        text = self.get("/metrics?format=prometheus")[2].decode()
        old = {f.name: f.type for f in old_parser.text_string_to_metric_families(text)}
        self.assertEqual(old, {n: kind for n, (kind, _, _) in ours.items()})

    def test_metrics_for_prometheus(self):
        old = self.get("/metrics", "-H", "Accept: text/plain;version=0.0.4;q=0.5,*/*;q=0.1")
        self.assertEqual(old[1]["content-type"], "text/plain; version=0.0.4; charset=utf-8")
        text = old[2].decode()
        self.assertIn("# TYPE weft_sched_decisions_total counter\n", text)
        self.assertNotIn("# EOF", text)
        if shutil.which("promtool"):
            got = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                                 capture_output=True, check=False)
            self.assertEqual((got.returncode, got.stderr), (0, ""))

    def test_sched(self):
        got = json.loads(self.get("/debug/sched?format=json")[2])
        self.assertEqual(len(got["processors"]), got["procs"])
        self.assertGreaterEqual(got["states"]["waiting"], 35)
        self.assertIn(self.program.process.pid, [m["tid"] for m in got["machines"]])
        by_accept = self.get("/debug/sched", "-H", "Accept: application/json")
        self.assertEqual(by_accept[1]["content-type"], "application/json")


class Pprof(WithProgram):
    """Statuses, headers and texts of Go's net/http/pprof (spec/pprof.md §5)."""

    def test_index(self):
        status, fields, text = self.get("/debug/pprof/")
        self.assertEqual((status, fields["content-type"]), (200, "text/html; charset=utf-8"))
        names = re.findall(r"<td><a href='[^']*'>(\w+)</a></td>", text.decode())
        self.assertEqual(names, sorted(names))
        for name in ("allocs", "block", "cmdline", "flight", "goroutine", "heap", "mutex",
                     "profile", "sched", "symbol", "threadcreate", "trace", "wall"):
            self.assertIn(name, names)
        self.assertIn("<a href='goroutine?debug=2'>", text.decode())
        listed = self.json("/debug/pprof/?format=json")["profiles"]
        self.assertEqual([p["name"] for p in listed], names)
        self.assertEqual(self.get("/debug/pprof")[0], 307)

    def test_profiles(self):
        for name in ("allocs", "block", "goroutine", "heap", "mutex", "sched", "threadcreate"):
            status, fields, data = self.get(f"/debug/pprof/{name}")
            self.assertEqual((status, fields["content-type"]), (200, "application/octet-stream"))
            self.assertEqual(fields["content-disposition"], f'attachment; filename="{name}"')
            self.assertEqual(fields["x-content-type-options"], "nosniff")
            self.assertEqual(data[:2], b"\x1f\x8b")
            status, fields, text = self.get(f"/debug/pprof/{name}?debug=1")
            self.assertEqual((status, fields["content-type"]), (200, "text/plain; charset=utf-8"))
            self.assertNotIn("content-disposition", fields)
            self.assertRegex(text, rb"^(\w+ profile: |--- (contention|mutex):)")
        full = self.get("/debug/pprof/goroutine?debug=2")[2].decode()
        self.assertGreaterEqual(len(re.findall(r"^goroutine \d+ \[", full, re.M)), 37)
        self.assertEqual(self.get("/debug/pprof/heap?gc=1")[0], 200)

    def test_refusals(self):
        self.refused("/debug/pprof/nothing", 404, "Unknown profile")
        for seconds in ("x", "0", "-1", "1.5"):
            self.refused(f"/debug/pprof/heap?seconds={seconds}", 400,
                         'invalid value for "seconds" - must be a positive integer')
        self.refused("/debug/pprof/heap?seconds=1&debug=1", 400,
                     "seconds and debug params are incompatible")
        limit = "at most 600 (weft::debughttp::limit_profile_seconds)"
        self.refused("/debug/pprof/profile?seconds=601", 400, f"seconds is 601: {limit}")
        self.refused("/debug/pprof/goroutine?seconds=1000000", 400, f"seconds is 1e+06: {limit}")

    def test_delta(self):
        status, fields, data = self.get("/debug/pprof/allocs?seconds=1")
        self.assertEqual((status, fields["content-disposition"]),
                         (200, 'attachment; filename="allocs-delta"'))
        self.assertEqual(data[:2], b"\x1f\x8b")

    def test_cmdline_and_symbol(self):
        status, fields, text = self.get("/debug/pprof/cmdline")
        self.assertEqual((status, fields["content-type"], text.decode()),
                         (200, "text/plain; charset=utf-8", PROGRAM))
        goroutines = self.get("/debug/pprof/goroutine?debug=1")[2].decode()
        pc, name = re.search(r"#\t(0x[0-9a-f]+)\t(weft::mutex::lock_slow)\+", goroutines).groups()
        want = f"num_symbols: 1\n{pc} {name}\n"
        self.assertEqual(self.get(f"/debug/pprof/symbol?{pc}")[2].decode(), want)
        posted = self.get("/debug/pprof/symbol", "--data-raw", f"{pc}+0x1+junk+{pc}")[2].decode()
        self.assertEqual(posted, want + f"{pc} {name}\n")
        self.assertEqual(self.get("/debug/pprof/symbol")[2], b"num_symbols: 1\n")

    def test_one_cpu_profile_at_a_time_and_leaving_ends_it(self):
        with socket.socket(socket.AF_UNIX) as first:
            first.connect(self.program.socket)
            first.sendall(b"GET /debug/pprof/profile?seconds=100 HTTP/1.1\r\nHost: weft\r\n\r\n")
            text = "Could not enable CPU profiling: cpu profiling already in use"
            for _ in range(200):  # until the first has begun
                status, fields, content = self.get("/debug/pprof/profile?seconds=1")
                if status == 500:
                    break
            self.assertEqual((status, content.decode()), (500, text + "\n"))
            self.assertEqual(fields["x-go-pprof"], "1")
        for _ in range(200):  # until it is noticed that the first has left
            status, fields, content = self.get("/debug/pprof/profile?seconds=1")
            if status == 200:
                break
        self.assertEqual(status, 200)
        self.assertEqual(fields["content-disposition"], 'attachment; filename="profile"')
        self.assertEqual(content[:2], b"\x1f\x8b")


    def test_trace(self):
        status, fields, data = self.get("/debug/pprof/trace?seconds=0.2")
        self.assertEqual((status, fields["content-disposition"]),
                         (200, 'attachment; filename="trace"'))
        self.assertRegex(data, rb"^go 1\.\d+ trace\0\0\0")
        self.refused("/debug/pprof/trace?seconds=601", 400, "seconds is 601: at most 600 "
                     "(weft::debughttp::limit_profile_seconds)")
        with socket.socket(socket.AF_UNIX) as first:
            first.connect(self.program.socket)
            first.sendall(b"GET /debug/pprof/trace?seconds=100 HTTP/1.1\r\nHost: weft\r\n\r\n")
            for _ in range(200):  # until the first has begun
                status, fields, content = self.get("/debug/pprof/trace?seconds=0.05")
                if status == 500:
                    break
            self.assertEqual(status, 500)
            self.assertRegex(content, rb"^Could not enable tracing: ")
            self.assertEqual(fields["content-type"], "text/plain; charset=utf-8")
        for _ in range(200):  # until it is noticed that the first has left
            status = self.get("/debug/pprof/trace?seconds=0.05")[0]
            if status == 200:
                break
        self.assertEqual(status, 200)

    def test_flight_recorder(self):
        self.refused("/debug/pprof/flight", 404, "trace: the flight recorder is not on "
                     "(start_flight_recorder, or set WEFT_TRACE_DIR)")
        with tempfile.TemporaryDirectory() as folder, Running(WEFT_TRACE_DIR=folder) as p:
            status, fields, data = curl("http://weft/debug/pprof/flight", at=p.socket)
            self.assertEqual((status, fields["content-disposition"]),
                             (200, 'attachment; filename="flight"'))
            self.assertRegex(data, rb"^go 1\.\d+ trace\0\0\0")
            self.assertEqual(p.end(), (0, ""))


def go_missing():
    """Go's tools decide whether profiles are right: CI must have them."""
    if shutil.which("go"):
        return False
    if os.environ.get("CI") == "true":
        sys.exit("no go, and CI=true")
    return True


@unittest.skipIf(go_missing(), "no go")
class GoTools(unittest.TestCase):
    """go tool pprof fetches by itself: over TCP, as it knows no Unix sockets."""

    def test_pprof(self):
        port = free_port()
        with Running(WEFT_DEBUG_ADDR=f"127.0.0.1:{port}") as p, \
             tempfile.TemporaryDirectory() as folder:
            self.assertEqual(p.first, "ready")

            def pprof(*words):
                got = subprocess.run(["go", "tool", "pprof", *words], text=True, check=False,
                                     capture_output=True, cwd=folder,
                                     env={**os.environ, "PPROF_TMPDIR": folder})
                self.assertEqual(got.returncode, 0, got.stderr)
                return got.stdout

            base = f"http://127.0.0.1:{port}/debug/pprof"
            top = pprof("-top", f"{base}/profile?seconds=1")
            self.assertIn("Type: cpu\n", top)
            self.assertRegex(top, r"(?m)^ +\d+(\.\d+)?m?s .*serve\(\)::")
            traces = pprof("-traces", f"{base}/goroutine")
            self.assertIn("Type: goroutine\n", traces)
            self.assertRegex(traces, r"kind: *parked")
            self.assertRegex(pprof("-top", f"{base}/heap"), r"Type: inuse_space\n")
            self.assertRegex(pprof("-top", f"{base}/allocs"), r"Type: alloc_space\n")
            self.assertRegex(pprof("-raw", f"{base}/threadcreate"), r"Samples:\n")
            self.assertRegex(pprof("-top", f"{base}/block?seconds=1"), r"Type: delay\n")
            fetched = curl(f"{base}/trace?seconds=0.1")[2]
            pathlib.Path(f"{folder}/trace").write_bytes(fetched)
            parsed = subprocess.run(["go", "tool", "trace", "-d=parsed", f"{folder}/trace"],
                                    text=True, capture_output=True, check=False)
            self.assertEqual(parsed.returncode, 0, parsed.stderr)
            self.assertIn("StateTransition", parsed.stdout)
            pprof("-proto", "-output", f"{folder}/cpu.pb.gz", f"{base}/profile?seconds=1")
            self.assertIn("Type: cpu\n", pprof("-top", f"{folder}/cpu.pb.gz"))


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    WITHOUT = sys.argv.pop(1)
    if shutil.which("curl") is None:
        print("no curl")
        sys.exit(77)
    unittest.main()
