// SPDX-License-Identifier: Apache-2.0
// The line of progress.
#include "progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "terminal.hpp"
#include "text.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sync/chan.hpp"
#include "weft/sync/mutex.hpp"
#include "weft/sync/select.hpp"
#include "weft/sync/timer.hpp"

namespace weft_command {

struct progress::state {
  std::string what;
  double seconds = 0;
  weft::time_point began = weft::now();
  weft::chan<int> stop = weft::make_chan<int>();
  weft::chan<int> stopped = weft::make_chan<int>();
  weft::mutex lock;
  size_t bytes = 0;  // guarded by lock

  std::string line() {
    const double now = std::chrono::duration<double>(weft::now() - began).count();
    std::string out = what + " ";
    size_t have = 0;
    {
      const std::lock_guard held(lock);
      have = bytes;
    }
    std::array<char, 64> numbers{};
    if (have != 0) {
      out += value_text(static_cast<int64_t>(have), "bytes");
    } else if (seconds > 0 && now < seconds) {
      constexpr size_t width = 24;
      const auto full = static_cast<size_t>(now / seconds * width);
      std::snprintf(numbers.data(), numbers.size(), "] %.0f of %g s", now, seconds);
      out += "[" + std::string(full, '=') + (full < width ? ">" : "") +
             std::string(width - std::min(width, full + 1), ' ') + numbers.data();
    } else {
      std::snprintf(numbers.data(), numbers.size(), "%.1f s", now);
      out += numbers.data();
    }
    return out;
  }

  void draw() {
    std::string out = line();
    const size_t room = size_of_screen(STDERR_FILENO).columns;
    if (out.size() >= room) out.resize(room - 1);
    print("\r\x1b[2K" + out);
  }
  static void print(const std::string& text) {
    weft::blocking([&] { (void)!::write(STDERR_FILENO, text.data(), text.size()); });
  }
};

progress::progress(std::string what, double seconds) {
  if (!is_terminal(STDERR_FILENO)) return;
  state_ = std::make_shared<state>();
  state_->what = std::move(what);
  state_->seconds = seconds;
  weft::go([s = state_] {
    weft::ticker ticks(std::chrono::milliseconds(100));
    for (bool running = true; running;)
      weft::select(weft::on_recv(s->stop, [&] { running = false; }),
                   weft::on_recv(ticks.c(), [&] { s->draw(); }));
    state::print("\r\x1b[2K");
    s->stopped.close();
  });
}

progress::~progress() {
  if (state_ == nullptr) return;
  state_->stop.close();
  (void)state_->stopped.recv();
}

void progress::got(size_t bytes) {
  if (state_ == nullptr) return;
  const std::lock_guard held(state_->lock);
  state_->bytes = bytes;
}

}  // namespace weft_command
