// SPDX-License-Identifier: Apache-2.0
// Text to a file descriptor through a fixed buffer: for reports, where nothing may be allocated,
// locked or formatted by the C library. Async-signal-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "weft/base/os/os.hpp"

namespace weft::rt {

class report_writer {
 public:
  explicit report_writer(int fd) noexcept : fd_(fd) {}
  ~report_writer() { flush(); }
  report_writer(const report_writer&) = delete;
  report_writer& operator=(const report_writer&) = delete;

  report_writer& put(char c) noexcept {
    if (used_ == sizeof(buffer_)) flush();
    buffer_[used_++] = c;
    return *this;
  }
  report_writer& put(std::string_view text) noexcept {
    for (char c : text) put(c);
    return *this;
  }
  /// Newlines inside become newline and tab, as Go prints panic messages.
  report_writer& put_indented(std::string_view text) noexcept {
    for (char c : text) {
      put(c);
      if (c == '\n') put('\t');
    }
    return *this;
  }
  report_writer& put_decimal(int64_t value) noexcept {
    if (value >= 0) return put_number(static_cast<uint64_t>(value), 10);
    put('-');
    return put_number(0 - static_cast<uint64_t>(value), 10);
  }
  report_writer& put_unsigned(uint64_t value) noexcept { return put_number(value, 10); }
  /// Hexadecimal with 0x in front.
  report_writer& put_hex(uint64_t value) noexcept {
    put("0x");
    return put_number(value, 16);
  }
  /// `%d` and `%x` in `format` stand for the values in turn; any other `%` for itself.
  report_writer& put_format(const char* format, const int64_t (&values)[3]) noexcept {
    size_t next = 0;
    for (const char* at = format; *at != '\0'; ++at) {
      bool conversion = at[0] == '%' && (at[1] == 'd' || at[1] == 'x') && next < 3;
      if (!conversion) {
        put(*at);
        continue;
      }
      ++at;
      if (*at == 'd')
        put_decimal(values[next++]);
      else
        put_hex(static_cast<uint64_t>(values[next++]));
    }
    return *this;
  }
  void flush() noexcept {
    os::write_all(fd_, buffer_, used_);
    used_ = 0;
  }

 private:
  report_writer& put_number(uint64_t value, unsigned base) noexcept {
    char digits[20];  // 2^64 has 20 decimal digits
    size_t count = 0;
    do {
      digits[count++] = "0123456789abcdef"[value % base];
      value /= base;
    } while (value != 0);
    while (count > 0) put(digits[--count]);
    return *this;
  }

  int fd_;
  size_t used_ = 0;
  char buffer_[512];  // small: it also lives on signal stacks and at the end of overflown ones
};

}  // namespace weft::rt
