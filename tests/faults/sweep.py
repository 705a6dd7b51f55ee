#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes each system call of a scenario fail in turn, with each plausible errno.

Usage: sweep.py PROGRAM SCENARIO [DOOR]. A run may end in three ways: "done", all work accounted
for; "refused: ...", an error that names what was refused; or a report with status 2 that names the
object and the limit. A hang, a bare signal, a wrong result or a "bug" of the runtime fails.
"""
import concurrent.futures
import errno
import os
import re
import resource
import subprocess
import sys

# What each door may say. The last number: how many calls in a row fail (0: all from there on).
ERRNOS = {
    "mmap": [("ENOMEM", 1), ("ENOMEM", 0)],
    "madvise": [("ENOMEM", 1), ("EINVAL", 0), ("EAGAIN", 1)],
    "process_madvise": [("ENOMEM", 1), ("ENOSYS", 0), ("EPERM", 0)],
    "mprotect": [("ENOMEM", 1)],
    "clone": [("EAGAIN", 1), ("EAGAIN", 3), ("EAGAIN", 0)],
    "futex_wait": [("EINTR", 1), ("EAGAIN", 1), ("EINTR", 20)],
    "membarrier_register": [("EINVAL", 1), ("EPERM", 1), ("ENOSYS", 1)],
    "membarrier": [("ENOMEM", 1), ("ENOMEM", 0)],
    "epoll_create": [("EMFILE", 1), ("ENOMEM", 1)],
    "eventfd": [("EMFILE", 1), ("ENOMEM", 1)],
    "epoll_ctl": [("ENOMEM", 1), ("ENOSPC", 1), ("ENOSPC", 0)],
    "epoll_pwait2": [("EINTR", 1), ("ENOSYS", 0), ("EPERM", 0)],
    "sigaltstack": [("ENOMEM", 1), ("EPERM", 0)],
    "sigaction": [("EINVAL", 1)],
    "open": [("EMFILE", 1), ("ENOENT", 0)],
    "socket": [("EMFILE", 1), ("ENOBUFS", 1)],
    "bind": [("EADDRINUSE", 1)],
    "listen": [("EADDRINUSE", 1)],
    "connect": [("ECONNREFUSED", 1), ("EADDRNOTAVAIL", 1)],
    "accept": [("EMFILE", 1), ("ECONNABORTED", 1), ("EINTR", 1), ("ENOMEM", 3)],
    "recv": [("ECONNRESET", 1), ("EINTR", 1), ("ENOMEM", 1)],
    "send": [("EPIPE", 1), ("EINTR", 1), ("ENOBUFS", 1)],
}
# Limits of the process that are tried one by one.
LIMITS = {
    resource.RLIMIT_NOFILE: list(range(3, 36)),
    resource.RLIMIT_AS: [int((32 << 20) * 1.25 ** i) for i in range(24)],
    resource.RLIMIT_NPROC: list(range(1, 13)),
}
NAMES = {resource.RLIMIT_NOFILE: "descriptors", resource.RLIMIT_AS: "address space",
         resource.RLIMIT_NPROC: "threads"}
# Clocks that jump by a day, at each look of the first kind and from one look on.
CLOCKS = ("realtime", "monotonic")
DAY = 86400
# Each call up to the first number; beyond, numbers that grow by half. Later calls of a door are the
# same call sites again.
EACH, GROWTH = 10, 1.5
SECONDS = 15
REPORT = re.compile(r"^(fatal error|panic): .+", re.M)


def limits_of(which, value):
    """How a process with that limit is started: subprocess.run's arguments.

    The number of processes is that of a user, and root's is unlimited: as root the program runs as
    a user whom nobody else is; else the limit is that much more than the user's threads now.
    """
    how = {}
    if which == resource.RLIMIT_NPROC and os.geteuid() == 0:
        how = {"user": 40000 + (os.getpid() * 16 + value) % 20000, "extra_groups": []}
    elif which == resource.RLIMIT_NPROC:
        value += own_threads()
    return {**how, "preexec_fn": lambda: resource.setrlimit(which, (value, value))}


def own_threads():
    mine = [entry.path for entry in os.scandir("/proc")
            if entry.name.isdigit() and entry.stat().st_uid == os.geteuid()]
    return sum(len(os.listdir(f"{path}/task")) for path in mine if os.path.exists(path))


def run(program, scenario, fault=None, limit=None):
    environment = dict(os.environ, FAULT_COUNTS="1")
    environment.pop("FAULT", None)
    if fault:
        environment["FAULT"] = fault
    return subprocess.run([program, scenario], env=environment, capture_output=True, text=True,
                          errors="replace", timeout=SECONDS, **(limits_of(*limit) if limit else {}))


def verdict(program, scenario, fault=None, limit=None):
    """What the run came to: ("done" | "refused" | "report" | "FAILED", words)."""
    try:
        ended = run(program, scenario, fault, limit)
    except subprocess.TimeoutExpired as stuck:
        return "FAILED", f"not done after {SECONDS} s\n{stuck.stdout}\n{stuck.stderr}"
    except PermissionError:
        return "skipped", "another user may not run the program"
    first = ended.stdout.partition("\n")[0]
    if ended.returncode == 0 and first == "done":
        return "done", ""
    if ended.returncode == 0 and first.startswith("refused: "):
        return "refused", first[len("refused: "):]
    if limit and ended.returncode == 127 and "shared librar" in ended.stderr:
        return "report", "the program could not be loaded"
    said = REPORT.search(ended.stderr)
    if ended.returncode == 2 and said and "bug:" not in ended.stderr:
        return "report", said.group(0)
    return "FAILED", f"status {ended.returncode}\n{ended.stdout[:200]}{ended.stderr[:1500]}"


def points(calls):
    """Which calls are made to fail: 1, 2, ... EACH, and then fewer."""
    at = 1
    while at <= calls:
        yield at
        at = at + 1 if at < EACH else int(at * GROWTH)


def main(program, scenario, only=None):
    plain = run(program, scenario)
    if plain.returncode != 0 or not plain.stdout.startswith("done"):
        print(f"without a fault: status {plain.returncode}\n{plain.stdout}{plain.stderr}")
        return 1
    counts = dict(word.split("=") for word in plain.stdout.split("counts ")[1].split())
    faults = [f"{door}:{at}:{getattr(errno, name)}:{many}"
              for door, errnos in ERRNOS.items() if only in (None, door)
              for name, many in errnos for at in points(int(counts[door]))]
    faults += [f"{clock}:{at}:{DAY}:0" for clock in CLOCKS if only in (None, clock)
               for at in (points(int(counts[clock])) if clock == "monotonic" else [1])]
    limits = [(which, value) for which, values in LIMITS.items() if only in (None, "limits")
              for value in values]
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        results = list(pool.map(lambda fault: verdict(program, scenario, fault), faults))
        results += pool.map(lambda limit: verdict(program, scenario, limit=limit), limits)
    faults += [f"{NAMES[which]}:{value}" for which, value in limits]
    results = [("FAILED", f"a step of the wall clock was noticed: {kind}: {words}")
               if fault.startswith("realtime") and kind != "done" else (kind, words)
               for fault, (kind, words) in zip(faults, results)]
    said = {}
    for fault, (kind, words) in zip(faults, results):
        if kind in ("refused", "report", "skipped"):
            words = re.sub(r"127.0.0.1:\d+", "ADDRESS", words)
            said.setdefault(f"{fault.split(':')[0]}: {kind}: {words}", []).append(fault)
        if kind == "FAILED":
            print(f"{scenario}: {fault}: {words}\n")
    for words, where in sorted(said.items()):
        print(f"{len(where):4} x {words}")
    kinds = [kind for kind, _ in results]
    print(f"{scenario}: {len(faults)} faults: " + ", ".join(
        f"{kinds.count(kind)} {kind}"
        for kind in ("done", "refused", "report", "skipped", "FAILED")))
    return 1 if "FAILED" in kinds else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
