# SPDX-License-Identifier: Apache-2.0
"""Requests that servers are known to read differently, sent raw to a server that runs.

The list is weft/http/h1_vectors_testing.hpp's, in which each has its right answer; tests beside it
hold Weft to that exactly. Here it is counted with a rule that is fair to all: a bad request is
handled if it is refused (4xx, 5xx, or the connection is closed without an answer) and the request
behind it is never served. Three of them a server may also serve, if it closes after: coding and
length together, and coding in HTTP/1.0 (RFC 9112 6.1), and a request of HTTP/0.9.
"""

import json
import socket
import subprocess

BEHIND = b"GET /behind HTTP/1.1\r\nHost: a\r\n\r\n"
MAY_CLOSE_AFTER = ("CL.TE both", "TE in HTTP/1.0", "HTTP/0.9 simple")
# A server that says nothing for so long has not refused.
SECONDS = 1.0


def vectors(list_command):
    """[(name, bytes)], as `http-weft --vectors` prints them."""
    done = subprocess.run(list_command, capture_output=True, text=True, timeout=20, check=True)
    lines = map(json.loads, done.stdout.splitlines())
    return [(line["name"], bytes.fromhex(line["wire"])) for line in lines]


def ask(port, wire):
    """The bytes answered, and whether the server closed."""
    out = b""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as made:
        try:
            made.sendall(wire + BEHIND)
        except OSError:
            pass  # it has closed already: the answer may be there
        try:
            while piece := made.recv(65536):
                out += piece
        except TimeoutError:
            return out, False
        except OSError:
            pass
    return out, True


def is_handled(name, answers, closed):
    statuses = [int(part[:3]) for part in answers.split(b"HTTP/1.1 ")[1:] if part[:3].isdigit()]
    if len(statuses) > 1 or not closed:
        return False
    if not statuses:  # HTTP/0.9 has none
        return not answers or name in MAY_CLOSE_AFTER
    return statuses[0] >= 400 or name in MAY_CLOSE_AFTER


def handled(port, table):
    """The names of those that were handled."""
    return [name for name, wire in table if is_handled(name, *ask(port, wire))]
