# SPDX-License-Identifier: Apache-2.0
"""The RESP row: a server under redis-benchmark, its CPU time from /proc and the requests/s.

One round starts each server afresh, fills it, and measures SET and GET at both pipeline depths.
The client shares the machine's cores with the server, so requests/s depends on both; CPU time per
request is the steadier figure.
"""

import csv
import io
import os
import shutil
import socket
import subprocess
import time

DEPTHS = (1, 16)
COMMANDS = ("set", "get")
REQUESTS = {1: 150_000, 16: 1_000_000}
KEYS = "10000"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_open(port, server, seconds=5.0):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if server.poll() is not None:
            raise RuntimeError(f"server ended with {server.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError("server does not listen")


def cpu_seconds(pid):
    """utime + stime of all threads, those that ended included."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def benchmark(port, command, depth, requests, timeout):
    """Requests per second as redis-benchmark reports them."""
    done = subprocess.run(
        ["redis-benchmark", "-h", "127.0.0.1", "-p", str(port), "-c", "50", "-P", str(depth),
         "-n", str(requests), "-r", KEYS, "-t", command, "--csv"],
        capture_output=True, text=True, timeout=timeout, check=False)
    for line in csv.reader(io.StringIO(done.stdout)):
        if line and line[0].lower().startswith(command):
            return float(line[1])
    raise RuntimeError(f"redis-benchmark: {(done.stderr or done.stdout).strip()[:120]}")


def server_command(name, programs, port, folder):
    """The command line and the additional environment of a server, or None if it is missing."""
    if name == "redis":
        if shutil.which("redis-server") is None:
            return None
        return ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                "--appendonly", "no", "--dir", str(folder), "--loglevel", "warning"], {}
    if name == "go":
        path = programs.path("go")
        return ([str(path), "kv", str(port)], {"GOMAXPROCS": "1"}) if path.exists() else None
    path = programs.kv_path()
    procs = "2" if name == "weft-2p" else "1"
    return ([str(path), "--port", str(port)], {"WEFT_MAXPROCS": procs}) if path else None


def measure(name, programs, scale, folder, timeout=60):
    """{(command, depth): {"cpu_us", "rps"}} of one server, or a string that says what failed."""
    if shutil.which("redis-benchmark") is None:
        return "no redis-benchmark"
    port = free_port()
    how = server_command(name, programs, port, folder)
    if how is None:
        return "not built"
    command_line, environment = how
    server = subprocess.Popen(command_line, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, env={**os.environ, **environment},
                              start_new_session=True)
    results = {}
    try:
        wait_until_open(port, server)
        benchmark(port, "set", 16, 20_000, timeout)
        for depth in DEPTHS:
            requests = max(int(REQUESTS[depth] * scale), 1000)
            for command in COMMANDS:
                before = cpu_seconds(server.pid)
                rate = benchmark(port, command, depth, requests, timeout)
                used = cpu_seconds(server.pid) - before
                results[command, depth] = {"cpu_us": used / requests * 1e6, "rps": rate}
    except (RuntimeError, OSError, subprocess.TimeoutExpired) as why:
        return str(why)
    finally:
        server.kill()
        server.wait()
    return results
