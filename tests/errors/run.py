#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Wrong uses must give one error of one readable line, and what was meant must compile.

Usage: run.py COMPILER INCLUDE_DIR [--update] [FLAG...]. The cases are in cases.txt. A wrong use
gives exactly one "error:" line, no longer than a screen is wide; our text stands in it, or, for
deleted functions and compilers that do not know `= delete("why")` yet, in the note below. The error
lines are compared with golden/ where there is one of this compiler's major version; --update
rewrites it.
"""
import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
LINE_MAX = 250
FUNCTION = """
[[maybe_unused]] int %s(weft::chan<int> ch, weft::recv_chan<int> in, weft::send_chan<int> out,
                        const weft::context& ctx, weft::mutex& m, weft::wait_group& wg) {
  (void)ch; (void)in; (void)out; (void)ctx; (void)m; (void)wg;
  {
%s
  }
  return 0;
}
"""


def read_cases():
    """{name: (text, wrong, right)}"""
    cases, name = {}, None
    with open(os.path.join(HERE, "cases.txt"), encoding="utf-8") as file:
        for line in file.read().split("\n"):
            if not line or line.startswith("#"):
                continue
            if line.startswith("- "):
                cases[name][1] = line[2:]
            elif line.startswith("+ "):
                cases[name][2] = line[2:]
            else:
                name, _, text = line.partition(": ")
                assert name not in cases, f"{name} stands twice"
                cases[name] = [text, None, None]
    assert all(None not in case for case in cases.values()), "a case is not complete"
    return cases


class Compiler:
    def __init__(self, command, include, flags, work):
        self.command = [command, "-std=c++23", "-I", include, "-I", HERE, *flags]
        self.work = work
        version = subprocess.run([command, "--version"], capture_output=True, text=True, check=True,
                                 env={**os.environ, "LC_ALL": "C"}).stdout
        self.clang = "clang" in version
        major = subprocess.run([command, "-dumpversion"], capture_output=True, text=True,
                               check=True).stdout.split(".")[0].strip()
        self.name = ("clang++-" if self.clang else "g++-") + major
        # The header once: a case costs a tenth of it.
        header = os.path.join(work, "prelude.hpp")
        with open(header, "w", encoding="utf-8") as file:
            file.write(f'#include "{HERE}/prelude.hpp"\n')
        precompiled = header + (".pch" if self.clang else ".gch")
        subprocess.run([*self.command, "-x", "c++-header", header, "-o", precompiled], check=True)
        self.use = ["-include-pch", precompiled] if self.clang else ["-include", header]

    def compile(self, name, code):
        """Exit status and what it says."""
        path = os.path.join(self.work, name + ".cpp")
        with open(path, "w", encoding="utf-8") as file:
            file.write(code)
        ran = subprocess.run([*self.command, *self.use, "-fsyntax-only", path], text=True,
                             capture_output=True, env={**os.environ, "LC_ALL": "C"})
        return ran.returncode, ran.stderr


def plain(line):
    """An error line without places, and with plain quotes."""
    line = re.sub(r"^.*?\berror: ", "", line)
    line = re.sub(r"/\S*/(\w+\.cpp:)", r"\1", line)  # clang names lambdas by theirs
    return re.sub("[\u2018\u2019]", "'", line)


def check_wrong(compiler, name, text, wrong):
    """The error line, and what is wrong with it, or None."""
    status, said = compiler.compile(name, FUNCTION % (name, "    " + wrong))
    errors = [line for line in said.split("\n") if re.search(r"\berror: ", line)]
    if status == 0 or not errors:
        return "", f"{name}: it compiles"
    line = plain(errors[0])
    if len(errors) != 1:
        return line, f"{name}: {len(errors)} errors instead of one:\n" + said
    if len(line) > LINE_MAX:
        return line, f"{name}: the error is {len(line)} characters long:\n{line}"
    if text in line:
        return line, None
    if "deleted" in line and text in re.sub(r'"\s*\n[^"]*"', "", said):
        return line, None
    return line, f"{name}: the error does not say \"{text}\":\n{said}"


def check_golden(compiler, found, update):
    path = os.path.join(HERE, "golden", compiler.name + ".txt")
    now = "".join(f"{name}: {line}\n" for name, line in found.items())
    if update:
        with open(path, "w", encoding="utf-8") as file:
            file.write(now)
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        wanted = dict(line.split(": ", 1) for line in file.read().splitlines())
    changed = "the error changed (--update accepts it)"
    return [f"{name}: {changed}\n  was {wanted.get(name)}\n  is  {line}"
            for name, line in found.items() if wanted.get(name) != line]


def main():
    command, include, *rest = sys.argv[1:]
    update = "--update" in rest
    flags = [flag for flag in rest if flag != "--update"]
    cases = read_cases()
    with tempfile.TemporaryDirectory() as work:
        compiler = Compiler(command, include, flags, work)
        complaints, found = [], {}
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            results = pool.map(lambda case: check_wrong(compiler, case[0], *case[1][:2]),
                               cases.items())
            for name, (line, complaint) in zip(cases, results):
                found[name] = line
                if complaint:
                    complaints.append(complaint)
        if not complaints:
            complaints += check_golden(compiler, found, update)
        twins = "".join(FUNCTION % (name, "    " + case[2]) for name, case in cases.items())
        status, said = compiler.compile("twins", twins)
        if status != 0:
            complaints.append("what was meant does not compile:\n" + said)
    for complaint in complaints:
        print(complaint)
    print(f"errors: {len(cases)} cases with {compiler.name}, {len(complaints)} complaints")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
