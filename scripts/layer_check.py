#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fails when the code breaks the layering that the root CMakeLists.txt declares.

Usage: layer_check.py [ROOT]. The weft_layer() calls are read as data. Checked in weft/, examples/,
tools/:

  - a layer includes only itself and the layers in its USES;
  - internal/ headers of another layer only when they are among its DOORS; examples and
    tools include none;
  - no layer includes the umbrella;
  - outside base: no std::atomic, std::mutex, std::thread, thread_local, volatile, assembly, and no
    conditional on a platform, compiler or architecture (tests and benchmarks may use threads).
"""
import os
import re
import sys

CALL = re.compile(r"^ *weft_layer\(([^)]*)\)", re.M)
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"](weft/[^>"]+)[>"]')
FORBIDDEN = re.compile(
    r"std::(atomic|mutex|recursive_mutex|shared_mutex|condition_variable|thread|jthread)\b"
    r"|std::atomic_\w+|\bthread_local\b|\bvolatile\b|\b__thread\b|\basm\b|\b__asm__\b")
CONDITIONAL = re.compile(r"^\s*#\s*(if|ifdef|ifndef|elif)\b(.*)")
PLATFORM = re.compile(
    r"__x86_64__|__aarch64__|__linux__|__APPLE__|_WIN32|__clang__|__GNUC__|__GLIBC__"
    r"|__SANITIZE_\w+__|__has_feature")
NOT_LIBRARY = re.compile(r"_(test|bench|model|fuzz|testing)\.(cpp|hpp)$")
TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


class Layer:
    def __init__(self, name, uses, doors):
        self.name, self.uses, self.doors = name, uses, doors


def read_layers(cmake_text):
    """The weft_layer() declarations, in order."""
    text = re.sub(r"#.*", "", cmake_text)
    layers = {}
    for call in CALL.finditer(text):
        words = call.group(1).split()
        lists = {"USES": [], "DOORS": [], "LINKS": []}
        current = None
        for word in words[1:]:
            if word in lists:
                current = word
            elif current:
                lists[current].append(word)
        layers[words[0]] = Layer(words[0], lists["USES"], lists["DOORS"])
    return layers


def strip(text):
    """The code without comments and literals, line by line as before."""
    def blank(match):
        found = match.group(0)
        if found.startswith(("//", "/*")):
            return "\n" * found.count("\n")
        # An include's name is kept: it is what is checked.
        start = match.string.rfind("\n", 0, match.start()) + 1
        if re.match(r"\s*#\s*include", match.string[start:match.start()]):
            return found
        return '""' + "\n" * found.count("\n")
    # A digit separator is not a character literal.
    return TOKEN.sub(blank, re.sub(r"(?<=[0-9a-fA-F])'(?=[0-9a-fA-F])", "", text))


def check_include(layers, layer, target):
    """Why `layer` (None: an example or a tool) may not include `target`, or None if it may."""
    parts = target.split("/")
    if len(parts) == 2:
        return None if layer is None else "a layer includes its own headers, not the umbrella"
    owner, inner = parts[1], "/".join(parts[2:])
    if owner not in layers:
        return f"no layer is named {owner}"
    if layer is None:
        return "examples and tools include public headers only" if "internal/" in inner else None
    if owner == layer.name:
        return None
    if owner not in layer.uses:
        return f"{layer.name} does not use {owner} (see weft_layer() in CMakeLists.txt)"
    if inner.startswith("internal/") and inner not in layers[owner].doors:
        return f"{inner} is not a door of {owner}"
    return None


def check_file(layers, layer, name, text):
    """Yields (line, complaint) for one file of `layer`."""
    free = layer is not None and (layer.name == "base" or NOT_LIBRARY.search(name))
    for number, line in enumerate(strip(text).split("\n"), 1):
        include = INCLUDE.match(line)
        if include:
            why = check_include(layers, layer, include.group(1))
            if why:
                yield number, f"includes {include.group(1)}: {why}"
        if layer is None or free:
            continue
        word = FORBIDDEN.search(line)
        if word:
            yield number, f"{word.group(0)} outside weft/base"
        condition = CONDITIONAL.match(line)
        if condition and PLATFORM.search(condition.group(2)):
            yield number, "a platform conditional outside weft/base"


def check_tree(root):
    """All complaints about the tree, as text."""
    with open(os.path.join(root, "CMakeLists.txt"), encoding="utf-8") as file:
        layers = read_layers(file.read())
    found = [] if layers else ["CMakeLists.txt: no weft_layer() found"]
    known = set()
    for layer in layers.values():
        for used in layer.uses:
            if used not in known:
                found.append(f"CMakeLists.txt: {layer.name} uses {used}, not declared above it")
        for door in layer.doors:
            if not os.path.exists(os.path.join(root, "weft", layer.name, door)):
                found.append(f"CMakeLists.txt: {layer.name} has no {door}")
        known.add(layer.name)
    for top in ("weft", "examples", "tools"):
        for folder, _, files in os.walk(os.path.join(root, top)):
            for file in sorted(files):
                if not file.endswith((".cpp", ".hpp", ".S")):
                    continue
                path = os.path.join(folder, file)
                name = os.path.relpath(path, root)
                parts = name.split(os.sep)
                if top == "weft" and len(parts) == 2:
                    continue  # the umbrella
                layer = layers.get(parts[1]) if top == "weft" else None
                if top == "weft" and layer is None:
                    found.append(f"{name}: no weft_layer() declares {parts[1]}")
                    continue
                with open(path, encoding="utf-8") as source:
                    text = source.read()
                found += [f"{name}:{line}: {why}"
                          for line, why in check_file(layers, layer, name, text)]
    return found


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(
        os.path.abspath(__file__)))
    found = check_tree(root)
    for complaint in found:
        print(complaint)
    print(f"layer check: {len(found)} complaints")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
