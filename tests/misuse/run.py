#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs each case of misuse and prints which are caught; fails if one is missed that was not.

    run.py default|heapcheck PROGRAM LIBRARY    beside glibc
    run.py table PROGRAM LIBRARY                both modes, glibc, and the other allocators here
"""
import concurrent.futures
import os
import resource
import subprocess
import sys

sys.dont_write_bytecode = True

NOT_CAUGHT = 42
MODES = {"default": "", "heapcheck": "heapcheck=1"}
# What each mode does not find. Shorter is better; a case that is found again leaves the list.
WITHOUT_CHECKS = {
    "delete_too_small", "delete_too_large", "write_freed_second", "write_freed_last",
    "write_freed_large", "read_freed_small", "read_freed_large", "read_uninitialized_small",
    "read_uninitialized_large", "overrun_used_by_1", "overrun_used_by_8", "overrun_used_by_16",
    "overrun_rounding", "underrun_by_1", "underrun_by_16", "overrun_large_by_1",
    "read_without_end",
}
MISSED = {"default": WITHOUT_CHECKS, "heapcheck": {"read_without_end"}}
# The project's goal for the hardened mode, whatever the list says.
LEAST = {"default": 0, "heapcheck": 34}
OTHERS = {"jemalloc": "libjemalloc.so.2", "tcmalloc": "libtcmalloc_minimal.so.4",
          "mimalloc": "libmimalloc.so.2"}


def no_core():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def found(program, case, library, debug=""):
    """How a case ended: "" if it was not caught."""
    environment = {**os.environ, "WEFT_DEBUG": debug}
    environment.pop("LD_PRELOAD", None)
    if library:
        environment["LD_PRELOAD"] = library
    ended = subprocess.run([program, case], env=environment, capture_output=True, text=True,
                           errors="replace", timeout=60, preexec_fn=no_core)
    if ended.returncode == NOT_CAUGHT:
        return ""
    if ended.returncode < 0:
        return f"signal {-ended.returncode}"
    said = next((line for line in ended.stderr.splitlines() if line.startswith("fatal error")), "")
    return said or ended.stdout.strip() or f"status {ended.returncode}"


def column(program, cases, library, debug=""):
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        return dict(zip(cases, pool.map(lambda c: found(program, c, library, debug), cases)))


def print_table(cases, columns):
    for case in cases:
        print(f"{case:26}" + "".join(f"{'caught' if results[case] else '-':>11}"
                                     for results in columns.values()))
    print(f"{f'of {len(cases)}':26}" + "".join(f"{sum(map(bool, results.values())):>11}"
                                               for results in columns.values()))


def main(mode, program, library):
    cases = subprocess.run([program, "--list"], capture_output=True, text=True,
                           check=True).stdout.split()
    columns = {name: column(program, cases, library, debug) for name, debug in MODES.items()
               if mode in (name, "table")}
    columns["glibc"] = column(program, cases, None)
    if mode == "table":
        columns |= {name: column(program, cases, other) for name, other in OTHERS.items()}
    print(f"{'':26}" + "".join(f"{name:>11}" for name in columns))
    print_table(cases, columns)
    if mode == "table":
        return 0
    print()
    for case, how in columns[mode].items():
        print(f"{case}: {how or 'NOT CAUGHT'}")
    missed = {case for case, how in columns[mode].items() if not how}
    for case in sorted(MISSED[mode] - missed):
        print(f"{case} is caught by now: take it out of MISSED in tests/misuse/run.py")
    for case in sorted(missed - MISSED[mode]):
        print(f"FAILED: {case} was caught before")
    caught = len(cases) - len(missed)
    if caught < LEAST[mode]:
        print(f"FAILED: {caught} are caught; {LEAST[mode]} are the least")
    return 1 if missed - MISSED[mode] or caught < LEAST[mode] else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
