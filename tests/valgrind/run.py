#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a program on valgrind. Fails for an error and for stacks that valgrind was not told of.

Leaks are LeakSanitizer's (the asan preset): valgrind searches gigabytes of untouched address space
for pointers.
"""
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


def main(arguments):
    kvtest.need("valgrind")
    wrong, said = program(arguments)
    if wrong:
        print(f"{wrong}\n{said}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
