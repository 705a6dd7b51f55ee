# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 by hand: frames as bytes, so that they can be wrong, too many, or too slow."""

import os
import socket
import struct
import subprocess
import time

DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS = 1, 1, 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM, CANCEL, CALM = 0, 1, 7, 8, 11
INITIAL_WINDOW = 4


def frame(kind, flags, stream, payload=b""):
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def literal(name, value, index=False):
    """A field without Huffman coding, with a name that is not indexed."""
    def text(of):
        return length(len(of), 7, 0) + of
    return (b"\x40" if index else b"\x00") + text(name) + text(value)


def length(number, bits, first):
    most = (1 << bits) - 1
    if number < most:
        return bytes([first | number])
    out, number = bytes([first | most]), number - most
    while number >= 128:
        out, number = out + bytes([number % 128 + 128]), number // 128
    return out + bytes([number])


def request(path=b"/", method=b"GET"):
    """The header block of a request: static entries, and literals for the rest."""
    head = b"\x82" if method == b"GET" else b"\x83"
    where = b"\x84" if path == b"/" else b"\x04" + length(len(path), 7, 0) + path
    return head + b"\x86" + where + b"\x01\x01a"


class Peer:
    """A client's end of a connection."""

    def __init__(self, port, settings=b"", speak=True):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.broken = False
        if speak:
            self.send(PREFACE + frame(SETTINGS, 0, 0, settings))

    def send(self, data):
        """What is sent to a server that has gone is lost, which is no error here."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            self.broken = True

    def next(self, seconds=10):
        """The next frame as (kind, flags, stream, payload), or None at the end."""
        until = time.monotonic() + seconds
        while True:
            if len(self.buffer) >= 9:
                size = int.from_bytes(self.buffer[:3], "big")
                if len(self.buffer) >= 9 + size:
                    kind, flags, stream = struct.unpack("!BBI", self.buffer[3:9])
                    payload = self.buffer[9:9 + size]
                    self.buffer = self.buffer[9 + size:]
                    return kind, flags, stream & 0x7FFFFFFF, payload
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no frame in {seconds} s")
            self.socket.settimeout(left)
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                return None
            except socket.timeout:
                raise TimeoutError(f"no frame in {seconds} s") from None
            if not more:
                return None
            self.buffer += more

    def until(self, wanted, seconds=10):
        """Reads up to the first frame for which wanted(frame) is true; None if the end comes."""
        end = time.monotonic() + seconds
        while True:
            got = self.next(max(0.01, end - time.monotonic()))
            if got is None or wanted(got):
                return got

    def goaway(self, seconds=10):
        """The code of the GOAWAY that comes; None if the connection ends without."""
        got = self.until(lambda f: f[0] == GOAWAY, seconds)
        return None if got is None else struct.unpack("!I", got[3][4:8])[0]

    def ended(self, seconds=10):
        """Reads to the end of the connection."""
        return self.until(lambda f: False, seconds) is None

    def answer(self, stream, seconds=10):
        """The frames of one stream up to its end, as a list."""
        all_of_it = []
        end = time.monotonic() + seconds
        while True:
            got = self.next(max(0.01, end - time.monotonic()))
            if got is None:
                return all_of_it
            if got[2] != stream:
                continue
            all_of_it.append(got)
            if got[0] == RST or (got[0] in (DATA, HEADERS) and got[1] & END_STREAM):
                return all_of_it

    def close(self):
        self.socket.close()


class Server:
    """weft_http2_server as a child."""

    def __init__(self, program, **environment):
        self.child = subprocess.Popen([program, "127.0.0.1:0"], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True,
                                      env={**os.environ, **environment})
        self.port = int(self.child.stdout.readline().rsplit(":", 1)[1])

    def alive(self):
        """Another client is served, meanwhile."""
        other = Peer(self.port)
        other.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, request()))
        frames = other.answer(1)
        other.close()
        return any(f[0] == DATA and f[3] == b"hello, world\n" for f in frames)

    def ask_to_end(self):
        self.child.stdin.close()

    def end(self):
        """What it printed."""
        if not self.child.stdin.closed:
            self.child.stdin.close()
        out = self.child.stdout.read()
        if self.child.wait(timeout=30) != 0:
            raise AssertionError(f"the server ended with {self.child.returncode}: {out}")
        return out
