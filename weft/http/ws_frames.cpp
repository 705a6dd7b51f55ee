// SPDX-License-Identifier: Apache-2.0
// The frames' rules.
#include "weft/http/internal/ws_frames.hpp"

#include <algorithm>
#include <cstring>

#include "weft/http/internal/ws_deflate.hpp"

namespace weft::rt {

namespace {

inline constexpr int protocol_error = 1002;
inline constexpr int bad_content = 1007;
inline constexpr int too_big = 1009;
inline constexpr int no_code = 1005;
inline constexpr size_t control_bytes_max = 125;

bool is_control(ws_opcode o) noexcept { return (static_cast<unsigned>(o) & 8U) != 0; }

}  // namespace

void ws_mask(char* text, size_t bytes, const std::array<char, 4>& mask, uint64_t offset) noexcept {
  size_t i = 0;
  std::array<char, 8> wide{};
  for (size_t k = 0; k < wide.size(); ++k) wide[k] = mask[(offset + k) % 4];
  uint64_t key = 0;
  std::memcpy(&key, wide.data(), sizeof key);
  for (; i + sizeof key <= bytes; i += sizeof key) {
    uint64_t word = 0;
    std::memcpy(&word, text + i, sizeof word);
    word ^= key;
    std::memcpy(text + i, &word, sizeof word);
  }
  for (; i < bytes; ++i) text[i] = static_cast<char>(text[i] ^ wide[i % 4]);
}

void ws_append_head(std::string& to, ws_opcode opcode, bool fin, bool compressed, uint64_t length,
                    const std::array<char, 4>* mask) {
  to += static_cast<char>((fin ? 0x80U : 0U) | (compressed ? 0x40U : 0U) |
                          static_cast<unsigned>(opcode));
  const unsigned masked = mask != nullptr ? 0x80U : 0U;
  int length_bytes = 0;
  if (length <= control_bytes_max) {
    to += static_cast<char>(masked | static_cast<unsigned>(length));
  } else {
    length_bytes = length <= UINT16_MAX ? 2 : 8;
    to += static_cast<char>(masked | (length_bytes == 2 ? 126U : 127U));
  }
  while (length_bytes-- > 0) to += static_cast<char>((length >> (8 * length_bytes)) & 0xFF);
  if (mask != nullptr) to.append(mask->data(), mask->size());
}

bool ws_close_code_good(int code) noexcept {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

ws_receiver::event ws_receiver::fail(int code, const char* why) noexcept {
  code_ = code;
  why_ = why;
  failed_ = true;
  return event::error;
}

bool ws_receiver::check_head(uint8_t first, uint8_t second, uint64_t length,
                             unsigned length_bytes) {
  const bool control = is_control(frame_);
  const auto refuse = [this](int code, const char* why) {
    (void)fail(code, why);
    return false;
  };
  const bool rsv1 = (first & 0x40) != 0;
  if ((first & 0x30) != 0) return refuse(protocol_error, "a reserved bit is set");
  if (rsv1 && (!rules_.deflate || control || frame_ == ws_opcode::continuation))
    return refuse(protocol_error, "a compressed frame where none may be");
  const unsigned number = first & 0xFU;
  if (number > 10 || (number > 2 && number < 8))
    return refuse(protocol_error, "an unknown kind of frame");
  if (((second & 0x80) != 0) != rules_.server)
    return refuse(protocol_error,
                  rules_.server ? "a frame without a mask" : "a masked frame from a server");
  if ((length_bytes == 2 && length < 126) || (length_bytes == 8 && length <= UINT16_MAX) ||
      length > uint64_t{INT64_MAX})
    return refuse(protocol_error, "a length that is not written in its shortest form");
  if (control) {
    if (!fin_) return refuse(protocol_error, "a control frame in fragments");
    if (length > control_bytes_max) return refuse(protocol_error, "a control frame of over 125");
    return true;
  }
  if (frame_ == ws_opcode::continuation && !in_message_)
    return refuse(protocol_error, "a continuation of nothing");
  if (frame_ != ws_opcode::continuation && in_message_)
    return refuse(protocol_error, "a message begins within another one");
  const uint64_t have = in_message_ ? message_.size() : 0;
  if (length > rules_.message_bytes_max - have) return refuse(too_big, "the message is too large");
  if (!in_message_) {
    message_.clear();
    utf8_.reset();
    frames_ = 0;
    opcode_ = frame_;
    compressed_ = rsv1;
    in_message_ = true;
  }
  if (++frames_ > rules_.frames_max) return refuse(too_big, "the message has too many frames");
  return true;
}

bool ws_receiver::read_head(const char* data, size_t bytes, size_t& used) {
  if (bytes < 2) return false;
  const auto first = static_cast<uint8_t>(data[0]);
  const auto second = static_cast<uint8_t>(data[1]);
  const unsigned short_length = second & 0x7FU;
  const unsigned length_bytes = short_length == 126 ? 2 : short_length == 127 ? 8 : 0;
  masked_ = (second & 0x80) != 0;
  const size_t head_bytes = 2 + length_bytes + (masked_ ? 4 : 0);
  if (bytes < head_bytes) return false;
  uint64_t length = length_bytes == 0 ? short_length : 0;
  for (unsigned i = 0; i < length_bytes; ++i)
    length = (length << 8) | static_cast<uint8_t>(data[2 + i]);
  frame_ = static_cast<ws_opcode>(first & 0xFU);
  fin_ = (first & 0x80) != 0;
  if (masked_) std::memcpy(mask_.data(), data + 2 + length_bytes, mask_.size());
  if (!check_head(first, second, length, length_bytes)) return false;
  length_ = length;
  seen_ = 0;
  in_frame_ = true;
  if (is_control(frame_)) control_.clear();
  used += head_bytes;
  return true;
}

bool ws_receiver::take_data(std::string_view piece) {
  if (is_control(frame_)) {
    control_.append(piece);
    return true;
  }
  message_.append(piece);
  if (opcode_ != ws_opcode::text || compressed_ || utf8_.feed(piece)) return true;
  (void)fail(bad_content, "a text that is no UTF-8");
  return false;
}

ws_receiver::event ws_receiver::read_close() {
  code_ = no_code;
  if (control_.empty()) return event::close;
  if (control_.size() == 1) return fail(protocol_error, "a close frame with half a code");
  code_ = static_cast<uint8_t>(control_[0]) * 256 + static_cast<uint8_t>(control_[1]);
  if (!ws_close_code_good(code_)) return fail(protocol_error, "a close code that nobody may send");
  control_.erase(0, 2);
  utf8_checker reason;
  if (!reason.feed(control_) || !reason.whole())
    return fail(bad_content, "a close reason that is no UTF-8");
  return event::close;
}

ws_receiver::event ws_receiver::end_of_message() {
  in_message_ = false;
  if (compressed_) {
    std::string plain;
    switch (ws_inflate(message_, rules_.message_bytes_max, plain)) {
      case ws_inflate_result::good:
        break;
      case ws_inflate_result::too_large:
        return fail(too_big, "the message is too large");
      case ws_inflate_result::bad:
        return fail(bad_content, "a message that cannot be decompressed");
    }
    message_ = std::move(plain);
    if (opcode_ == ws_opcode::text && !utf8_.feed(message_))
      return fail(bad_content, "a text that is no UTF-8");
  }
  if (opcode_ == ws_opcode::text && !utf8_.whole())
    return fail(bad_content, "a text that is no UTF-8");
  return event::message;
}

ws_receiver::event ws_receiver::end_of_frame() {
  in_frame_ = false;
  switch (frame_) {
    case ws_opcode::ping:
      return event::ping;
    case ws_opcode::pong:
      return event::pong;
    case ws_opcode::close:
      return read_close();
    default:
      return fin_ ? end_of_message() : event::need_more;
  }
}

ws_receiver::event ws_receiver::next(char* data, size_t bytes, size_t& used) {
  used = 0;
  if (failed_) return event::error;
  for (;;) {
    if (!in_frame_) {
      if (!read_head(data + used, bytes - used, used))
        return failed_ ? event::error : event::need_more;
    }
    const auto count = static_cast<size_t>(std::min<uint64_t>(length_ - seen_, bytes - used));
    if (count > 0) {
      char* const piece = data + used;
      if (masked_) ws_mask(piece, count, mask_, seen_);
      seen_ += count;
      used += count;
      if (!take_data({piece, count})) return event::error;
    }
    if (seen_ < length_) return event::need_more;
    if (const event made = end_of_frame(); made != event::need_more) return made;
  }
}

}  // namespace weft::rt
