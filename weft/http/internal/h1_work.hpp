// SPDX-License-Identifier: Apache-2.0
// The memory that a busy HTTP/1 connection needs: buffers, the parsed head, the request. Taken from
// a pool when bytes arrive, given back when the connection waits for the next request.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "weft/http/header.hpp"
#include "weft/http/internal/h1_head.hpp"
#include "weft/http/internal/http_date.hpp"
#include "weft/http/request.hpp"

namespace weft::rt {

/// Bytes that were read and not used yet: [begin, end).
class read_buffer {
 public:
  [[nodiscard]] const char* data() const noexcept { return memory_.get() + begin_; }
  [[nodiscard]] size_t size() const noexcept { return end_ - begin_; }
  [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }
  [[nodiscard]] std::string_view view() const noexcept { return {data(), size()}; }
  void consume(size_t bytes) noexcept {
    begin_ += bytes;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  /// Room for at least one byte behind what is there; moves it.
  [[nodiscard]] char* room(size_t& bytes);
  void filled(size_t bytes) noexcept { end_ += bytes; }
  void clear() noexcept { begin_ = end_ = 0; }
  /// Larger ones are given up when the memory goes back to the pool.
  void trim() noexcept;

 private:
  static constexpr size_t first_bytes = 4096;
  static constexpr size_t kept_bytes = size_t{16} << 10;
  std::unique_ptr<char[]> memory_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
};

struct h1_work {
  read_buffer in;
  h1::head head;
  http::request request;

  // The answer.
  http::header headers;
  http::header trailers;
  /// The head as it goes out.
  std::string out;
  /// Content that was collected.
  std::string content;

  /// This second's Date.
  int64_t date_second = -1;
  http_date date{};

  /// For the next connection.
  void trim() noexcept;
};

}  // namespace weft::rt
