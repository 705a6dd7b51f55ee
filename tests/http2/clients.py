#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Foreign clients against our server: curl, nghttp, h2load, and frames by hand.

Usage: clients.py SERVER
What is not installed is skipped, but not when CI is set.
"""

import hashlib
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

from raw import (DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, Peer, Server, frame,
                 literal, request)


class Skipped(Exception):
    pass


def run(*command, **more):
    if shutil.which(command[0]) is None:
        if os.environ.get("CI"):
            raise AssertionError(f"{command[0]} is not installed (scripts/packages)")
        raise Skipped(f"no {command[0]}")
    done = subprocess.run(command, capture_output=True, timeout=60, check=False, **more)
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}: {done.stderr[-300:]}"
    return done.stdout


def curl(server, path, *options):
    return run("curl", "-sS", "--max-time", "30", *options,
               f"http://127.0.0.1:{server.port}{path}")


def prior_knowledge(server):
    out = curl(server, "/", "--http2-prior-knowledge", "-i").decode()
    assert out.startswith("HTTP/2 200") and out.endswith("hello, world\n"), out


def upgrade(server):
    out = curl(server, "/", "--http2", "-i").decode()
    assert "101 Switching Protocols" in out and "HTTP/2 200" in out, out
    assert out.endswith("hello, world\n"), out
    # HEAD and a long answer come the same way.
    assert len(curl(server, "/bytes/300000", "--http2")) == 300000
    assert "HTTP/2 200" in curl(server, "/", "--http2", "-I").decode()


def both_versions(server):
    assert curl(server, "/", "--http1.1") == b"hello, world\n"


def bodies(server):
    with tempfile.TemporaryDirectory() as folder:
        name = os.path.join(folder, "body")
        with open(name, "wb") as out:
            out.write(os.urandom(5_000_000))
        with open(name, "rb") as sent:
            wanted = hashlib.sha256(sent.read()).hexdigest()
        got = curl(server, "/echo", "--http2-prior-knowledge", "--data-binary", f"@{name}")
        assert hashlib.sha256(got).hexdigest() == wanted
        # A body that the handler does not read: the answer comes all the same. (curl 7 takes the
        # reset of a long one for an error, from any server.)
        out = run("nghttp", "-v", "-d", name, f"http://127.0.0.1:{server.port}/none").decode()
        assert ":status: 404" in out and "RST_STREAM frame" in out, out[-2000:]
        got = curl(server, "/none", "--http2-prior-knowledge", "--data-binary", "x" * 100_000,
                   "-o", "/dev/null", "-w", "%{http_code}")
        assert got == b"404", got
        # One that is asked for.
        got = curl(server, "/echo", "--http2-prior-knowledge", "-H", "Expect: 100-continue",
                   "--data-binary", "x" * 2000)
        assert got == b"x" * 2000


def statuses(server):
    for path, status in (("/", 200), ("/throw", 500), ("/none", 404)):
        got = curl(server, path, "--http2-prior-knowledge", "-o", "/dev/null", "-w",
                   "%{http_code}")
        assert got == str(status).encode(), (path, got)
    assert b"HTTP/2 405" in curl(server, "/echo", "--http2-prior-knowledge", "-i")


def nghttp(server):
    out = run("nghttp", "-nv", f"http://127.0.0.1:{server.port}/bytes/100000").decode()
    assert ":status: 200" in out, out[-2000:]


def load(server):
    for path, count in (("/", 20000), ("/bytes/100000", 500)):
        out = run("h2load", "-n", str(count), "-c", "20", "-m", "20",
                  f"http://127.0.0.1:{server.port}{path}").decode()
        assert re.search(rf"{count} succeeded, 0 failed, 0 errored", out), out


def trailers(server):
    peer = Peer(server.port)
    peer.send(frame(HEADERS, END_HEADERS, 1, request(b"/echo", b"POST")))
    peer.send(frame(DATA, 0, 1, b"hello"))
    peer.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, literal(b"x-sum", b"1")))
    frames = peer.answer(1)
    assert b"".join(f[3] for f in frames if f[0] == DATA) == b"hello", frames
    assert frames[-1][0] == HEADERS and frames[-1][1] & END_STREAM, frames


def graceful_end(server):
    """What is in flight ends well, and what the client had sent before it knew is served."""
    peer = Peer(server.port)
    peer.send(frame(HEADERS, END_HEADERS, 1, request(b"/echo", b"POST")))
    peer.send(frame(DATA, 0, 1, b"first"))
    assert peer.until(lambda f: f[0] == DATA or f[0] == HEADERS) is not None
    server.ask_to_end()
    first = [peer.until(lambda f: f[0] in (GOAWAY, PING)) for _ in range(2)]
    notice, asked = sorted(first, key=lambda f: f[0] == PING)
    assert struct.unpack("!II", notice[3][:8]) == (0x7fffffff, 0), notice
    peer.send(frame(HEADERS, END_HEADERS | END_STREAM, 3, request()))
    peer.send(frame(PING, 1, 0, asked[3]))
    last = peer.until(lambda f: f[0] == GOAWAY)
    assert struct.unpack("!II", last[3][:8]) == (3, 0), last
    peer.send(frame(DATA, END_STREAM, 1, b"second"))
    frames = peer.answer(1)
    assert b"".join(f[3] for f in frames if f[0] == DATA).endswith(b"second"), frames
    assert peer.ended()
    assert "shutdown: clean" in server.end()


def main():
    program = sys.argv[1]
    server = Server(program)
    failed = 0
    for test in (prior_knowledge, upgrade, both_versions, bodies, statuses, nghttp, load, trailers,
                 graceful_end):
        try:
            test(server)
            print(f"ok   {test.__name__}", flush=True)
        except Skipped as why:
            print(f"skip {test.__name__}: {why}", flush=True)
        except (AssertionError, TimeoutError, OSError, subprocess.SubprocessError) as why:
            failed += 1
            print(f"FAIL {test.__name__}: {why!r}", flush=True)
    if server.child.poll() is None:
        server.end()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
