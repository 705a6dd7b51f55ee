// SPDX-License-Identifier: Apache-2.0
// The terminal: whether there is one, how large it is, keys as they are pressed.
#pragma once

#include <termios.h>

#include <cstddef>
#include <string_view>

namespace weft_command {

/// True if `fd` is a terminal that knows escape sequences.
[[nodiscard]] bool is_terminal(int fd);
/// True if standard output wants colours: a terminal, and no NO_COLOR.
[[nodiscard]] bool wants_color();

struct screen_size {
  size_t columns = 80;
  size_t rows = 24;
  friend bool operator==(const screen_size&, const screen_size&) = default;
};
/// Of the terminal; of COLUMNS and LINES, or 80 by 24, if there is none.
[[nodiscard]] screen_size size_of_screen(int fd);

/// The whole screen as long as it lives: keys come at once and unseen, what was there comes back.
/// A program that is killed by SIGKILL leaves it as it is; `reset` helps.
class full_screen {
 public:
  full_screen();
  ~full_screen();
  full_screen(const full_screen&) = delete;
  full_screen& operator=(const full_screen&) = delete;
  /// Draws a frame in place of the one before, in one write. Blocks while the terminal does not
  /// take it.
  void draw(std::string_view frame);
  /// The next key, or 0 after a tenth of a second without one; -1: there is no input any more.
  /// Blocks the thread: for weft::blocking.
  [[nodiscard]] static int key();

 private:
  termios before_{};
  bool changed_ = false;
};

}  // namespace weft_command
