#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fails when a file breaks a rule of style that needs no compiler.

Usage: tidy.py [ROOT]. The rules, by name (a file that must break one is in EXCEPTIONS):

  license    the first line (the second below #!) names the license
  subject    the next line is a comment that says the file's one subject
  long-file  at most 1000 lines (a warning from 600 on)
  long-line  at most 100 columns
  blanks     no tabs, no blanks at the end of a line, one newline at the end of the file
  once       a header begins with #pragma once
  own-first  x.cpp includes its own header first
  full-path  the library's includes in quotes begin at the root: "weft/layer/file.hpp"
  promise    no FIXME; TODO(perf|port|test): only with an issue (#12)
  words      no std::endl, NULL, `using namespace std`, bare assert() or std::cout in the library
  sleep      a test does not sleep to let something happen; a comment beside it says why it must
  umbrella   weft/weft.hpp includes every header of the layers that are wholly public, but one that
             says why not: "Included by name: ..."
  settings   every setting in weft/base/settings.cpp has its row in docs/guide/settings.md
"""
import os
import re
import subprocess
import sys

CODE = (".cpp", ".hpp", ".S", ".py", ".cmake", ".go", ".sh")
EXCEPTIONS = {}  # path: {rule: why}

PROMISE = re.compile(r"\bFIXME\b|\bXXX\b|\bTODO\b(?!\((perf|port|test)\): .*#\d+)")
WORDS = re.compile(
    r"std::endl\b|\bNULL\b|using namespace std\s*;|std::cout\b|std::cerr\b|(?<![\w.:])assert\(")
SLEEP = re.compile(r"\b(std::this_thread::sleep_\w+|usleep|nanosleep|(?<![\w:.])sleep|::sleep)\(")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
SETTING = re.compile(r'^\s*\{("\w+", kind::.*?)(?:\[\]\(|nullptr\})', re.M | re.S)
STRINGS = re.compile(r'"(?:\\.|[^"\\])*"(?:\s*"(?:\\.|[^"\\])*")*')


def files_of(root):
    """What git tracks or would track; all files below a root that is no work tree."""
    listed = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"],
                            capture_output=True, text=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        return sorted(set(listed.stdout.splitlines()))
    return sorted(os.path.relpath(os.path.join(folder, name), root)
                  for folder, _, names in os.walk(root) for name in names)


def is_code(name, text):
    base = os.path.basename(name)
    return (name.endswith(CODE) or base == "CMakeLists.txt"
            or text.startswith(("#!/bin/sh", "#!/usr/bin/env")))


def without_comment(line):
    return re.sub(r'//.*|"(?:\\.|[^"\\])*"', '""', line)


def check_head(lines):
    at = 1 if lines[0].startswith("#!") else 0
    head = lines[at] if len(lines) > at else ""
    if not re.match(r"(//|#) SPDX-License-Identifier: Apache-2\.0$", head):
        yield at + 1, "license", "must be SPDX-License-Identifier: Apache-2.0"
        return
    if len(lines) > at + 2 and lines[at + 1] == "":  # Go's package comments stand apart
        at += 1
    about = lines[at + 1] if len(lines) > at + 1 else ""
    if len(re.sub(r'^(//|#|"""|r""")\s*', "", about)) < 8 or not re.match(r'//|#|r?"""', about):
        yield at + 2, "subject", "a comment must say what this file is about"


def check_format(name, lines):
    if len(lines) > 1000:
        yield 1000, "long-file", f"{len(lines)} lines; 1000 is the limit"
    for number, line in enumerate(lines, 1):
        if len(line) > 100:
            yield number, "long-line", f"{len(line)} columns; 100 is the limit"
        if line != line.rstrip() or ("\t" in line and not name.endswith(".go")):
            yield number, "blanks", "a tab or a blank at the end"
        if PROMISE.search(line) and not name.startswith(("scripts/", "tests/lint/")):
            yield number, "promise", "TODO needs (perf|port|test) and an issue; no FIXME, no XXX"


def check_cpp(root, name, lines):
    if name.endswith(".hpp"):
        code = next((line for line in lines if line and not line.startswith("//")), "")
        if code != "#pragma once":
            yield 1, "once", "the first line of code must be #pragma once"
    own = own_header(root, name)
    first = True
    library = name.startswith("weft/")
    test = re.search(r"_(test|model|fuzz|bench)\.cpp$", name) or name.startswith("tests/")
    for number, line in enumerate(lines, 1):
        include = INCLUDE.match(line)
        if include:
            if library and include.group(1) == '"' and not include.group(2).startswith("weft/"):
                yield number, "full-path", f"{include.group(2)} must begin with weft/"
            if first and own and include.group(2) != own:
                yield number, "own-first", f"{own} must be the first include"
            first = False
        code = without_comment(line)
        word = WORDS.search(code) if library and not test else None
        if word:
            yield number, "words", f"{word.group(0)} is not used here"
        if test and SLEEP.search(code):
            before = lines[number - 2].lstrip() if number > 1 else ""
            if "//" not in line and not before.startswith("//"):
                yield number, "sleep", "wait for the state, or say beside it why it must sleep"


def own_header(root, name):
    """The header that belongs to a .cpp of the library, if there is one."""
    if not name.startswith("weft/") or not name.endswith(".cpp"):
        return None
    folder, file = os.path.split(name)
    header = file[:-4] + ".hpp"
    for own in (f"{folder}/{header}", f"{folder}/internal/{header}"):
        if os.path.exists(os.path.join(root, own)):
            return own
    return None


def settings_row(entry):
    """The row of docs/guide/settings.md for one entry of the table in settings.cpp."""
    columns = ["".join(re.findall(r'"((?:\\.|[^"\\])*)"', text)) for text in STRINGS.findall(entry)]
    name, default, allowed, doc = (columns + [""] * 4)[:4]
    return f"| `{name}` | {default} | {allowed} | {doc} |"


def check_settings(root):
    try:
        with open(os.path.join(root, "weft/base/settings.cpp"), encoding="utf-8") as file:
            entries = SETTING.findall(file.read())
        with open(os.path.join(root, "docs/guide/settings.md"), encoding="utf-8") as file:
            page = file.read()
    except FileNotFoundError:
        return
    for entry in entries:
        row = settings_row(entry)
        if row not in page:
            yield f"docs/guide/settings.md:1: settings: the table lacks this row:\n{row}"


def check_umbrella(root):
    def text(name):
        try:
            with open(os.path.join(root, name), encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    umbrella = text("weft/weft.hpp")
    for layer in ("sync", "net") if umbrella else ():
        folder = os.path.join(root, "weft", layer)
        included = umbrella
        if f'"weft/{layer}/{layer}.hpp"' in umbrella:  # the layer's own umbrella
            included += text(f"weft/{layer}/{layer}.hpp")
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            if name.endswith(".hpp") and not name.endswith("_testing.hpp"):
                if "// Included by name: " in text(f"weft/{layer}/{name}"):
                    continue
                if f'#include "weft/{layer}/{name}"' not in included:
                    yield f"weft/weft.hpp:1: umbrella: weft/{layer}/{name} is missing"


def check_file(root, name, text):
    """Yields (line, rule, complaint)."""
    if not is_code(name, text):
        return
    lines = text.split("\n")
    if lines[-1] != "" or (len(lines) > 1 and lines[-2] == ""):
        yield len(lines), "blanks", "the file must end with one newline"
    lines = lines[:-1] if lines[-1] == "" else lines
    if not lines:
        return
    yield from check_head(lines)
    yield from check_format(name, lines)
    if name.endswith((".cpp", ".hpp")):
        yield from check_cpp(root, name, lines)


def check_tree(root):
    """(complaints, warnings) about the tree, as text."""
    found, warnings = [], []
    for name in files_of(root):
        path = os.path.join(root, name)
        if os.path.islink(path) or not os.path.isfile(path):
            continue
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
        except UnicodeDecodeError:
            continue
        excepted = EXCEPTIONS.get(name, {})
        found += [f"{name}:{line}: {rule}: {why}"
                  for line, rule, why in check_file(root, name, text) if rule not in excepted]
        if is_code(name, text) and 600 < text.count("\n") <= 1000:
            warnings.append(f"{name}: warning: {text.count(chr(10))} lines; aim under 400")
    return found + list(check_umbrella(root)) + list(check_settings(root)), warnings


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(
        os.path.abspath(__file__)))
    found, warnings = check_tree(root)
    for complaint in warnings + found:
        print(complaint)
    print(f"tidy check: {len(found)} complaints")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
