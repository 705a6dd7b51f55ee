// SPDX-License-Identifier: Apache-2.0
// Settings: read strictly, checked, and read again when something happens in the file's directory.
//
// The directory is watched and not the file, since editors and deployment tools put another file in
// its place. Whatever happens there, the file is read and compared with what was read last, so it
// does not matter which events come, or how many. Where inotify is not to be had, the file is read
// once a second.
#include "settings.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "weft/base/atomic.hpp"
#include "weft/json/json.hpp"
#include "weft/net/descriptor.hpp"
#include "weft/sched/go.hpp"
#include "weft/sync/atomic_value.hpp"
#include "weft/sync/context.hpp"

namespace shop {

namespace {

using namespace std::chrono_literals;

// --- the document --------------------------------------------------------------------------------

/// The first value that is out of range, as text; empty: none.
class checker {
 public:
  void range(const char* path, int64_t value, int64_t least, int64_t most) {
    if (value >= least && value <= most) return;
    note(path, "must be from " + std::to_string(least) + " to " + std::to_string(most) + ", got " +
                   std::to_string(value));
  }
  void listen(const char* path, const std::string& address) {
    const size_t colon = address.rfind(':');
    const std::string port = colon == std::string::npos ? "" : address.substr(colon + 1);
    const bool digits = !port.empty() && port.find_first_not_of("0123456789") == port.npos;
    if (!digits || port.size() > 5 || std::stoi(port) > 65'535)
      note(path, "must be HOST:PORT, got \"" + address + "\"");
  }
  void url(const char* path, const std::string& text) {
    if (!text.starts_with("http://") && !text.starts_with("https://"))
      note(path, "must begin with http:// or https://, got \"" + text + "\"");
  }
  void note(const char* path, std::string what) {
    if (wrong_.empty()) wrong_ = std::string("at $.") + path + ": " + std::move(what);
  }
  [[nodiscard]] const std::string& wrong() const noexcept { return wrong_; }

 private:
  std::string wrong_;
};

std::string find_wrong(const settings& s) {
  constexpr int64_t cents_max = 1'000'000'000'000'000;
  checker check;
  check.listen("gateway.listen", s.gateway.listen);
  check.url("gateway.risk_url", s.gateway.risk_url);
  check.url("gateway.ledger_url", s.gateway.ledger_url);
  check.range("gateway.deadline_ms", s.gateway.deadline_ms, 1, 600'000);
  check.listen("risk.listen", s.risk.listen);
  check.range("risk.deny_above_cents", s.risk.deny_above_cents, 0, cents_max);
  check.range("risk.review_above_cents", s.risk.review_above_cents, 0, s.risk.deny_above_cents);
  check.range("risk.orders_per_minute_max", s.risk.orders_per_minute_max, 1, 1'000'000'000);
  check.range("risk.think_us", s.risk.think_us, 0, 60'000'000);
  check.listen("ledger.listen", s.ledger.listen);
  check.range("ledger.opening_balance_cents", s.ledger.opening_balance_cents, 0, cents_max);
  if (s.ledger.sqlite_path.empty() && s.ledger.postgres_dsn.empty())
    check.note("ledger.sqlite_path", "must not be empty, as there is no postgres_dsn");
  if (s.tls.certificate_file.empty() != s.tls.key_file.empty())
    check.note("tls", "certificate_file and key_file come together");
  return check.wrong();
}

// --- the file ------------------------------------------------------------------------------------

weft::result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  if (!file || file.bad())
    return weft::fail(weft::error(std::error_code(errno, std::generic_category()),
                                  "cannot be read: " + std::string(std::strerror(errno))));
  return text.str();
}

/// The inotify descriptor of a directory; -1: none is to be had.
class directory_watch {
 public:
  explicit directory_watch(const std::string& file) : fd_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
    const std::filesystem::path folder = std::filesystem::path(file).parent_path();
    const std::string name = folder.empty() ? "." : folder.string();
    // Not IN_CREATE: the file is empty then.
    constexpr uint32_t events = IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE;
    if (fd_ < 0 || inotify_add_watch(fd_, name.c_str(), events) < 0) return;
    if (auto watched = weft::net::descriptor::watch(fd_)) ready_ = std::move(*watched);
  }
  directory_watch(const directory_watch&) = delete;
  directory_watch& operator=(const directory_watch&) = delete;
  ~directory_watch() {
    (void)ready_.close();
    if (fd_ >= 0) ::close(fd_);
  }

  /// Parks until something has happened there, or perhaps has. False: the context is done.
  [[nodiscard]] bool wait(const weft::context& ctx) {
    if (ready_ && ready_.wait_readable(ctx)) {
      // What happened does not matter.
      std::array<char, 4096> events;
      while (::read(fd_, events.data(), events.size()) > 0) {
      }
    } else if (!ctx.err()) {
      const auto [second, cancel] = weft::with_timeout(ctx, 1s);
      (void)second.done().recv();
    }
    return !ctx.err();
  }

 private:
  int fd_;
  weft::net::descriptor ready_;
};

}  // namespace

weft::result<settings> parse_settings(std::string_view json) {
  weft::json::decode_options strict;
  strict.refuse_unknown_keys = true;
  strict.refuse_duplicate_keys = true;
  weft::result<settings> read = weft::json::decode<settings>(json, strict);
  if (!read) return read;
  if (std::string wrong = find_wrong(*read); !wrong.empty())
    return weft::fail(weft::error("settings: " + wrong));
  return read;
}

// --- live ----------------------------------------------------------------------------------------

/// What the handles and the watching goroutine share.
struct watched_settings {
  std::string path;
  std::string text;  // that was read last; of the goroutine, once it runs
  weft::atomic_value<std::shared_ptr<const settings>> now{std::make_shared<const settings>()};
  weft::rt::atomic<uint64_t> reloads{0};
  weft::rt::atomic<uint64_t> refused{0};

  /// Reads the file; if it has changed and is good, it counts from now on.
  weft::result<void> refresh() {
    weft::result<std::string> read = read_file(path);
    if (!read) return weft::fail(weft::error::wrap(path, read.error()));
    if (*read == text) return {};
    text = std::move(*read);
    weft::result<settings> parsed = parse_settings(text);
    if (!parsed) return weft::fail(weft::error::wrap(path, parsed.error()));
    now.store(std::make_shared<const settings>(std::move(*parsed)));
    reloads.fetch_add(1, weft::rt::relaxed);
    return {};
  }

  void watch(const weft::context& ctx, directory_watch& events) {
    bool missing = false;  // said once, not each second
    while (events.wait(ctx)) {
      const bool existed = !std::exchange(missing, ::access(path.c_str(), R_OK) != 0);
      if (missing && !existed) continue;
      if (weft::result<void> read = refresh(); !read) {
        refused.fetch_add(1, weft::rt::relaxed);
        std::fprintf(stderr, "settings stay as they were: %s\n", read.error().message().c_str());
      }
    }
  }
};

/// The handles' part: its end ends the watching.
class live_settings::state {
 public:
  explicit state(std::shared_ptr<watched_settings> shared) : shared_(std::move(shared)) {}

  void start() {
    // Before this returns, so that no change after it is missed.
    auto events = std::make_shared<directory_watch>(shared_->path);
    auto [ctx, cancel] = weft::with_cancel(weft::background());
    cancel_ = std::move(cancel);
    weft::go([shared = shared_, until = ctx, events] { shared->watch(until, *events); });
  }
  [[nodiscard]] const watched_settings& shared() const noexcept { return *shared_; }

 private:
  std::shared_ptr<watched_settings> shared_;
  weft::cancel_func cancel_;
};

weft::result<live_settings> live_settings::open(const std::string& path) {
  auto shared = std::make_shared<watched_settings>();
  shared->path = path;
  live_settings made;
  made.state_ = std::make_shared<state>(shared);
  if (path.empty()) return made;
  if (weft::result<void> read = shared->refresh(); !read) return weft::fail(read.error());
  shared->reloads.store(0, weft::rt::relaxed);  // this was no second time
  made.state_->start();
  return made;
}

std::shared_ptr<const settings> live_settings::get() const { return state_->shared().now.load(); }
uint64_t live_settings::reloads() const noexcept {
  return state_->shared().reloads.load(weft::rt::relaxed);
}
uint64_t live_settings::refused() const noexcept {
  return state_->shared().refused.load(weft::rt::relaxed);
}

}  // namespace shop
