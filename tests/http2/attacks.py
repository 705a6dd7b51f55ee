#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clients that mean harm: each runs into its limit, and the server serves another one meanwhile.

Usage: attacks.py SERVER [NAME]
"""

import struct
import sys
import time

from raw import (ACK, CALM, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS,
                 INITIAL_WINDOW, PING, PREFACE, PRIORITY, REFUSED_STREAM, RST, SETTINGS, WINDOW,
                 Peer, Server, frame, length, literal, request)

OPEN = END_HEADERS
WHOLE = END_HEADERS | END_STREAM


def code(number):
    return struct.pack("!I", number)


def calm(server, data):
    """After all of `data` the connection has ended with ENHANCE_YOUR_CALM."""
    peer = Peer(server.port)
    # In parts: the server may end it in the middle, and what it says must not be lost.
    for at in range(0, len(data), 4096):
        peer.send(data[at:at + 4096])
        if peer.broken:
            break
    got = peer.goaway()
    assert got in (CALM, None if peer.broken else CALM), f"GOAWAY with {got}"
    assert peer.ended()


def rapid_reset(server):
    calm(server, b"".join(frame(HEADERS, WHOLE, i, request()) + frame(RST, 0, i, code(CANCEL))
                          for i in range(1, 2000, 2)))


def made_to_reset(server):
    """More content than was declared: the server has to reset the stream."""
    head = request(method=b"POST") + literal(b"content-length", b"0")
    calm(server, b"".join(frame(HEADERS, OPEN, i, head) + frame(DATA, 0, i, b"x")
                          for i in range(1, 2000, 2)))


def pings(server):
    calm(server, frame(PING, 0, 0, b"12345678") * 3000)


def settings(server):
    calm(server, frame(SETTINGS, 0, 0) * 3000)


def settings_acks(server):
    """Nobody asked for these."""
    peer = Peer(server.port)
    peer.send(frame(SETTINGS, ACK, 0) * 3000)
    assert peer.goaway() != 0 or peer.broken
    assert peer.ended()


def priorities(server):
    calm(server, b"".join(frame(PRIORITY, 0, i, code(0) + b"\x01") for i in range(1, 6001, 2)))


def unknown_frames(server):
    calm(server, frame(0xbb, 0, 0, b"?") * 3000)


def empty_data(server):
    calm(server, frame(HEADERS, OPEN, 1, request(b"/echo", b"POST")) + frame(DATA, 0, 1) * 3000)


def one_byte_windows(server):
    peer = Peer(server.port, struct.pack("!HI", INITIAL_WINDOW, 1))
    peer.send(frame(HEADERS, WHOLE, 1, request(b"/bytes/100000")))
    peer.send(frame(WINDOW, 0, 1, code(1)) * 3000)
    got = peer.goaway()
    assert got in (CALM, None if peer.broken else CALM), f"GOAWAY with {got}"


def continuations(server):
    peer = Peer(server.port)
    peer.send(frame(HEADERS, 0, 1, request()))
    for _ in range(200):
        peer.send(frame(CONTINUATION, 0, 1, literal(b"x", b"y")))
    assert peer.goaway() is not None or peer.broken
    assert peer.ended()


def empty_continuations(server):
    peer = Peer(server.port)
    peer.send(frame(HEADERS, 0, 1, request()) + frame(CONTINUATION, 0, 1) * 200)
    assert peer.goaway() is not None or peer.broken
    assert peer.ended()


def hpack_bomb(server):
    """4,000 bytes in the table, and then a reference a byte: 64 MB in one frame."""
    peer = Peer(server.port)
    big = b"\x40" + b"\x01x" + length(4000, 7, 0) + b"b" * 4000
    peer.send(frame(HEADERS, WHOLE, 1, request() + big + b"\xbe" * 12000))
    got = peer.goaway()
    assert got == CALM, f"GOAWAY with {got}"


def header_list(server):
    """A little too large: an answer, and the connection goes on."""
    peer = Peer(server.port)
    fields = b"".join(literal(b"x-%d" % i, b"v" * 4000) for i in range(20))
    block = request() + fields
    parts = [block[i:i + 16000] for i in range(0, len(block), 16000)]
    peer.send(frame(HEADERS, END_STREAM, 1, parts[0]) +
              b"".join(frame(CONTINUATION, 0, 1, p) for p in parts[1:-1]) +
              frame(CONTINUATION, END_HEADERS, 1, parts[-1]))
    frames = peer.answer(1)
    assert b"431" in frames[0][3] or has_status(frames[0][3], b"431"), frames
    peer.send(frame(HEADERS, WHOLE, 3, request()))
    assert peer.answer(3)[0][0] == HEADERS


def has_status(block, status):
    """In HPACK's Huffman code, of which only these digits are known here."""
    codes = {"0": "00000", "1": "00001", "2": "00010", "3": "011001", "4": "011010"}
    bits = "".join(codes[c] for c in status.decode())
    bits += "1" * (-len(bits) % 8)
    coded = int(bits, 2).to_bytes(len(bits) // 8, "big")
    return coded in block


def streams(server):
    """As many handlers as streams_max, whatever becomes of their streams; then all are told."""
    peer = Peer(server.port)
    ids = range(1, 600, 2)
    peer.send(b"".join(frame(HEADERS, WHOLE, i, request(b"/hang")) for i in ids))
    refused = 0
    while refused < len(ids) - 250:
        got = peer.next()
        assert got is not None
        if got[0] == RST:
            assert struct.unpack("!I", got[3])[0] == REFUSED_STREAM
            refused += 1
    assert server.alive()
    before = hung(server)
    peer.close()
    wait_for(lambda: hung(server) == before + 250)


def hung(server):
    peer = Peer(server.port)
    peer.send(frame(HEADERS, WHOLE, 1, request(b"/hung")))
    text = b"".join(f[3] for f in peer.answer(1) if f[0] == DATA)
    peer.close()
    return int(text)


def wait_for(condition, seconds=10):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.01)


def reset_of_one(server):
    """The context of a request ends when its stream is reset."""
    before = hung(server)
    peer = Peer(server.port)
    peer.send(frame(HEADERS, WHOLE, 1, request(b"/hang")))
    peer.send(frame(HEADERS, WHOLE, 3, request()))
    peer.answer(3)
    peer.send(frame(RST, 0, 1, code(CANCEL)))
    wait_for(lambda: hung(server) == before + 1)


def closed_window(server):
    """A window that stays closed costs timeouts.write, which is short here."""
    peer = Peer(server.port, struct.pack("!HI", INITIAL_WINDOW, 0))
    peer.send(frame(HEADERS, WHOLE, 1, request(b"/bytes/1000000")))
    peer.send(frame(HEADERS, WHOLE, 3, request()))
    assert server.alive()
    ended = set()
    while len(ended) < 2:
        got = peer.next()
        assert got is not None, "the connection ended"
        if got[0] == RST:
            ended.add(got[2])


def does_not_read(server):
    peer = Peer(server.port, struct.pack("!HI", INITIAL_WINDOW, 0x7fffffff))
    peer.send(frame(WINDOW, 0, 0, code(0x7fff0000 - 65535)))
    for i in range(1, 100, 2):
        peer.send(frame(HEADERS, WHOLE, i, request(b"/bytes/10000000")))
    assert server.alive()
    time.sleep(2.5)  # of timeouts.write
    assert peer.ended(30)


def slow_head(server):
    peer = Peer(server.port)
    peer.send(frame(HEADERS, 0, 1, request()))
    began = time.monotonic()
    for _ in range(20):
        if peer.broken or time.monotonic() - began > 5:
            break
        peer.send(frame(CONTINUATION, 0, 1, literal(b"x", b"y")))
        time.sleep(0.1)
    peer.goaway()
    assert peer.ended()
    assert time.monotonic() - began < 5


def slow_preface(server):
    for start in (b"", PREFACE[:5]):
        peer = Peer(server.port, speak=False)
        peer.send(start)
        assert peer.ended(5)


def says_goodbye(server):
    """An idle connection is told before it is closed."""
    peer = Peer(server.port)
    assert peer.goaway() == 0
    assert peer.ended()


USUAL = [rapid_reset, made_to_reset, pings, settings, settings_acks, priorities, unknown_frames,
         empty_data, one_byte_windows, continuations, empty_continuations, hpack_bomb, header_list,
         streams, reset_of_one]
IMPATIENT = [closed_window, does_not_read]
HASTY = [slow_head, slow_preface, says_goodbye]


def main():
    program, only = sys.argv[1], sys.argv[2:]
    failed = 0
    groups = ((USUAL, {}), (IMPATIENT, {"WRITE_MS": "700"}), (HASTY, {"READ_HEADER_MS": "400"}))
    for attacks, environment in groups:
        server = Server(program, **environment)
        for attack in attacks:
            if only and attack.__name__ not in only:
                continue
            try:
                attack(server)
                assert server.alive(), "the server serves nobody else"
                print(f"ok   {attack.__name__}", flush=True)
            except (AssertionError, TimeoutError, OSError) as why:
                failed += 1
                print(f"FAIL {attack.__name__}: {why!r}", flush=True)
        server.end()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
