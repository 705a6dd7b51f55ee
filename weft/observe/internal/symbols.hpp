// SPDX-License-Identifier: Apache-2.0
// Names of the addresses of one profile, each looked up once.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace weft::rt {

struct symbol_line {
  std::string function;  // readable, without `()`; empty: unknown
  std::string linkage;   // as the linker knows it
  std::string file;
  int line = 0;
  /// Inlined into the next one.
  bool inlined = false;
};
/// What lies at an address: the innermost inlined call first, the physical function last.
struct symbol {
  std::vector<symbol_line> lines;
  uintptr_t offset = 0;  // from the physical function's first byte
};

/// Whether a call is a part of Weft's way to a goroutine's own first function, which users need not
/// know.
[[nodiscard]] bool is_goroutine_entry(const symbol_line& line) noexcept;
/// Whether it is a part of the runtime, which Go's text profiles hide above users' frames.
[[nodiscard]] bool is_runtime_line(const symbol_line& line) noexcept;

class symbol_table {
 public:
  /// Looks up addresses inside of instructions (return addresses minus 1). All at once on a stack
  /// that is large enough; what is known already costs nothing.
  void look_up(std::span<const uintptr_t> addresses);
  /// Of an address that was looked up.
  [[nodiscard]] const symbol& at(uintptr_t address) const { return known_.at(address); }

 private:
  std::unordered_map<uintptr_t, symbol> known_;
};

}  // namespace weft::rt
