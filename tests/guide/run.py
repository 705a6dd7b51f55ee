#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a program that a guide quotes; what it prints must be what the guide says it prints.

Usage: run.py EXPECTED COMMAND...
"""
import difflib
import subprocess
import sys


def main():
    expected, *command = sys.argv[1:]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=100)
    with open(expected, encoding="utf-8") as file:
        wanted = file.read()
    print(ran.stdout + ran.stderr, end="")
    if ran.returncode != 0:
        print(f"exit status {ran.returncode}")
        return 1
    if ran.stdout != wanted:
        print("".join(difflib.unified_diff(wanted.splitlines(True), ran.stdout.splitlines(True),
                                           expected, "printed")))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
