#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`#include <weft/weft.hpp>` costs under a second of CPU time, and why it stays so.

Usage: compile_time.py COMPILER INCLUDE_DIR. The best of five, in CPU time, so that a busy machine
does not matter. What makes it slow is standard headers, so those that weft.hpp names anywhere are
listed here, and some may not come in at all, by whatever way.
"""
import os
import re
import resource
import subprocess
import sys
import tempfile

# A machine that is slow at the moment is so for the reference too: then the second one decides.
SECONDS_MAX = 1.0
RATIO_MAX = 4.0

# What our headers may name. A new one needs a look at what it costs: see the output.
NAMED = set("""
array atomic bit bits/chrono.h concepts cstddef cstdint cstdlib cstring exception expected
initializer_list memory mutex new optional span stdexcept string string_view system_error
type_traits typeinfo utility variant
""".split())

# Not even indirectly: each costs 0.05 to 0.3 s.
FORBIDDEN = set("""
algorithm chrono condition_variable deque filesystem format fstream functional future iostream
istream locale map ranges random regex set sstream thread unordered_map unordered_set vector
""".split())

PROGRAM = "#include <weft/weft.hpp>\nint main() {}\n"
REFERENCE = "#include <string>\n#include <optional>\n#include <expected>\nint main() {}\n"


def cpu_seconds(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def best(compiler, include, program, flags, work):
    path = os.path.join(work, "program.cpp")
    with open(path, "w", encoding="utf-8") as file:
        file.write(program)
    command = [compiler, "-std=c++23", "-I", include, *flags, path]
    return min(cpu_seconds(command) for _ in range(5))


def check_headers(compiler, include, work):
    """Complaints about standard headers, from what the compiler opens."""
    path = os.path.join(work, "program.cpp")
    with open(path, "w", encoding="utf-8") as file:
        file.write(PROGRAM)
    opened = subprocess.run([compiler, "-std=c++23", "-I", include, "-M", path], check=True,
                            capture_output=True, text=True).stdout.replace("\\\n", " ").split()[1:]
    ours = [name for name in opened
            if os.path.realpath(name).startswith(os.path.realpath(include) + os.sep)]
    complaints = []
    for name in ours:
        with open(name, encoding="utf-8") as file:
            text = file.read()
        if "__has_include(<bits/chrono.h>)" in text:
            text = text.split("#else")[0]
        for header in re.findall(r"^#include <([^>]+)>", text, re.M):
            if header not in NAMED:
                where = os.path.relpath(name, include)
                complaints.append(f"{where}: <{header}> is not on the list")
    for name in opened:
        if os.path.basename(name) in FORBIDDEN and "/bits/" not in name and name not in ours:
            complaints.append(f"weft.hpp brings <{os.path.basename(name)}>")
    if not ours:
        complaints.append("no header of Weft was opened")
    return complaints


def main():
    compiler, include = sys.argv[1:]
    with tempfile.TemporaryDirectory() as work:
        complaints = check_headers(compiler, include, work)
        checked = best(compiler, include, PROGRAM, ["-O0", "-fsyntax-only"], work)
        made = best(compiler, include, PROGRAM, ["-O2", "-c", "-o", os.path.join(work, "o")], work)
        reference = best(compiler, include, REFERENCE, ["-O0", "-fsyntax-only"], work)
    print(f"weft.hpp: {checked:.2f} s to check, {made:.2f} s to compile with -O2, CPU time; "
          f"{checked / reference:.1f} times <string>, <optional> and <expected>")
    if checked >= SECONDS_MAX and checked / reference >= RATIO_MAX:
        complaints.append(f"weft.hpp takes {checked:.2f} s; the limit is {SECONDS_MAX} s")
    for complaint in complaints:
        print(complaint)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
