#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fails when a document points at something that is not there.

Usage: docs_check.py [ROOT]. For every .md file: relative links lead to a file (and to one of its
headings); a block of code below `<!-- from: PATH -->` stands in that file, line by line, so that
examples in documents are cut from what is compiled; in a table below it, so does every code in the
columns headed Weft. C++ in the guides and the README is always cut from somewhere: those files are
compiled and run by the tests. Links to the network are not followed.
"""
import os
import re
import sys

import tidy

LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
FROM = re.compile(r"^<!-- from: (\S+) -->$")


def anchor(heading):
    """The name GitHub gives to a heading."""
    text = re.sub(r"[`*_]|\[([^\]]*)\]\([^)]*\)", lambda m: m.group(1) or "", heading)
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")


def headings(text):
    fenced, found = False, set()
    for line in text.split("\n"):
        if line.startswith("```"):
            fenced = not fenced
        elif not fenced and line.startswith("#"):
            found.add(anchor(line.lstrip("#")))
    return found


def read(root, name):
    try:
        with open(os.path.join(root, name), encoding="utf-8") as file:
            return file.read()
    except (FileNotFoundError, IsADirectoryError):
        return None


def check_link(root, name, link):
    """What is wrong with a link in the file `name`, or None."""
    if re.match(r"[a-z]+:", link):
        return None
    path, _, part = link.partition("#")
    target = os.path.normpath(os.path.join(os.path.dirname(name), path)) if path else name
    if not os.path.exists(os.path.join(root, target)):
        return f"{link}: no such file"
    if part and target.endswith(".md") and part not in headings(read(root, target)):
        return f"{link}: no such heading"
    return None


def plain(text):
    return [line.strip() for line in text.split("\n") if line.strip()]


def is_cut_from(block, source):
    """True if the block's lines stand together in the source; blanks do not count."""
    wanted, lines = plain(block), plain(source)
    return any(lines[at:at + len(wanted)] == wanted
               for at in range(len(lines) - len(wanted) + 1))


def without_blanks(text):
    return re.sub(r"\s+", "", re.sub(r"//[^\n]*", "", text))


def cells(line):
    """A table row's cells; a bar in code is written with a backslash before it."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def check_row(source, heads, line):
    """Codes in the Weft columns that do not stand in the source."""
    for head, cell in zip(heads, cells(line)):
        if head != "Weft":
            continue
        for code in re.findall(r"`([^`]+)`", cell):
            if without_blanks(code.replace("\\|", "|")) not in source:
                yield code


def check_tables(root, text):
    """Yields (line, complaint) for tables that are cut from a file."""
    origin, heads = None, None
    for number, line in enumerate(text.split("\n"), 1):
        mark = FROM.match(line)
        if mark:
            origin, heads = mark.group(1), None
        elif not line.startswith("|"):
            origin = origin if not line.strip() and heads is None else None
        elif origin and heads is None:
            heads = cells(line)
            source = without_blanks(read(root, origin) or "")
        elif origin and not re.match(r"^[|\s:-]+$", line):
            for code in check_row(source, heads, line):
                yield number, f"`{code}` does not stand in {origin}"


def must_be_cut(name):
    return name == "README.md" or name.startswith("docs/guide/")


def check_file(root, name, text):
    """Yields (line, complaint)."""
    origin, block, block_line = None, None, 0
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("```"):
            if block is None:
                block, block_line = [], number
                if not origin and line.startswith("```cpp") and must_be_cut(name):
                    yield number, "no <!-- from: PATH -->: code here is cut from what runs"
                continue
            if origin:
                source = read(root, origin)
                if source is None:
                    yield block_line, f"{origin}: no such file"
                elif not is_cut_from("\n".join(block), source):
                    yield block_line, f"the code does not stand in {origin}"
            origin, block = None, None
        elif block is not None:
            block.append(line)
        else:
            mark = FROM.match(line)
            origin = mark.group(1) if mark else origin if not line.strip() else None
            for link in LINK.findall(re.sub(r"`[^`]*`", "", line)):
                why = check_link(root, name, link)
                if why:
                    yield number, why


def check_tree(root):
    return [f"{name}:{line}: {why}"
            for name in tidy.files_of(root) if name.endswith(".md") and read(root, name) is not None
            for text in [read(root, name)]
            for check in [check_file(root, name, text), check_tables(root, text)]
            for line, why in check]


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(
        os.path.abspath(__file__)))
    found = check_tree(root)
    for complaint in found:
        print(complaint)
    print(f"documents: {len(found)} complaints")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
