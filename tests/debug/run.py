#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads a program's goroutines with gdb, live and from core files:

    run.py PROGRAM live|gcore|kernel_core

Every goroutine's stack must contain the function that it is parked in, and the walk must end at
weft_goroutine_entry.
"""
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

GDB = ["gdb", "-nx", "-batch", "-iex", "set auto-load safe-path /",
       "-iex", "set debuginfod enabled off"]
# state -> (function on the stack, how many)
EXPECTED = {
    "chan receive": ("wait_for_job", 20),
    "chan send": ("deliver_result", 20),
    "sync.Mutex.Lock": ("pass_gate", 20),
    "sleep": ("sleep_long", 20),
    "running": ("keep_main_busy", 1),
    "runnable": (None, 1),
}
failures = []


def check(condition, text):
    if not condition:
        failures.append(text)


def gdb(target, commands):
    arguments = GDB + target
    for command in commands:
        arguments += ["-ex", command]
    done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=100)
    return done.stdout.decode("utf-8", "replace")


def check_list(output):
    lines = re.findall(r"^ *(\d+)  (.{22}) .{8}  (.*)$", output, flags=re.M)
    for state, (function, count) in EXPECTED.items():
        rows = [row for row in lines if row[1].strip() == state]
        check(len(rows) == count,
              "info goroutines: %d are `%s`, not %d" % (len(rows), state, count))
        for row in rows:
            check(function is None or function in row[2] or state == "running",
                  "info goroutines: goroutine %s [%s] is at `%s`" % row)
    check(any("[jobs]" in row[2] for row in lines), "info goroutines: no name [jobs]")
    return {state: next((r[0] for r in lines if r[1].strip() == state), "0") for state in EXPECTED}


def check_stacks(output):
    blocks = re.split(r"^goroutine (\d+) \[([^\]]*)\]:$", output, flags=re.M)[1:]
    seen = {}
    for number, state, body in zip(blocks[0::3], blocks[1::3], blocks[2::3]):
        state = state.split(",")[0]
        function = EXPECTED.get(state, (None, 0))[0]
        seen[state] = seen.get(state, 0) + 1
        check(function is None or function in body,
              "goroutine %s [%s]: no %s in its stack:\n%s" % (number, state, function, body))
        check("weft_goroutine_entry" in body or state == "running",
              "goroutine %s [%s]: the stack ends early:\n%s" % (number, state, body))
    for state, (_, count) in EXPECTED.items():
        check(seen.get(state) == count,
              "goroutine all bt: %s are `%s`, not %d" % (seen.get(state), state, count))


def check_target(target):
    first = gdb(target, ["info goroutines", "goroutine all bt"])
    ids = check_list(first)
    check_stacks(first)
    one = ids["chan receive"]
    text = gdb(target, [
        "goroutine %s frame" % one,
        "goroutine %s bt -3" % one,
        "goroutine %s" % ids["runnable"],
        "goroutine 99999 bt",
        "bt 1",
    ])
    check("wait_for_job" in text, "goroutine N COMMAND: no frame of wait_for_job:\n" + text)
    check("weft_goroutine_start" in text, "goroutine N bt -3: not the outermost frames:\n" + text)
    check("there is no goroutine 99999" in text, "a wrong number is not refused:\n" + text)
    # Afterwards gdb stands where it stood, in a real thread.
    check(re.search(r"^#0 ", text, flags=re.M), "gdb's own frames are lost:\n" + text)
    if failures:
        print(first)


def core_by_gdb(child, program, folder):
    """gdb's gcore gives up on a mapping at its first guard page, unless guards are mappings too."""
    core = folder / "core"
    made = gdb(["-p", str(child.pid)], ["gcore %s" % core])
    check(core.exists(), "no core file:\n" + made)
    return core


def core_by_kernel(child, program, folder):
    child.send_signal(signal.SIGTRAP)  # one that Weft does not handle, so the kernel does
    child.wait()
    cores = list(folder.glob("core*"))
    check(len(cores) == 1, "no core file in %s, but %s" % (folder, os.listdir(folder)))
    return cores[0] if cores else folder / "core"


def main():
    program, how = sys.argv[1], sys.argv[2]
    settings = "noretake=1"
    if how == "gcore":
        settings += ",mprotectguards=1"
    if how == "kernel_core":
        if Path("/proc/sys/kernel/core_pattern").read_text().strip() != "core":
            print("skipped: kernel.core_pattern sends core files elsewhere")
            return 77
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    with tempfile.TemporaryDirectory() as folder:
        child = subprocess.Popen([program], stdout=subprocess.PIPE, cwd=folder,
                                 env=dict(os.environ, WEFT_DEBUG=settings))
        try:
            if child.stdout.readline() != b"parked\n":
                print("the program did not start")
                return 1
            if how == "live":
                check_target(["-p", str(child.pid), program])
                check(child.poll() is None, "the program died of being looked at")
            else:
                make = core_by_gdb if how == "gcore" else core_by_kernel
                core = make(child, program, Path(folder))
                if core.exists():
                    check(core.stat().st_size < 4 << 30, "the core file has over 4 GiB")
                    check_target([program, str(core)])
        finally:
            child.kill()
            child.wait()
    for failure in failures[:10]:
        print("FAILED:", failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
