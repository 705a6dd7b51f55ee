// SPDX-License-Identifier: Apache-2.0
// The reader of responses.
#include "response.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace load {

namespace {

// A head that is longer than this is no head.
inline constexpr size_t head_bytes_max = 64 * 1024;
// A line with a chunk's size and extensions, or a trailer.
inline constexpr size_t line_bytes_max = 8 * 1024;

bool same_word(std::string_view a, std::string_view lower) noexcept {
  if (a.size() != lower.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    const char c = a[i] >= 'A' && a[i] <= 'Z' ? static_cast<char>(a[i] | 0x20) : a[i];
    if (c != lower[i]) return false;
  }
  return true;
}

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r'))
    text.remove_suffix(1);
  return text;
}

bool whole_number(std::string_view text, int base, uint64_t& out) noexcept {
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return bad == std::errc{} && end == text.data() + text.size() && !text.empty();
}

}  // namespace

void response_reader::begin(bool head) noexcept {
  state_ = state::head;
  head_only_ = head;
  interim_ = false;
}

response_reader::verdict response_reader::refuse(const char* why) noexcept {
  complaint_ = why;
  keep_alive_ = false;
  return verdict::bad;
}

bool response_reader::parse_header(std::string_view line) {
  switch (line.front()) {  // most headers are none of ours
    case 'C':
    case 'c':
    case 'T':
    case 't':
      break;
    default:
      return true;
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return true;
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (same_word(name, "content-length")) {
    uint64_t length = 0;
    if (!whole_number(value, 10, length) || (sized_ && length != left_)) {
      complaint_ = "a Content-Length that is no number, or two that differ";
      return false;
    }
    sized_ = true;
    left_ = length;
  } else if (same_word(name, "transfer-encoding")) {
    chunked_ = same_word(value, "chunked");
    if (!chunked_) {
      complaint_ = "a Transfer-Encoding other than chunked";
      return false;
    }
  } else if (same_word(name, "connection")) {
    if (same_word(value, "close")) keep_alive_ = false;
    if (same_word(value, "keep-alive")) keep_alive_ = true;
  }
  return true;
}

bool response_reader::parse_head(std::string_view head) {
  // HTTP/1.x NNN
  if (head.size() < 12 || !head.starts_with("HTTP/1.") || head[8] != ' ') {
    complaint_ = "the answer is not HTTP/1";
    return false;
  }
  const unsigned hundreds = static_cast<unsigned>(head[9] - '0');
  const unsigned tens = static_cast<unsigned>(head[10] - '0');
  const unsigned ones = static_cast<unsigned>(head[11] - '0');
  if (hundreds < 1 || hundreds > 9 || tens > 9 || ones > 9) {
    complaint_ = "the status is no number";
    return false;
  }
  status_ = static_cast<int>(hundreds * 100 + tens * 10 + ones);
  keep_alive_ = head[7] != '0';
  chunked_ = sized_ = false;
  left_ = 0;
  size_t at = head.find('\n') + 1;
  while (at < head.size()) {
    const size_t end = std::min(head.find('\n', at), head.size());
    if (end > at && head[at] != '\r' && !parse_header(head.substr(at, end - at))) return false;
    at = end + 1;
  }
  return true;
}

response_reader::verdict response_reader::feed_chunked(std::string_view data, size_t& used) {
  if (state_ == state::chunk) {
    const auto take = static_cast<size_t>(std::min<uint64_t>(left_, data.size()));
    left_ -= take;
    used = take;
    if (left_ == 0) state_ = state::chunk_end;
    return verdict::more;
  }
  const size_t newline = data.find('\n');
  if (newline == std::string_view::npos)
    return data.size() > line_bytes_max ? refuse("a line of a chunked body without an end")
                                        : verdict::more;
  const std::string_view line = trimmed(data.substr(0, newline));
  used = newline + 1;
  if (state_ == state::chunk_end) {
    if (!line.empty()) return refuse("a chunk is longer than it says");
    state_ = state::chunk_size;
  } else if (state_ == state::chunk_size) {
    if (!whole_number(trimmed(line.substr(0, line.find(';'))), 16, left_))
      return refuse("a chunk's size is no number");
    state_ = left_ == 0 ? state::trailer : state::chunk;
  } else if (line.empty()) {
    return verdict::done;
  }
  return verdict::more;
}

response_reader::verdict response_reader::feed(std::string_view data, size_t& used) {
  used = 0;
  while (used < data.size() || (state_ == state::sized && left_ == 0)) {
    const std::string_view rest = data.substr(used);
    size_t took = 0;
    switch (state_) {
      case state::head: {
        const void* end = ::memmem(rest.data(), rest.size(), "\r\n\r\n", 4);
        if (end == nullptr)
          return rest.size() > head_bytes_max ? refuse("a head of more than 64 KiB")
                                              : verdict::more;
        const size_t bytes = static_cast<size_t>(static_cast<const char*>(end) - rest.data()) + 4;
        if (!parse_head(rest.substr(0, bytes))) return refuse(complaint_);
        used += bytes;
        if (status_ < 200 && status_ != 101) {
          interim_ = true;
          continue;
        }
        if (head_only_ || status_ == 101 || status_ == 204 || status_ == 304) return verdict::done;
        state_ = chunked_ ? state::chunk_size : sized_ ? state::sized : state::until_end;
        if (state_ == state::until_end) keep_alive_ = false;
        continue;
      }
      case state::sized: {
        const auto take = static_cast<size_t>(std::min<uint64_t>(left_, rest.size()));
        left_ -= take;
        used += take;
        if (left_ == 0) return verdict::done;
        continue;
      }
      case state::until_end:
        used = data.size();
        return verdict::more;
      default: {
        const verdict got = feed_chunked(rest, took);
        used += took;
        if (got != verdict::more || took == 0) return got;
      }
    }
  }
  return verdict::more;
}

response_reader::verdict response_reader::end() noexcept {
  return state_ == state::until_end ? verdict::done : verdict::bad;
}

}  // namespace load
