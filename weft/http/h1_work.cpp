// SPDX-License-Identifier: Apache-2.0
// Buffers of busy connections.
#include "weft/http/internal/h1_work.hpp"

#include <cstring>

namespace weft::rt {

char* read_buffer::room(size_t& bytes) {
  if (end_ == capacity_ && begin_ > 0) {
    std::memmove(memory_.get(), memory_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == capacity_) {
    const size_t larger = capacity_ == 0 ? first_bytes : 2 * capacity_;
    auto made = std::make_unique_for_overwrite<char[]>(larger);
    if (end_ > 0) std::memcpy(made.get(), memory_.get(), end_);
    memory_ = std::move(made);
    capacity_ = larger;
  }
  bytes = capacity_ - end_;
  return memory_.get() + end_;
}

void read_buffer::trim() noexcept {
  clear();
  if (capacity_ <= kept_bytes) return;
  memory_.reset();
  capacity_ = 0;
}

void h1_work::trim() noexcept {
  constexpr size_t kept_bytes = size_t{16} << 10;
  in.trim();
  request.reset();
  headers.clear();
  trailers.clear();
  out.clear();
  content.clear();
  if (out.capacity() > kept_bytes) std::string().swap(out);
  if (content.capacity() > kept_bytes) std::string().swap(content);
}

}  // namespace weft::rt
