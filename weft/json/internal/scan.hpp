// SPDX-License-Identifier: Apache-2.0
// The first pass over a text, by simdjson: where its tokens begin, with UTF-8, strings' ends and
// control characters checked. docs/adr/0022-json.md says why this much of simdjson and no more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace weft::rt::json_impl {

/// What the first pass needs, kept for the next text. Taken from a free list that any thread may
/// use, so a goroutine may migrate while it holds one.
struct scratch;

class scan {
 public:
  enum class outcome : uint8_t { good, bad, no_memory };

  scan() noexcept = default;
  scan(const scan&) = delete;
  scan& operator=(const scan&) = delete;
  ~scan();

  /// Finds the tokens of `text` (at most 4 GiB), which needs no bytes behind its end. `bad` does
  /// not say where: find_fault() in locate.hpp does.
  [[nodiscard]] outcome run(std::string_view text) noexcept;

  /// Offsets of brackets, colons, commas, and of the first byte of each string and scalar. Behind
  /// the last one stands the size of the text.
  [[nodiscard]] const uint32_t* begin() const noexcept { return begin_; }
  [[nodiscard]] const uint32_t* end() const noexcept { return begin_ + count_; }

 private:
  scratch* scratch_ = nullptr;
  const uint32_t* begin_ = nullptr;
  size_t count_ = 0;
};

}  // namespace weft::rt::json_impl
