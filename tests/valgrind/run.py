#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a program on valgrind; --kv: the example server, with clients. Fails for an error and for
stacks that valgrind was not told of. Leaks are LeakSanitizer's (the asan preset): valgrind searches
gigabytes of untouched address space for pointers."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "kv"))
import kvtest  # noqa: E402

ERROR = 99
VALGRIND = ["valgrind", "--quiet", f"--error-exitcode={ERROR}", "--leak-check=no",
            "--fair-sched=try"]


def complaint(status, said):
    """What is wrong with a run, or None."""
    if status != 0:
        return f"status {status}"
    if "client switching stacks" in said:
        return "valgrind was not told of a stack"
    return None


def program(command):
    ended = subprocess.run([*VALGRIND, *command], capture_output=True, text=True, timeout=250)
    return complaint(ended.returncode, ended.stderr), ended.stdout + ended.stderr


def kv(path):
    with kvtest.WeftKv([*VALGRIND, path]) as server:
        clients = [server.client(timeout=60) for _ in range(4)]
        for turn in range(40):
            for number, client in enumerate(clients):
                key, text = f"key{number}", b"x" * turn * 50
                assert client.do("SET", key, text) == kvtest.Status("OK")
                assert client.do("GET", key) == text
                assert client.do("RPUSH", f"list{number}", turn) == turn + 1
        clients[0].close()
        status, out, err = server.stop(timeout=120)
    return complaint(status, err), out + err


def main(arguments):
    kvtest.need("valgrind")
    wrong, said = kv(arguments[1]) if arguments[0] == "--kv" else program(arguments)
    if wrong:
        print(f"{wrong}\n{said}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
