// SPDX-License-Identifier: Apache-2.0
// buffered_reader and buffered_writer.
#include "weft/net/buffered.hpp"

#include <algorithm>
#include <cstring>

namespace weft::net {

buffered_reader::buffered_reader(conn from, size_t buffer_bytes)
    : from_(std::move(from)), buffer_(std::max<size_t>(buffer_bytes, 16), '\0') {}

/// Reads more behind what there is. 0: end.
result<size_t> buffered_reader::fill() {
  if (begin_ == end_) begin_ = end_ = 0;
  if (end_ == buffer_.size() && begin_ != 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == buffer_.size()) buffer_.resize(2 * buffer_.size());
  result<size_t> got = from_.read(std::span<char>(buffer_.data() + end_, buffer_.size() - end_));
  if (got) end_ += *got;
  return got;
}

result<size_t> buffered_reader::read(std::span<char> to) {
  if (to.empty()) return size_t{0};
  if (begin_ == end_) {
    if (to.size() >= buffer_.size()) return from_.read(to);  // no copy for large reads
    const result<size_t> got = fill();
    if (!got || *got == 0) return got;
  }
  const size_t count = std::min(to.size(), end_ - begin_);
  std::memcpy(to.data(), buffer_.data() + begin_, count);
  begin_ += count;
  return count;
}

result<size_t> buffered_reader::read_full(std::span<char> to) {
  size_t done = 0;
  while (done < to.size()) {
    const result<size_t> got = read(to.subspan(done));
    if (!got) return got;
    if (*got == 0) {
      if (done == 0) return size_t{0};
      return fail(unexpected_eof);
    }
    done += *got;
  }
  return done;
}

result<std::string_view> buffered_reader::read_until(char delimiter, size_t limit_bytes) {
  size_t seen = 0;
  for (;;) {
    const size_t have = end_ - begin_;
    const void* found =
        have > seen ? std::memchr(buffer_.data() + begin_ + seen, delimiter, have - seen) : nullptr;
    if (found != nullptr) {
      const size_t length =
          static_cast<size_t>(static_cast<const char*>(found) - (buffer_.data() + begin_)) + 1;
      const std::string_view out(buffer_.data() + begin_, length);
      begin_ += length;
      return out;
    }
    if (have >= limit_bytes)
      return fail(error("line too long: more than " + std::to_string(limit_bytes) + " bytes"));
    seen = have;
    const result<size_t> got = fill();
    if (!got) return fail(got.error());
    if (*got == 0) return fail(unexpected_eof);
  }
}

buffered_writer::buffered_writer(conn to, size_t buffer_bytes)
    : to_(std::move(to)), limit_(std::max<size_t>(buffer_bytes, 16)) {
  buffer_.reserve(limit_);
}

result<size_t> buffered_writer::write(std::string_view from) {
  if (buffer_.size() + from.size() > limit_) {
    if (result<void> flushed = flush(); !flushed) return fail(flushed.error());
    if (from.size() >= limit_) return to_.write(from);
  }
  buffer_.append(from);
  return from.size();
}

result<void> buffered_writer::flush() {
  if (buffer_.empty()) return {};
  result<size_t> put = to_.write(buffer_);
  buffer_.clear();
  if (!put) return fail(put.error());
  return {};
}

}  // namespace weft::net
