// SPDX-License-Identifier: Apache-2.0
// Escape sequences and termios.
#include "terminal.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "weft/sched/runtime.hpp"

namespace weft_command {

namespace {

void write_all(std::string_view text) {
  weft::blocking([&] {
    while (!text.empty()) {
      const ssize_t done = ::write(STDOUT_FILENO, text.data(), text.size());
      if (done > 0)
        text.remove_prefix(static_cast<size_t>(done));
      else if (errno != EINTR)
        return;
    }
  });
}

size_t number_of(const char* name, size_t otherwise) {
  const char* text = std::getenv(name);
  const unsigned long value = text == nullptr ? 0 : std::strtoul(text, nullptr, 10);
  return value == 0 || value > 10000 ? otherwise : value;
}

}  // namespace

bool is_terminal(int fd) {
  const char* kind = std::getenv("TERM");
  return ::isatty(fd) == 1 && kind != nullptr && *kind != 0 && std::string_view(kind) != "dumb";
}

bool wants_color() {
  const char* refused = std::getenv("NO_COLOR");
  return is_terminal(STDOUT_FILENO) && (refused == nullptr || *refused == 0);
}

screen_size size_of_screen(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col != 0 && size.ws_row != 0)
    return {.columns = size.ws_col, .rows = size.ws_row};
  return {.columns = number_of("COLUMNS", 80), .rows = number_of("LINES", 24)};
}

full_screen::full_screen() {
  if (::tcgetattr(STDIN_FILENO, &before_) == 0) {
    termios raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    changed_ = ::tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
  }
  write_all("\x1b[?1049h\x1b[?25l\x1b[2J");  // the other screen, no cursor, empty
}

full_screen::~full_screen() {
  write_all("\x1b[?25h\x1b[?1049l");
  if (changed_) (void)::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
}

void full_screen::draw(std::string_view frame) {
  std::string out = "\x1b[H";
  while (!frame.empty()) {
    const size_t end = std::min(frame.find('\n'), frame.size());
    out.append(frame.substr(0, end)).append("\x1b[K");
    frame.remove_prefix(std::min(end + 1, frame.size()));
    if (!frame.empty()) out += "\r\n";
  }
  write_all(out.append("\x1b[J"));
}

int full_screen::key() {
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  const int ready = ::poll(&input, 1, 100);
  if (ready < 0) return errno == EINTR ? 0 : -1;
  if (ready == 0) return 0;
  char c = 0;
  return ::read(STDIN_FILENO, &c, 1) == 1 ? static_cast<unsigned char>(c) : -1;
}

}  // namespace weft_command
