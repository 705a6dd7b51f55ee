#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a program on valgrind. Fails for an error and for stacks that valgrind was not told of.

    run.py COMMAND...     a program that ends by itself
    run.py --kv WEFT_KV   the server, with some clients; memory that is definitely lost is an error

Leaks of the others are LeakSanitizer's (the asan preset): valgrind searches gigabytes of untouched
address space for pointers, half a minute long.
"""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "kv"))
import kvtest  # noqa: E402

ERROR = 99
VALGRIND = ["valgrind", "--quiet", f"--error-exitcode={ERROR}", "--fair-sched=try"]
LEAKS = ["--leak-check=full", "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite"]


def complaint(status, said):
    """What is wrong with a run, or None."""
    if status != 0:
        return f"status {status}"
    if "client switching stacks" in said:
        return "valgrind was not told of a stack"
    return None


def program(command):
    ended = subprocess.run([*VALGRIND, "--leak-check=no", *command], capture_output=True,
                           text=True, timeout=250)
    return complaint(ended.returncode, ended.stderr), ended.stdout + ended.stderr


def talk(kv):
    """Some hundred requests of every kind, on a few connections at once."""
    clients = [kv.client(timeout=120) for _ in range(5)]
    for i in range(60):
        for number, c in enumerate(clients):
            c.send("SET", f"key{i}", "v" * i, "PX", 20 + i)
            c.send("GET", f"key{i}")
            c.send("RPUSH", f"list{number}", i)
            c.send("HSET", "hash", f"field{number}", i)
    for c in clients:
        for _ in range(4 * 60):
            c.reply()
    blocked, subscribed, third = clients[:3]
    blocked.send("BLPOP", "later", 0)
    if subscribed.do("SUBSCRIBE", "news") != [b"subscribe", b"news", 1]:
        return "SUBSCRIBE"
    kvtest.wait_for("a client blocks", lambda: b"kv::blocking_pop(" in third.do(
        "DEBUG", "GOROUTINES"), 120)
    third.do("RPUSH", "later", "e")
    if blocked.reply() != [b"later", b"e"]:
        return "BLPOP"
    third.do("PUBLISH", "news", "hello")
    if subscribed.reply() != [b"message", b"news", b"hello"]:
        return "PUBLISH"
    kvtest.wait_for("keys expire", lambda: third.do("DBSIZE") == 6, 120)
    for c in clients[1:]:
        c.close()
    return None  # one stays: the server ends it


def server(weft_kv):
    # A log of its own: valgrind's words would fill the pipe that nobody reads meanwhile.
    with tempfile.NamedTemporaryFile("r", prefix="weft-valgrind-") as log:
        with kvtest.WeftKv(weft_kv, under=[*VALGRIND, *LEAKS, f"--log-file={log.name}"]) as kv:
            wrong = talk(kv)
            status, _, err = kv.stop(timeout=200)
        said = log.read() + err
        return wrong or complaint(status, said), said


def main(arguments):
    kvtest.need("valgrind")
    wrong, said = server(arguments[1]) if arguments[0] == "--kv" else program(arguments)
    if wrong:
        print(f"{wrong}\n{said}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
