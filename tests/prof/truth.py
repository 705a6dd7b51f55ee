#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Profiles beside what is true: truth.py CASE PROGRAM. Read by `go tool pprof`, which must be there
when CI=true."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
HEAP_RATE = 32 * 1024  # truth.cpp sets it


def find_go():
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        print("go is missing: `go tool pprof` reads what Weft writes")
        sys.exit(1 if os.environ.get("CI") == "true" else SKIPPED)
    return go


def pprof(*arguments):
    ran = subprocess.run([find_go(), "tool", "pprof", *arguments], capture_output=True, text=True,
                         timeout=120)
    if ran.returncode != 0:
        sys.exit(f"go tool pprof {' '.join(map(str, arguments))}: {ran.stderr}")
    return ran.stdout


class Raw:
    """What `pprof -raw` prints."""

    def __init__(self, path):
        self.text = pprof("-raw", path)
        self.samples = []    # (values, [location ids], labels)
        self.locations = {}  # id: functions, innermost first
        part = None
        for line in self.text.splitlines():
            if line in ("Samples:", "Locations", "Mappings"):
                part = line
            elif part == "Samples:":
                if found := re.match(r"^\s*((?:-?\d+\s+)*-?\d+): ([\d ]+)$", line):
                    self.samples.append(([int(v) for v in found[1].split()],
                                         [int(i) for i in found[2].split()], {}))
                elif found := re.match(r"^\s+(\w+):\[(.*)\]", line):
                    self.samples[-1][2][found[1]] = found[2]
            elif part == "Locations":
                if found := re.match(r"^\s*(\d+): 0x[0-9a-f]+ (?:M=\d+ )?(.*)$", line):
                    last = int(found[1])
                    self.locations[last] = [found[2]]
                elif line.strip():
                    self.locations[last].append(line.strip())

    def functions(self, sample):
        """Innermost first; names only."""
        return [re.sub(r" \S+:\d+:\d+ s=\d+.*$| :0:0 s=0.*$", "", f)
                for location in sample[1] for f in self.locations[location]]

    def share(self, function, value=0):
        total = sum(s[0][value] for s in self.samples)
        mine = sum(s[0][value] for s in self.samples
                   if any(function in f for f in self.functions(s)))
        return 100 * mine / total


def near(what, got, wanted, within):
    if abs(got - wanted) > within:
        sys.exit(f"{what}: {got}, and {wanted} +- {within} is true")
    print(f"{what}: {got:.4g} ({wanted:.4g} is true)")


def check_time(truth, period_ns):
    """Samples are the CPU time that the kernel accounts, but for a last part of a period that each
    thread leaves behind."""
    sampled = (truth["samples"] + truth["lost"]) * period_ns
    rests = 100 * truth["threads"] * period_ns / 2 / truth["cpu_ns"]
    seen = 100 * sampled / truth["cpu_ns"]
    near("CPU time seen, % of the kernel's", seen + rests, 100, 2 + rests)


def shares(raw, truth, rate):
    check_time(truth, 1e9 / rate)
    for function, ns in zip(("half", "third", "fifth"), truth["parts"]):
        near(f"{function}, %", raw.share(f"::{function}"), 100 * ns / sum(truth["parts"]), 3)
    near("that end at the goroutine's function, %", raw.share("shares"), 100, 1.5)


def corners(raw, truth):
    print(f"{truth['samples']} samples, {truth['lost']} lost, {truth['achieved_hz']} Hz")
    entries = ("corners()", "std::thread", "corners", "weft::wait_group::go", "main")
    wrong = {}
    total = 0
    for sample in raw.samples:
        functions = raw.functions(sample)
        if functions[-1].startswith(("weft.", "weft::rt::")) or "clone3" in functions[-1]:
            continue  # the scheduler's own stack, or a thread's beginning
        total += sample[0][0]
        if not any(entry in f for f in functions[-3:] for entry in entries):
            wrong["; ".join(functions)] = wrong.get("; ".join(functions), 0) + sample[0][0]
    lost = sum(wrong.values())
    for stack in sorted(wrong, key=wrong.get, reverse=True)[:5]:
        print(wrong[stack], stack)
    near("stacks that reach their entry, %", 100 * (total - lost) / total, 100, 0.1)
    for function in ("grow", "without_frame_pointers", "churn", "compare", "chan_send"):
        if raw.share(function) == 0:
            sys.exit(f"{function} was never seen")


def labels(raw, _):
    for route in ("/pay", "/get"):
        mine = sum(s[0][0] for s in raw.samples if s[2].get("route") == route)
        near(f"{route}, %", 100 * mine / sum(s[0][0] for s in raw.samples), 50, 5)


def total(raw, function, value):
    return sum(s[0][value] for s in raw.samples if any(function in f for f in raw.functions(s)))


def block(raw, truth):
    for function, ns in truth.items():
        near(f"{function}, ms", total(raw, function, 1) / 1e6, ns / 1e6, 0.05 * ns / 1e6)
        near(f"{function}, times", total(raw, function, 0), 20, 0)


def mutex(raw, truth):
    # The one who unlocks has made the other wait.
    ns = truth["lock_late"]
    near("hold, ms", total(raw, "hold", 1) / 1e6, ns / 1e6, 0.05 * ns / 1e6)
    near("hold, times", total(raw, "hold", 0), 20, 0)


def wall(raw, truth):
    ns = truth["parked_ns"]
    near("parked, s", total(raw, "park_here", 1) / 1e9, ns / 1e9, 0.02 * ns / 1e9)
    states = {s[2].get("state") for s in raw.samples}
    if not {"chan receive", "running"} <= states:
        sys.exit(f"states: {states}")
    running = sum(s[0][1] for s in raw.samples if s[2].get("state") == "running"
                  and any("half" in f for f in raw.functions(s)))
    print(f"half, running: {running / 1e9:.2f} s")


def heap(raw, truth):
    for function, wanted in truth.items():
        for value, name in enumerate(["allocated objects", "allocated bytes", "objects in use",
                                      "bytes in use"]):
            # Four standard deviations of a sum of that many samples.
            samples = wanted[value | 1] / HEAP_RATE
            if function == "large_ones":
                samples = wanted[value & 2]
            within = 4 * wanted[value] / samples ** 0.5
            near(f"{function}, {name}", total(raw, function, value), wanted[value], within)


def main():
    case, program = sys.argv[1:3]
    find_go()
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, f"{case}.pb.gz")
        ran = subprocess.run([program, case, path], check=True, timeout=120, stdout=subprocess.PIPE,
                             text=True)
        truth = json.loads(ran.stdout)
        raw = Raw(path)
        try:
            if case in ("shares", "fast"):
                shares(raw, truth, 100 if case == "shares" else 1000)
            else:
                {"corners": corners, "labels": labels, "heap": heap,
                 "block": block, "mutex": mutex, "wall": wall}[case](raw, truth)
            merged = f"-output={folder}/merged"
            for view in (["-top"], ["-traces"], ["-proto", merged], ["-tags"]):
                pprof(*view, path)
        finally:
            if keep := os.environ.get("WEFT_KEEP"):
                shutil.copy(path, keep)


if __name__ == "__main__":
    main()
