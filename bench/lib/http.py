# SPDX-License-Identifier: Apache-2.0
"""The HTTP rows: servers under wrk and h2load, their CPU time from /proc, and what they refuse.

A round starts every server, and gives each load to one after the other, in an order that turns
round by round. The clients share the machine's two CPUs with the servers, so requests/s depends on
both; CPU time per request is the steadier figure. All servers have two threads (Go: two Ps).
"""

import json
import os
import re
import resource
import shutil
import socket
import struct
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from lib import smuggling
from lib.programs import H2SPEC
from lib.resp import cpu_seconds, free_port, wait_until_open

SERVERS = ("weft", "go", "nginx", "beast")
IDLE_CONNECTIONS = 15_000
# Open before the first look at memory, so that what a server needs once is not counted.
IDLE_BEFORE = 100

NGINX_CONFIGURATION = """
daemon off; worker_processes 2; worker_rlimit_nofile {files};
pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections {files}; }}
http {{
  access_log off; keepalive_requests 1000000000; http2_max_concurrent_streams 250;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=4096 reuseport;
    listen 127.0.0.1:{port_h2} backlog=4096 reuseport http2;
    location / {{ default_type text/plain; return 200 "Hello, World!"; }}
    location /json {{
      default_type application/json; return 200 '{{"message":"Hello, World!"}}';
    }}
  }}
}}
"""


@dataclass(frozen=True)
class Load:
    """One load, given to each of `servers` in turn."""

    client: str  # "wrk", "h2load", "idle", "vectors", "h2spec", "observe"
    servers: tuple
    connections: int = 0
    seconds: int = 0
    path: str = "/"
    # In which it takes part: what does not vary is looked at once.
    rounds: int = 1000
    # By a server that has done nothing yet, with these variables in its environment.
    afresh: bool = False
    settings: tuple = ()
    # Of ours, that on Weft's malloc.
    malloc: bool = False
    # The server switches it on and off by turns.
    observer: str = ""


def observed(observer, servers=("weft", "go"), path="/", malloc=False):
    return Load("observe", servers, 64, 0, path, rounds=3, malloc=malloc, observer=observer)


LOADS = {
    "hello_64": Load("wrk", SERVERS, 64, 2),
    "hello_1000": Load("wrk", SERVERS, 1000, 2),
    "hello_10000": Load("wrk", SERVERS, 10_000, 4),
    "json_64": Load("wrk", ("weft", "go", "nginx"), 64, 2, "/json"),
    "h2_64": Load("h2load", ("weft", "go", "nginx"), 64, 2),
    "observe_nothing": observed("nothing"),
    "observe_cpu": observed("cpu"),
    "observe_wall": observed("wall", ("weft",)),
    "observe_block_mutex": observed("block_mutex", ("weft",)),
    # A request that allocates; the other does not.
    "observe_heap": observed("heap", ("weft",), "/json", malloc=True),
    "observe_trace": observed("trace"),
    "observe_flight": observed("flight"),
    "idle_15000": Load("idle", ("weft", "go", "nginx"), IDLE_CONNECTIONS, afresh=True),
    "vectors": Load("vectors", SERVERS, rounds=1),
    # With HTTP/1 on the port a malformed preface would be answered by that.
    "h2spec": Load("h2spec", ("weft", "go", "nginx"), rounds=1, afresh=True,
                   settings=(("NO_HTTP1", "1"),)),
}


def raise_descriptor_limit():
    """For ourselves, and for wrk and the servers, which inherit it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class Server:
    """A server that runs, on a port of its own."""

    def __init__(self, name, programs, folder, settings=(), malloc=False):
        self.name = name
        self.malloc = malloc
        self.port = self.port_h2 = free_port()
        command, environment = self.command(programs, Path(folder))
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, start_new_session=True,
                                        env={**os.environ, **environment, **dict(settings)})
        try:
            wait_until_open(self.port, self.process)
        except RuntimeError:
            self.stop()
            raise

    def command(self, programs, folder):
        if self.name == "nginx":
            if shutil.which("nginx", path="/usr/sbin:/usr/bin") is None:
                raise RuntimeError("not installed")
            self.port_h2 = free_port()
            own = folder / f"nginx-{self.port}"
            own.mkdir()
            (own / "nginx.conf").write_text(NGINX_CONFIGURATION.format(
                folder=own, port=self.port, port_h2=self.port_h2,
                files=resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100), encoding="utf-8")
            return ["/usr/sbin/nginx", "-c", str(own / "nginx.conf")], {}
        path = programs.http_path(self.name + ("-malloc" if self.malloc else ""))
        if not path.exists():
            raise RuntimeError("not built")
        if self.name == "go":
            return [str(path), "http", str(self.port)], {"GOMAXPROCS": "2"}
        return [str(path), str(self.port)], {"WEFT_MAXPROCS": "2"}

    def url(self, path="/", h2=False):
        return f"http://127.0.0.1:{self.port_h2 if h2 else self.port}{path}"

    def pids(self):
        """It and its children: nginx's workers."""
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
            return [pid, *map(int, children.read().split())]

    def cpu_seconds(self):
        return sum(map(cpu_seconds, self.pids()))

    def resident_kb(self):
        total = 0
        for pid in self.pids():
            with open(f"/proc/{pid}/status", encoding="ascii") as status:
                total += int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))
        return total

    def stop(self):
        if self.name == "nginx":
            self.process.terminate()  # the master ends its workers
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                pass
        self.process.kill()
        self.process.wait()


def run_client(command, seconds):
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60,
                          check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]}: {(done.stderr or done.stdout).strip()[:120]}")
    return done.stdout


def found(pattern, text, client):
    match = re.search(pattern, text)
    if match is None:
        raise RuntimeError(f"{client} printed no {pattern}")
    return match


def wrk_us(text, percent):
    match = found(rf"\s{percent}%\s+([0-9.]+)(us|ms|s|m)\b", text, "wrk")
    return float(match.group(1)) * {"us": 1, "ms": 1e3, "s": 1e6, "m": 60e6}[match.group(2)]


def wrk(server, load, seconds):
    before = server.cpu_seconds()
    text = run_client(["wrk", "-t1", f"-c{load.connections}", f"-d{seconds}s", "--latency",
                       "--timeout", "10s", server.url(load.path)], seconds)
    used = server.cpu_seconds() - before
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+)", text)
    if errors and any(map(int, errors.groups())):
        raise RuntimeError(f"wrk: {errors.group(0)}")
    if wrong := re.search(r"Non-2xx or 3xx responses: \d+", text):
        raise RuntimeError(f"wrk: {wrong.group(0)}")
    requests = int(found(r"(\d+) requests in", text, "wrk").group(1))
    return {"cpu_us": used / max(requests, 1) * 1e6, "p50_us": wrk_us(text, 50),
            "p99_us": wrk_us(text, 99),
            "rps": float(found(r"Requests/sec:\s+([0-9.]+)", text, "wrk").group(1))}


def h2load(server, load, seconds):
    before = server.cpu_seconds()
    text = run_client(["h2load", "-t1", f"-c{load.connections}", "-m10", f"-D{seconds}",
                       server.url(load.path, h2=True)], seconds)
    used = server.cpu_seconds() - before
    numbers = found(r"requests: \d+ total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed",
                    text, "h2load")
    done, succeeded, failed = map(int, numbers.groups())
    if failed or succeeded == 0 or "Application protocol: h2c" not in text:
        raise RuntimeError(f"h2load: {numbers.group(0)}")
    return {"cpu_us": used / done * 1e6,
            "rps": float(found(r"([0-9.]+) req/s", text, "h2load").group(1))}


def ask_once(port):
    """A connection on which one request was answered."""
    made = socket.create_connection(("127.0.0.1", port), timeout=10)
    # Closed by a reset, so that no port is left waiting.
    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    made.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    if not made.recv(4096).startswith(b"HTTP/1.1 200"):
        raise RuntimeError("a connection was refused")
    return made


def idle(server, load, _):
    """KB of a connection that waits for its next request."""
    made = []
    try:
        while len(made) < IDLE_BEFORE:
            made.append(ask_once(server.port))
        time.sleep(0.2)
        before = server.resident_kb()
        while len(made) < load.connections:
            made.append(ask_once(server.port))
        time.sleep(0.2)
        return {"kb": (server.resident_kb() - before) / (load.connections - IDLE_BEFORE)}
    finally:
        for one in made:
            one.close()


# As long as one would have it: a trace has a generation a second.
OBSERVED_MS, OBSERVED_PAIRS = 900, 7


def observe(server, load, milliseconds, pairs):
    """What the server says that an observer costs it, off and on by turns."""
    url = server.url(f"/observe?what={load.observer}&ms={milliseconds}&pairs={pairs}")
    seconds = (2 * pairs + 3) * milliseconds / 1000 + 20
    with urllib.request.urlopen(url, timeout=seconds) as answer:
        return json.load(answer)


def observe_under_load(server, load, scale):
    pairs = max(3, round(OBSERVED_PAIRS * scale))
    client = subprocess.Popen(["wrk", "-t1", f"-c{load.connections}", "-d600s",
                               server.url(load.path)], stdout=subprocess.DEVNULL)
    try:
        time.sleep(0.3)
        got = observe(server, load, OBSERVED_MS, pairs)
        if client.poll() is not None:
            raise RuntimeError("wrk ended before")
        return got
    finally:
        client.kill()
        client.wait()


def vectors(server, _, __, list_command):
    return {"handled": len(smuggling.handled(server.port, smuggling.vectors(list_command)))}


def h2spec(server):
    if not os.access(H2SPEC, os.X_OK):
        raise RuntimeError("no h2spec: it comes through Go's module proxy")
    done = subprocess.run([str(H2SPEC), "--strict", "-h", "127.0.0.1", "-p", str(server.port_h2),
                           "-o", "1"], capture_output=True, text=True, timeout=400, check=False)
    return {"passed": int(found(r"(\d+) passed", done.stdout, "h2spec").group(1))}


def measure(name, load, server, programs, scale):
    """One load on one server."""
    seconds = max(1, round(load.seconds * scale))
    if load.client == "vectors":
        return vectors(server, load, seconds, [str(programs.http_path("weft")), "--vectors"])
    if load.client == "h2spec":
        return h2spec(server)
    if load.client == "observe":
        return observe_under_load(server, load, scale)
    return {"wrk": wrk, "h2load": h2load, "idle": idle}[load.client](server, load, seconds)


def run_all(table, samples, turn, programs, scale, folder, say):
    """One round. samples: load -> server -> one entry per round, a string if it failed."""
    wanted = {row.load for row in table}
    raise_descriptor_limit()
    running = {}

    def server(name, load):
        key = (name, load.malloc)
        if load.afresh and isinstance(running.get(key), Server):
            running.pop(key).stop()
        if key not in running:
            try:
                running[key] = Server(name, programs, folder, load.settings,
                                      load.malloc and name == "weft")
            except (RuntimeError, OSError) as why:
                running[key] = str(why)
        return running[key]

    def one(name, load, who):
        at = server(who, load)
        if isinstance(at, str):
            return at
        try:
            return measure(name, load, at, programs, scale)
        except (RuntimeError, OSError, subprocess.TimeoutExpired) as why:
            return str(why)

    try:
        for name, load in LOADS.items():
            if name not in wanted or turn >= load.rounds:
                continue
            for who in load.servers if turn % 2 == 0 else reversed(load.servers):
                got = one(name, load, who)
                samples.setdefault(name, {}).setdefault(who, []).append(got)
                if isinstance(got, str):
                    say(f"HTTP server {who}, {name}: failed: {got}")
    finally:
        for at in running.values():
            if isinstance(at, Server):
                at.stop()


def smoke(programs, say):
    """Each observer of our server, shortly and without a load. False if one did not answer."""
    good = True
    for name, load in LOADS.items():
        if load.client != "observe" or not programs.http_path("weft").exists():
            continue
        try:
            server = Server("weft", programs, "", malloc=load.malloc)
        except (RuntimeError, OSError) as why:
            say(f"smoke: http_{name}: {why}")
            good = False
            continue
        try:
            got = observe(server, load, 5, 1)
            if got.keys() < {"cpu_percent", "lost_percent"}:
                raise RuntimeError(got)
        except (RuntimeError, OSError, ValueError) as why:
            say(f"smoke: http_{name}: {why}")
            good = False
        finally:
            server.stop()
    return good
