#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the race corpus: run.py [--only PART] COMMAND...

COMMAND is the program of cases, maybe behind an emulator. Each case is a process of its own, once
with one P and once with two. A racy one must be reported by ThreadSanitizer, with both stacks, and
each of them must show a line of the case; a clean one must say nothing and end well.
"""
import concurrent.futures
import os
import re
import subprocess
import sys

REPORT = "WARNING: ThreadSanitizer: data race"
RACE_EXIT = 66  # TSAN_OPTIONS=exitcode, the default
TIMEOUT_S = 60


def stacks(report):
    """The stacks of the two accesses: everything up to the first line about anything else."""
    return re.findall(r"^  (?:Previous )?(?:atomic )?(?:read|write) of size .*\n((?:    .*\n)*)",
                      report, re.M | re.I)


def complaint(kind, code, text):
    """What is wrong with the outcome, or None."""
    if kind == "clean":
        if REPORT in text:
            return "a false report"
        return None if code == 0 else f"exit code {code}"
    if REPORT not in text:
        return f"no race was reported (exit code {code})"
    if code != RACE_EXIT:
        return f"exit code {code}, not {RACE_EXIT}"
    found = stacks(text)
    if len(found) < 2:
        return "the report has not both stacks"
    if not all("_cases.cpp" in stack for stack in found[:2]):
        return "a stack does not show the case"
    return None


def run_case(command, kind, name, procs):
    environment = dict(os.environ, WEFT_MAXPROCS=str(procs))
    environment["TSAN_OPTIONS"] = "halt_on_error=0:exitcode=66:atexit_sleep_ms=0:history_size=4"
    try:
        ran = subprocess.run(command + [name], env=environment, capture_output=True, text=True,
                             errors="replace", timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as late:
        return "hangs", str(late.stderr or "")
    text = ran.stdout + ran.stderr
    return complaint(kind, ran.returncode, text), text


def main():
    arguments = sys.argv[1:]
    only = ""
    if arguments[0] == "--only":
        only, arguments = arguments[1], arguments[2:]
    listed = subprocess.run(arguments + ["--list"], capture_output=True, text=True, check=True)
    cases = [line.split() for line in listed.stdout.splitlines() if only in line]
    jobs = [(kind, name, procs) for kind, name in cases for procs in (1, 2)]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        outcomes = pool.map(lambda job: run_case(arguments, *job), jobs)
        for (kind, name, procs), (why, text) in zip(jobs, outcomes):
            if why is None:
                continue
            failed += 1
            print(f"--- {name}, WEFT_MAXPROCS={procs}: {why}\n{text}")
    racy = sum(kind == "racy" for kind, _ in cases)
    print(f"race corpus: {racy} racy and {len(cases) - racy} clean programs, "
          f"{len(jobs)} runs, {failed} failed")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
