// SPDX-License-Identifier: Apache-2.0
#include "weft/http/internal/h1_body.hpp"

#include <algorithm>
#include <limits>

#include "weft/base/byte_scan.hpp"
#include "weft/base/panic.hpp"

namespace weft::rt::h1 {

namespace {

/// -1 if it is none.
int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  const char low = static_cast<char>(c | 0x20);
  return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

}  // namespace

bool body_decoder::refuse(const char* text) noexcept {
  why_ = {400, text};
  state_ = state::failed;
  return false;
}

bool body_decoder::add_digit(char c) noexcept {
  // Sixteen digits fill 64 bits; the sign bit stays free, for those who count in signed numbers.
  constexpr int digits_max = 16;
  const int digit = hex_value(c);
  if (digit < 0) return refuse("malformed chunk size");
  if (++digits_ > digits_max || left_ > std::numeric_limits<int64_t>::max() / 16)
    return refuse("chunk size too large");
  left_ = left_ * 16 + static_cast<uint64_t>(digit);
  state_ = state::digits;
  return true;
}

bool body_decoder::extension_byte(char c) noexcept {
  if (c == '\r') {
    state_ = state::size_lf;
    return true;
  }
  if (c != '\t' && (scan::classes[static_cast<uint8_t>(c)] & scan::in_text) == 0)
    return refuse(c == '\n' ? "line feed without carriage return in a chunk's head"
                            : "control character in a chunk extension");
  if (++extension_ > limits_.extension_bytes_max)
    return refuse("chunk extension too long (limit: extension_bytes_max)");
  if (++extensions_ > passed_ + limits_.extension_bytes_excess_max)
    return refuse("too many chunk extensions (limit: extension_bytes_excess_max)");
  return true;
}

bool body_decoder::frame_byte(char c) noexcept {
  switch (state_) {
    case state::size:
      left_ = 0;
      digits_ = 0;
      extension_ = 0;
      return add_digit(c);
    case state::digits:
      if (c == '\r') {
        state_ = state::size_lf;
        return true;
      }
      if (c == ';') {
        state_ = state::extension;
        return true;
      }
      if (c == '\n') return refuse("line feed without carriage return in a chunk's head");
      return add_digit(c);
    case state::extension:
      return extension_byte(c);
    case state::size_lf:
      if (c != '\n') return refuse("carriage return without line feed in a chunk's head");
      state_ = left_ == 0 ? state::trailers : state::chunk;
      return true;
    case state::chunk_cr:
      if (c != '\r') return refuse("chunk is not followed by CR LF");
      state_ = state::chunk_lf;
      return true;
    case state::chunk_lf:
      if (c != '\n') return refuse("chunk is not followed by CR LF");
      state_ = state::size;
      return true;
    default:
      return refuse("byte after the end of a body");
  }
}

body_decoder::step body_decoder::next(const char* data, size_t bytes) noexcept {
  size_t at = 0;
  for (;;) {
    switch (state_) {
      case state::done:
        return {body_event::done, at, at, 0};
      case state::trailers:
        return {body_event::trailers, at, at, 0};
      case state::failed:
        return {body_event::error, at, at, 0};
      case state::length:
      case state::until_close:
      case state::chunk: {
        if (at == bytes) return {body_event::need_more, at, at, 0};
        const auto piece = static_cast<size_t>(std::min<uint64_t>(direct_bytes(), bytes - at));
        skip(piece);
        return {body_event::data, at + piece, at, piece};
      }
      default:
        if (at == bytes) return {body_event::need_more, at, at, 0};
        if (!frame_byte(data[at])) return {body_event::error, at, at, 0};
        ++at;
    }
  }
}

uint64_t body_decoder::direct_bytes() const noexcept {
  if (state_ == state::until_close) return std::numeric_limits<uint64_t>::max();
  return state_ == state::length || state_ == state::chunk ? left_ : 0;
}

void body_decoder::skip(uint64_t bytes) noexcept {
  passed_ += bytes;
  if (state_ == state::until_close || bytes == 0) return;
  WEFT_ASSERT(bytes <= direct_bytes());
  left_ -= bytes;
  if (left_ != 0) return;
  state_ = state_ == state::length ? state::done : state::chunk_cr;
}

bool body_decoder::end_of_stream() noexcept {
  if (state_ == state::until_close) state_ = state::done;
  return state_ == state::done;
}

bool allowed_in_trailers(std::string_view name, header_id id) noexcept {
  switch (id) {
    case header_id::content_length:
    case header_id::transfer_encoding:
    case header_id::host:
    case header_id::connection:
    case header_id::expect:
    case header_id::upgrade:
    case header_id::te:
    case header_id::trailer:
    case header_id::keep_alive:
    case header_id::proxy_connection:
    case header_id::content_encoding:
    case header_id::content_type:
    case header_id::content_range:
    case header_id::range:
    case header_id::if_match:
    case header_id::if_none_match:
    case header_id::if_modified_since:
    case header_id::if_unmodified_since:
    case header_id::if_range:
    case header_id::cache_control:
    case header_id::age:
    case header_id::expires:
    case header_id::date:
    case header_id::vary:
    case header_id::location:
    case header_id::retry_after:
    case header_id::max_forwards:
    case header_id::pragma:
    case header_id::authorization:
    case header_id::proxy_authorization:
    case header_id::proxy_authenticate:
    case header_id::www_authenticate:
    case header_id::cookie:
    case header_id::set_cookie:
    case header_id::forwarded:
    case header_id::x_forwarded_for:
    case header_id::x_forwarded_host:
    case header_id::x_forwarded_proto:
      return false;
    case header_id::other:
      // Go has its list of what is bad in a trailer; `Warning` is the one without a number here.
      return !same_but_case(name, "warning");
    default:
      return true;
  }
}

bool check_trailers(const head& of, refusal& why) noexcept {
  for (const field& f : of) {
    if (allowed_in_trailers(of.name(f), f.id)) continue;
    why = {400, "field not allowed in trailers"};
    return false;
  }
  return true;
}

chunk_head make_chunk_head(uint64_t size) noexcept {
  WEFT_ASSERT(size != 0);
  constexpr std::string_view digits = "0123456789abcdef";
  chunk_head out;
  int shift = 60;
  while ((size >> shift) == 0) shift -= 4;
  for (; shift >= 0; shift -= 4) out.text[out.bytes++] = digits[(size >> shift) & 15];
  out.text[out.bytes++] = '\r';
  out.text[out.bytes++] = '\n';
  return out;
}

}  // namespace weft::rt::h1
