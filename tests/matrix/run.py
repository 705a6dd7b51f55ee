#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the migration matrix and prints it as a table.

Usage: run.py --program PATH [--without CASE]      one cell: a program that is already built
       run.py [BUILD-DIRECTORY]   all cells, built first: two compilers, -O0, -O2 and -O2 -flto

Each case of each cell is a process of its own and fails alone.
"""
import concurrent.futures
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
COMPILERS = {"g++": ("gcc", "g++"), "clang++": ("clang-19", "clang++-19")}
OPTIONS = {"-O0": "O0", "-O2": "O2", "-O2 -flto": "O2_flto"}
CASE_SECONDS = 100


def build(directory):
    """Builds every cell; a dictionary from its name to its program."""
    cells = {}
    for label, (c, cxx) in COMPILERS.items():
        tree = os.path.join(directory, label.replace("+", "x"))
        # No debug information: a third of the time. The ASM files are the C compiler's.
        subprocess.run(
            ["cmake", "-G", "Ninja", "-S", os.path.join(HERE, "cells"), "-B", tree,
             f"-DCMAKE_C_COMPILER={c}", f"-DCMAKE_CXX_COMPILER={cxx}", "-DCMAKE_BUILD_TYPE=None"],
            check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["cmake", "--build", tree], check=True, stdout=subprocess.DEVNULL)
        for option, target in OPTIONS.items():
            cells[f"{label} {option}"] = os.path.join(tree, f"matrix_{target}")
    return cells


def run_case(program, name, last_words):
    """What went wrong, or None."""
    try:
        done = subprocess.run([program, name], capture_output=True, text=True, errors="replace",
                              timeout=CASE_SECONDS)
    except subprocess.TimeoutExpired as stuck:
        return f"not done after {CASE_SECONDS} s\n{stuck.stderr or ''}"
    if last_words:
        if done.returncode == 2 and last_words in done.stderr:
            return None
    elif done.returncode == 0:
        return None
    return f"status {done.returncode}\n{done.stdout}{done.stderr}"


def main(arguments):
    if arguments[:1] == ["--program"]:
        cells = {"this build": arguments[1]}
    else:
        cells = build(arguments[0] if arguments else os.path.join(ROOT, "build", "matrix"))
    listed = subprocess.run([next(iter(cells.values())), "--list"], check=True,
                            capture_output=True, text=True).stdout
    cases = sorted(line.split("\t") for line in listed.splitlines())
    if arguments[2:3] == ["--without"]:
        cases = [case for case in cases if case[0] != arguments[3]]
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        results = {(cell, name): pool.submit(run_case, program, name, last_words)
                   for cell, program in cells.items() for name, last_words in cases}
    width = max(len(name) for name, _ in cases)
    print(" " * width, *cells, sep="  ")
    failed = 0
    for name, _ in cases:
        marks = ["ok" if results[cell, name].result() is None else "FAILED" for cell in cells]
        print(name.ljust(width), *(m.ljust(len(c)) for m, c in zip(marks, cells)), sep="  ")
        failed += marks.count("FAILED")
    for (cell, name), result in results.items():
        if result.result() is not None:
            print(f"\n{cell}: {name}: {result.result()}")
    print(f"{len(results)} cells, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
