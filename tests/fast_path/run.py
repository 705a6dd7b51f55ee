#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares what the hot paths execute with golden numbers.

    run.py [--update | --must-fail] GOLDEN PROGRAM [NAME...]

--update writes GOLDEN; --must-fail succeeds only if something is reported (a planted mistake).
"""
import os
import subprocess
import sys
from pathlib import Path

COLUMNS = ("instructions", "locked", "calls", "outside", "syscalls")
HEAD = """\
# Per operation, by weft_fast_path: instructions of the program itself; of those locked ones (with
# exchanges and full fences) and calls; ways out to libc or the vDSO; system calls.
# Written by tests/fast_path/run.py --update.
"""
# What a number may differ by. Locked instructions and ways out are what the time goes into, and are
# exact; 0.2 is one that happens at every tenth operation, now on this side of a count, now on that.
SLACK = {"locked": 0.2, "calls": 0.2, "outside": 0.2, "syscalls": 0.2}
# Instructions: a line more or less of C++ is not worth a commit's attention.
INSTRUCTIONS, SHARE = 3, 0.05


def parse(text):
    rows = {}
    for line in text.splitlines():
        words = line.split()
        if words and not line.startswith("#") and words[0] != "path":
            rows[words[0]] = dict(zip(COLUMNS, map(float, words[1:])))
    return rows


def table(rows):
    wide = max(len(name) for name in rows) + 2
    lines = ["path".ljust(wide) + "".join(name.rjust(14) for name in COLUMNS)]
    lines += [name.ljust(wide) + "".join(f"{row[column]:14.1f}" for column in COLUMNS)
              for name, row in rows.items()]
    return HEAD + "\n".join(lines) + "\n"


def slack(column, golden):
    return SLACK.get(column) or max(INSTRUCTIONS, SHARE * golden)


def differences(golden, now):
    """A sentence for each number that is not what it was."""
    for name, row in now.items():
        if name not in golden:
            yield f"{name}: has no golden numbers"
            continue
        for column in COLUMNS:
            was, is_now = golden[name][column], row[column]
            if abs(is_now - was) > slack(column, was) + 1e-9:
                verdict = "more" if is_now > was else "fewer"
                yield (f"{name}: {column} {was:.1f} -> {is_now:.1f} per operation, "
                       f"{abs(is_now - was):.1f} {verdict}")
    for name in golden.keys() - now.keys():
        yield f"{name}: was not measured"


def advice(golden, program):
    return (f"A path that grew on purpose, or shrank: {sys.argv[0]} --update {golden} {program}\n"
            "and commit the numbers with the change, saying why. One that grew by accident: "
            f"objdump -d {program},\nand look at its function in tests/fast_path/paths.cpp.")


def main(arguments):
    mode = arguments.pop(0) if arguments[0].startswith("--") else ""
    golden, program, *names = arguments
    before = {} if mode == "--update" else parse(Path(golden).read_text())
    if names:
        before = {name: row for name, row in before.items() if name in names}
    # A path that grew did so each time; one that another thread disturbed, in a run of many.
    for _ in range(1 if mode else 3):
        ended = subprocess.run([program, *names], capture_output=True, text=True, timeout=110)
        if ended.returncode != 0:
            print(ended.stdout + ended.stderr)
            # What skips the test elsewhere is missing in CI.
            return 1 if os.environ.get("CI") == "true" else ended.returncode
        now = parse(ended.stdout)
        if mode == "--update":
            Path(golden).write_text(table(now))
            return 0
        found = list(differences(before, now))
        if not found:
            break
    for sentence in found:
        print(sentence)
    if mode == "--must-fail":
        return 0 if found else 1
    if found:
        print(advice(golden, program))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
