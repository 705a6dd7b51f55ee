# SPDX-License-Identifier: Apache-2.0
"""What the figures were taken on: machine, kernel, compilers, peers, commit."""

import os
import platform
import subprocess
import time

from lib import allocators, programs


def output_of(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False,
                              cwd=programs.ROOT)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def first_line(text):
    return text.splitlines()[0] if text else "not installed"


def value_in(path, key):
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                name, _, value = line.partition(":" if ":" in line else "=")
                if name.strip() == key:
                    return value.strip().strip('"')
    except OSError:
        pass
    return "unknown"


def debian_version(package):
    return output_of("dpkg-query", "-W", "-f", "${Version}", package) or "not installed"


def busy_percent(seconds):
    """How much of all CPUs something takes while nothing of ours runs."""
    def read():
        with open("/proc/stat", encoding="ascii") as stat:
            # user nice system idle iowait irq softirq steal
            ticks = [int(field) for field in stat.readline().split()[1:9]]
        return sum(ticks), ticks[3] + ticks[4]

    total, idle = read()
    time.sleep(seconds)
    total_then, idle_then = read()
    return 100.0 * (1 - (idle_then - idle) / max(1, total_then - total))


def facts():
    """(name, value) pairs, in the order in which they are printed."""
    commit = output_of("git", "rev-parse", "--short=12", "HEAD") or "unknown"
    # The generated files themselves do not make a tree dirty.
    changed = output_of("git", "status", "--porcelain", "--untracked-files=no", "--", "weft",
                        "bench", "cmake", "CMakeLists.txt", "examples")
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return [
        ("Machine", f"{value_in('/proc/cpuinfo', 'model name')}, {os.cpu_count()} CPUs, "
                    f"{memory_gib:.0f} GiB"),
        ("Kernel", f"{platform.release()} ({platform.machine()}), "
                   f"{value_in('/etc/os-release', 'PRETTY_NAME')}"),
        ("Compiler", first_line(output_of("g++", "--version"))),
        ("Go", output_of(programs.find_go(), "version") or "not installed"),
        ("Boost.Fiber", debian_version("libboost-fiber1.81-dev")),
        ("Allocators", ", ".join(f"{name} {debian_version(package)}"
                                 for name, package in allocators.PACKAGES.items())),
        ("redis", first_line(output_of("redis-server", "--version"))),
        ("Commit", commit + (" with uncommitted changes" if changed else "")),
        ("Date", time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())),
    ]
