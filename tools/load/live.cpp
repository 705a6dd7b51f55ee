// SPDX-License-Identifier: Apache-2.0
// The view of a run in progress.
#include "live.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "plot.hpp"
#include "text.hpp"
#include "weft/sched/runtime.hpp"

namespace load {

namespace {

bool is_terminal(int fd) {
  const char* kind = std::getenv("TERM");
  return ::isatty(fd) == 1 && kind != nullptr && std::string_view(kind) != "dumb";
}

bool speaks_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == 0) continue;
    const std::string_view text(value);
    return text.contains("UTF-8") || text.contains("utf8") || text.contains("UTF8");
  }
  return false;
}

winsize window() {
  winsize out{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &out) != 0 || out.ws_col == 0) out.ws_col = 80;
  if (out.ws_row == 0) out.ws_row = 24;
  return out;
}

void print(const std::string& text) {
  // A terminal may be slow or stopped.
  weft::blocking([&] { (void)std::fwrite(text.data(), 1, text.size(), stderr); });
}

std::string seconds(double at_s) {
  char out[32];
  std::snprintf(out, sizeof(out), "%6.1f s   ", at_s);
  return out;
}

}  // namespace

bool colored_output() { return is_terminal(STDOUT_FILENO) && std::getenv("NO_COLOR") == nullptr; }

live_view::live_view(const options& how, size_t expected)
    : how_(how),
      expected_(expected),
      terminal_(is_terminal(STDERR_FILENO)),
      ascii_(how.ascii || !speaks_utf8()) {}

void live_view::show(const outcome& what, const std::string& status) {
  if (how_.quiet || what.samples.empty()) return;
  if (terminal_) {
    redraw(what, status);
    return;
  }
  const sample& s = what.samples.back();
  if (s.at_s < printed_s_ + 0.999) return;
  printed_s_ = s.at_s;
  print(seconds(s.at_s) + short_count(s.per_second) + "/s   p50 " + time_text(s.p50_ns) +
        "   p99 " + time_text(s.p99_ns) + "   errors " + with_commas(what.totals.failed()) + "\n");
}

void live_view::redraw(const outcome& what, const std::string& status) {
  const winsize size = window();
  plot_options how;
  how.expected = expected_;
  how.width = size.ws_col - 1U;
  how.ascii = ascii_;
  how.color = std::getenv("NO_COLOR") == nullptr;
  // Two plots, a title each, a line of status.
  how.height = size.ws_row > 24 ? 8 : size.ws_row > 12 ? (size.ws_row - 5U) / 2 : 3;
  curve rate{.color = "\x1b[32m"};
  curve p50{.color = "\x1b[36m", .ascii = '.'};
  curve p99{.color = "\x1b[33m"};
  for (const sample& s : what.samples) {
    rate.values.push_back(s.per_second);
    p50.values.push_back(s.p50_ns);
    p99.values.push_back(s.p99_ns);
  }
  const sample& last = what.samples.back();
  std::vector<std::string> lines;
  const auto add = [&](const std::vector<std::string>& more) {
    lines.insert(lines.end(), more.begin(), more.end());
  };
  lines.push_back("responses per second: " + short_count(last.per_second));
  how.label = &short_count;
  add(draw_plot({rate}, how, true));
  lines.push_back("latency: p50 " + time_text(last.p50_ns) + (ascii_ ? " (.)" : "") + ", p99 " +
                  time_text(last.p99_ns) + (ascii_ ? " (*)" : ""));
  how.logarithmic = true;
  how.label = &time_text;
  add(draw_plot({p99, p50}, how, false));
  lines.push_back(status);
  std::string out;
  if (lines_ != 0) out = "\x1b[" + std::to_string(lines_) + "A";
  for (const std::string& text : lines) out.append("\r\x1b[2K").append(text).append("\n");
  lines_ = lines.size();
  print(out.append("\x1b[J"));
}

void live_view::finish() {
  if (lines_ != 0) print("\n");
  lines_ = 0;
}

}  // namespace load
