# SPDX-License-Identifier: Apache-2.0
"""Starts servers and speaks RESP2, for the tests of weft-kv."""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SKIPPED = 77


def need(*programs):
    for program in programs:
        if shutil.which(program) is None:
            if os.environ.get("CI") == "true":  # there it must not go unnoticed
                sys.exit(f"{program} is not installed")
            print(f"skipped: {program} is not installed")
            sys.exit(SKIPPED)


class ErrorReply(str):
    """-ERR ...: unequal to the same text as a bulk."""

    def __eq__(self, other):
        return isinstance(other, ErrorReply) and str(self) == str(other)

    __hash__ = str.__hash__


class Status(str):
    """+OK"""

    def __eq__(self, other):
        return isinstance(other, Status) and str(self) == str(other)

    __hash__ = str.__hash__


class Client:
    def __init__(self, port, source=None, timeout=20):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=timeout,
                                             source_address=(source, 0) if source else None)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.sock.makefile("rb")

    @staticmethod
    def encode(*words):
        out = [b"*%d\r\n" % len(words)]
        for word in words:
            data = word if isinstance(word, bytes) else str(word).encode()
            out.append(b"$%d\r\n%s\r\n" % (len(data), data))
        return b"".join(out)

    def send_raw(self, data):
        self.sock.sendall(data)

    def send(self, *words):
        self.sock.sendall(self.encode(*words))

    def reply(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError(f"connection ended; last bytes {line!r}")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return Status(rest.decode("latin-1"))
        if kind == b"-":
            return ErrorReply(rest.decode("latin-1"))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            if rest == b"-1":
                return None
            data = self.file.read(int(rest) + 2)
            if len(data) != int(rest) + 2:
                raise EOFError("connection ended in a bulk")
            return data[:-2]
        if kind == b"*":
            if rest == b"-1":
                return ("nil array",)
            return [self.reply() for _ in range(int(rest))]
        raise ValueError(f"bad reply {line!r}")

    def do(self, *words):
        self.send(*words)
        return self.reply()

    def at_end(self):
        """True if the server has closed (a reset counts)."""
        try:
            return self.file.read(1) == b""
        except ConnectionError:
            return True

    def close(self):
        self.file.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class WeftKv:
    def __init__(self, program, *arguments, env=None, under=()):
        """`under`: what runs the program, with its own arguments."""
        self.process = subprocess.Popen([*under, program, "--port", "0", *arguments],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, **(env or {})})
        line = self.process.stdout.readline()
        found = re.match(r"weft-kv ready on .*:(\d+)", line)
        if not found:
            raise RuntimeError(f"weft-kv did not start: {line!r} {self.process.stderr.read()}")
        self.port = int(found.group(1))

    def client(self, **how):
        return Client(self.port, **how)

    def stop(self, number=signal.SIGTERM, timeout=20):
        """Sends the signal, if any; returns (exit code, stdout, stderr)."""
        if number is not None and self.process.poll() is None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=timeout)
        return self.process.returncode, out, err

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


class RedisServer:
    """The real one, on a free loopback port."""

    def __init__(self):
        need("redis-server")
        self.directory = tempfile.mkdtemp(prefix="weft-redis-")
        for _ in range(20):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
            self.process = subprocess.Popen(
                ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                 "--appendonly", "no", "--dir", self.directory, "--enable-debug-command", "local"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if self.wait():
                return
        raise RuntimeError("redis-server did not start")

    def wait(self):
        while self.process.poll() is None:
            try:
                with Client(self.port) as c:
                    return c.do("PING") == Status("PONG")
            except OSError:
                time.sleep(0.02)
        return False

    def client(self, **how):
        return Client(self.port, **how)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


def wait_for(what, condition, limit=20):
    """Polls a state; fails by name."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.005)
    raise AssertionError(f"did not happen within {limit} s: {what}")
