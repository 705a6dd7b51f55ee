// SPDX-License-Identifier: Apache-2.0
// WebSocket frames (RFC 6455 5): heads, masks, and messages put together from them. No I/O.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "weft/http/internal/utf8.hpp"

namespace weft::rt {

enum class ws_opcode : uint8_t {
  continuation = 0,
  text = 1,
  binary = 2,
  close = 8,
  ping = 9,
  pong = 10
};

struct ws_rules {
  bool server = true;    // we are: what comes must be masked
  bool deflate = false;  // was agreed on
  size_t message_bytes_max = 0;
  /// Frames of one message: a sender of empty ones must come to an end.
  size_t frames_max = 65536;
};

/// XORs with the mask; `offset` is where in the frame the text begins.
void ws_mask(char* text, size_t bytes, const std::array<char, 4>& mask, uint64_t offset) noexcept;
/// Appends a frame's head. `mask` null: not masked.
void ws_append_head(std::string& to, ws_opcode opcode, bool fin, bool compressed, uint64_t length,
                    const std::array<char, 4>* mask);
/// If a peer may send it (7.4).
[[nodiscard]] bool ws_close_code_good(int code) noexcept;

class ws_receiver {
 public:
  enum class event : uint8_t { need_more, message, ping, pong, close, error };

  explicit ws_receiver(const ws_rules& rules) noexcept : rules_(rules) {}
  /// Consumes bytes (and unmasks them in place). Afterwards `used` of them are done with; call
  /// again with the rest unless it needs more.
  [[nodiscard]] event next(char* data, size_t bytes, size_t& used);

  /// Of the frame in progress: a hint for the next read.
  [[nodiscard]] uint64_t bytes_wanted() const noexcept { return in_frame_ ? length_ - seen_ : 0; }

  // After `message`.
  [[nodiscard]] bool text() const noexcept { return opcode_ == ws_opcode::text; }
  [[nodiscard]] std::string take_message() noexcept { return std::move(message_); }
  // After `ping`, `pong`, `close`: what it carried; of a close, the reason.
  [[nodiscard]] const std::string& payload() const noexcept { return control_; }
  /// After `close`: its code, 1005 if it had none. After `error`: the code to close with.
  [[nodiscard]] int code() const noexcept { return code_; }
  [[nodiscard]] const char* why() const noexcept { return why_; }

 private:
  event fail(int code, const char* why) noexcept;
  /// Reads a head. False: it is not whole, or wrong (failed_).
  bool read_head(const char* data, size_t bytes, size_t& used);
  bool check_head(uint8_t first, uint8_t second, uint64_t length, unsigned length_bytes);
  event end_of_frame();
  event end_of_message();
  event read_close();
  bool take_data(std::string_view piece);

  ws_rules rules_;
  // The frame in progress.
  bool in_frame_ = false;
  ws_opcode frame_ = ws_opcode::continuation;
  bool fin_ = false;
  bool masked_ = false;
  std::array<char, 4> mask_{};
  uint64_t length_ = 0;
  uint64_t seen_ = 0;
  // The message in progress.
  bool in_message_ = false;
  bool compressed_ = false;
  size_t frames_ = 0;
  ws_opcode opcode_ = ws_opcode::text;
  std::string message_;
  utf8_checker utf8_;
  std::string control_;
  int code_ = 0;
  bool failed_ = false;
  const char* why_ = "";
};

}  // namespace weft::rt
