// SPDX-License-Identifier: Apache-2.0
// The code of this process: which file lies where, and its build id.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace weft::rt {

struct code_mapping {
  uintptr_t start = 0;
  uintptr_t end = 0;
  uint64_t file_offset = 0;
  std::string file;
  std::string build_id;  // hexadecimal; empty: it has none
};

/// Executable mappings of files, the program's first, then by address, and `[vdso]`. From
/// /proc/self/maps.
[[nodiscard]] std::vector<code_mapping> code_mappings();

}  // namespace weft::rt
