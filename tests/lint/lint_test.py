#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The checks check: each rule finds a violation planted in a small tree, and accepts the tree."""
import os
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "scripts"))

import docs_check  # noqa: E402
import layer_check  # noqa: E402
import tidy  # noqa: E402

HEAD = "// SPDX-License-Identifier: Apache-2.0\n// A file of the planted tree.\n"
HEADER = HEAD + "#pragma once\n"
CLEAN = {
    "CMakeLists.txt": "# SPDX-License-Identifier: Apache-2.0\n# The planted tree's layers.\n"
                      "weft_layer(low DOORS internal/door.hpp)\n"
                      "weft_layer(base)\nweft_layer(high USES low\n  base)\n",
    "weft/low/low.hpp": HEADER,
    "weft/low/low.cpp": HEAD + '#include "weft/low/low.hpp"\n',
    "weft/low/internal/door.hpp": HEADER,
    "weft/low/internal/shut.hpp": HEADER,
    "weft/base/atomic.hpp": HEADER + "#include <atomic>\nstd::atomic<int> word;\n",
    "weft/high/high.hpp": HEADER + '#include "weft/low/internal/door.hpp"\n',
    "weft/high/high.cpp": HEAD + '#include "weft/high/high.hpp"\n'
                          '// std::mutex and volatile in a comment\n'
                          'int n = 1\'000; char q = \'"\';\n',
    "weft/high/high_test.cpp": HEAD + "std::thread t;\n",
    "examples/one/main.cpp": HEAD + '#include "weft/high/high.hpp"\n',
    "docs/guide.md": "# Guide\n[high](../weft/high/high.hpp) and [part](#a-part)\n\n## A part\n\n"
                     "<!-- from: weft/low/low.cpp -->\n"
                     "```cpp\n#include \"weft/low/low.hpp\"\n```\n",
}


class PlantedTree(unittest.TestCase):
    def complaints(self, check, changes):
        with tempfile.TemporaryDirectory() as root:
            for name, text in {**CLEAN, **changes}.items():
                path = os.path.join(root, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
            return check(root)

    def layers(self, changes):
        return self.complaints(layer_check.check_tree, changes)

    def tidy(self, changes):
        return self.complaints(lambda root: tidy.check_tree(root)[0], changes)

    def docs(self, changes):
        return self.complaints(docs_check.check_tree, changes)

    def one(self, found, *parts):
        self.assertEqual(len(found), 1, found)
        for part in parts:
            self.assertIn(part, found[0])

    def test_clean_tree_is_accepted(self):
        self.assertEqual(self.layers({}), [])
        self.assertEqual(self.tidy({}), [])
        self.assertEqual(self.docs({}), [])

    def test_include_upward(self):
        self.one(self.layers({"weft/low/low.hpp": HEADER + '#include "weft/high/high.hpp"\n'}),
                 "weft/low/low.hpp:4", "low does not use high")

    def test_internal_header_that_is_no_door(self):
        text = HEADER + '#include "weft/low/internal/shut.hpp"\n'
        self.one(self.layers({"weft/high/a.hpp": text}),
                 "weft/high/a.hpp:4", "not a door")

    def test_umbrella_inside_a_layer(self):
        self.one(self.layers({"weft/high/a.hpp": HEADER + "#include <weft/weft.hpp>\n"}),
                 "umbrella")

    def test_internal_header_in_an_example(self):
        self.one(self.layers({"examples/one/main.cpp":
                              HEAD + '#include "weft/low/internal/door.hpp"\n'}), "public")

    def test_use_of_a_layer_declared_later(self):
        self.one(self.layers({"CMakeLists.txt":
                              CLEAN["CMakeLists.txt"].replace("(low ", "(low USES high ")}),
                 "low uses high")

    def test_folder_without_a_layer(self):
        self.one(self.layers({"weft/stray/a.hpp": HEADER}), "no weft_layer() declares stray")

    def test_forbidden_words(self):
        for word in ("std::atomic<int> a;", "std::mutex m;", "thread_local int t;",
                     "int volatile v;", "std::thread t;", "std::atomic_thread_fence(x);"):
            self.one(self.layers({"weft/high/a.cpp": HEAD + word + "\n"}), "outside weft/base")

    def test_platform_conditional(self):
        self.one(self.layers({"weft/high/a.cpp": HEAD + "#ifdef __linux__\n#endif\n"}), "platform")

    def test_tidy_rules(self):
        planted = {
            "license": "// A file without its license.\nint a;\n",
            "subject": "// SPDX-License-Identifier: Apache-2.0\nint a;\n",
            "long-file": HEAD + "int a;\n" * 999,
            "long-line": HEAD + "int " + "a" * 97 + ";\n",
            "blanks": HEAD + "\tint a;\n",
            "own-first": HEAD + '#include <vector>\n#include "weft/high/x.hpp"\n',
            "full-path": HEAD + '#include "weft/high/x.hpp"\n#include "y.hpp"\n',
            "promise": HEAD + "// TODO: later\n",
            "words": HEAD + "auto a = NULL;\n",
        }
        for rule, text in planted.items():
            found = self.tidy({"weft/high/x.hpp": HEADER, "weft/high/x.cpp": text})
            self.one(found, "weft/high/x.cpp", rule)

    def test_tidy_accepts_a_promise_with_an_issue(self):
        self.assertEqual(self.tidy({"weft/high/x.cpp": HEAD + "// TODO(perf): batch, #12\n"}), [])

    def test_tidy_header_guard(self):
        self.one(self.tidy({"weft/high/x.hpp": HEAD + "#ifndef X\n#endif\n"}), "once")

    def test_tidy_sleep(self):
        self.one(self.tidy({"weft/high/x_test.cpp": HEAD + "\nvoid f() { usleep(10); }\n"}),
                 "sleep")

    def test_tidy_umbrella(self):
        umbrella = HEADER + '#include "weft/sync/a.hpp"\n'
        self.one(self.tidy({"weft/weft.hpp": umbrella, "weft/sync/a.hpp": HEADER,
                            "weft/sync/b.hpp": HEADER}), "weft/sync/b.hpp is missing")

    def test_tidy_settings(self):
        table = (HEAD + '  {"WEFT_NEW", kind::number, 1, 2, "1", "1 or 2",\n'
                 '   "Does "\n   "it.", [](x')
        page = "| `WEFT_NEW` | 1 | 1 or 2 | Does that. |\n"
        row = "| `WEFT_NEW` | 1 | 1 or 2 | Does it. |"
        files = {"weft/base/settings.cpp": table + "\n", "docs/guide/settings.md": page}
        self.one(self.tidy(files), row)
        self.assertEqual(self.tidy({**files, "docs/guide/settings.md": row + "\n"}), [])

    def test_docs_rules(self):
        self.one(self.docs({"docs/a.md": "[x](missing.md)\n"}), "docs/a.md:1", "missing.md")
        self.one(self.docs({"docs/a.md": "[x](guide.md#nowhere)\n"}), "nowhere")
        self.one(self.docs({"docs/a.md": "<!-- from: weft/low/low.cpp -->\n```cpp\nint b;\n```\n"}),
                 "weft/low/low.cpp")

    def test_code_in_guides_is_cut_from_what_runs(self):
        self.one(self.docs({"docs/guide/a.md": "# A\n\n```cpp\nint a;\n```\n"}),
                 "docs/guide/a.md:3", "cut from what runs")
        self.one(self.docs({"README.md": "```cpp\nint a;\n```\n"}), "README.md:1")
        self.assertEqual(self.docs({"docs/guide/a.md": "```sh\nls\n```\n"}), [])

    def test_code_in_tables_is_cut_too(self):
        def table(cell):
            return ("<!-- from: weft/high/high.cpp -->\n| Go | Weft |\n| --- | --- |\n"
                    f"| `anything` | {cell} |\n")
        self.assertEqual(self.docs({"docs/a.md": table("`int n=1'000;` twice `char q`")}), [])
        self.one(self.docs({"docs/a.md": table("`int n = 2'000`")}), "docs/a.md:4", "2'000")
        self.assertEqual(self.docs({"docs/a.md": table("`x`").replace("Weft", "Java")}), [])


if __name__ == "__main__":
    unittest.main()
