#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What can be said of the packages without building them: the recipes for vcpkg, Conan and Debian
are well-formed, and name the version and the files that there are.

Usage: recipes.py [ROOT]
"""
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
# vcpkg's manifest format, as far as a port like this uses it.
VCPKG_KEYS = {"name": str, "version": str, "description": str, "license": str, "supports": str,
              "dependencies": list}
VCPKG_NAME = re.compile(r"^[a-z0-9]+(-[a-z0-9]+)*$")


def read(root, name):
    with open(os.path.join(root, name), encoding="utf-8") as file:
        return file.read()


def check_vcpkg(root, version):
    manifest = json.loads(read(root, "packaging/vcpkg/vcpkg.json"))
    for key, value in manifest.items():
        if not isinstance(value, VCPKG_KEYS.get(key, ())):
            yield f"vcpkg.json: {key}: unknown, or of the wrong type"
    for key in ("name", "version", "license"):
        if key not in manifest:
            yield f"vcpkg.json: no {key}"
    if not VCPKG_NAME.match(manifest.get("name", "")):
        yield "vcpkg.json: bad name"
    if manifest.get("version") != version:
        yield f"vcpkg.json: version {manifest.get('version')}, but the project is {version}"
    for dependency in manifest.get("dependencies", []):
        if not VCPKG_NAME.match(dependency["name"]) or set(dependency) - {"name", "host"}:
            yield f"vcpkg.json: bad dependency {dependency}"
    if "weft::weft" not in read(root, "packaging/vcpkg/usage"):
        yield "vcpkg: usage does not name the target"


def check_conan(root, version):
    for name in ("packaging/conan/conanfile.py", "packaging/conan/test_package/conanfile.py"):
        compile(read(root, name), name, "exec")
    recipe = read(root, "packaging/conan/conanfile.py")
    if f'version = "{version}"' not in recipe:
        yield f"conanfile.py: not version {version}"
    for pattern in re.search(r"for pattern in \(([^)]*)\)", recipe).group(1).split(","):
        path = pattern.strip().strip('"').removesuffix("/*")
        if not os.path.exists(os.path.join(root, path)):
            yield f"conanfile.py: {path}: no such file"


def check_debian(root, version):
    newest = read(root, "packaging/debian/changelog").split("\n")[0]
    if not newest.startswith(f"weft ({version}) "):
        yield f"debian/changelog: \"{newest}\" is not about version {version}"


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "..", "..")
    version = re.search(r"project\(weft VERSION (\S+)", read(root, "CMakeLists.txt")).group(1)
    complaints = [complaint for check in (check_vcpkg, check_conan, check_debian)
                  for complaint in check(root, version)]
    for complaint in complaints:
        print(complaint)
    print(f"recipes: {len(complaints)} complaints")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
