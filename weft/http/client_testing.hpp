// SPDX-License-Identifier: Apache-2.0
// Servers for the client's tests, written by hand: each says exactly these bytes at that moment.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "weft/http/client.hpp"
#include "weft/http/header.hpp"
#include "weft/net/buffered.hpp"
#include "weft/net/internal/stream.hpp"
#include "weft/net/net.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sched/task.hpp"
#include "weft/sync/mutex.hpp"
#include "weft/sync/wait_group.hpp"

namespace weft::testing_http {

template <class F>
void until(F condition) {
  while (!condition()) weft::yield();
}

/// For streams that differ from another in a little.
class passing_stream : public rt::stream {
 public:
  explicit passing_stream(std::shared_ptr<rt::stream> to) : to_(std::move(to)) {}
  result<size_t> read(void* to, size_t bytes) override { return to_->read(to, bytes); }
  result<size_t> write(const void* from, size_t bytes) override { return to_->write(from, bytes); }
  result<void> wait_readable() override { return to_->wait_readable(); }
  bool wait_hangup() override { return to_->wait_hangup(); }
  bool watch_readable(rt::read_watcher& w) override { return to_->watch_readable(w); }
  bool watch_hangup(rt::read_watcher& w) override { return to_->watch_hangup(w); }
  bool unwatch() override { return to_->unwatch(); }
  bool hung_up() override { return to_->hung_up(); }
  bool has_input() override { return to_->has_input(); }
  result<void> close() override { return to_->close(); }
  result<void> shut_down(int how) override { return to_->shut_down(how); }
  result<void> set_deadline(int64_t when, bool read, bool write) override {
    return to_->set_deadline(when, read, write);
  }
  result<void> set_option(int, int, int) override { return {}; }
  int native() const noexcept override { return -1; }
  const net::address& local() const noexcept override { return to_->local(); }
  const net::address& remote() const noexcept override { return to_->remote(); }

 private:
  std::shared_ptr<rt::stream> to_;
};

struct seen_request {
  std::string line;
  http::header headers;
  std::string body;      // decoded
  std::string trailers;  // as sent
};

/// One connection of a scripted server.
class script_conn {
 public:
  explicit script_conn(net::conn c) : conn(c), in(c) {}

  std::string read_line() {
    const auto got = in.read_until('\n');
    if (!got || got->size() < 2) return {};
    return std::string(got->substr(0, got->size() - 2));
  }
  /// Head only; false at the end.
  bool read_head(seen_request& out) {
    out = {};
    out.line = read_line();
    if (out.line.empty()) return false;
    for (;;) {
      const std::string field = read_line();
      if (field.empty()) return true;
      const size_t colon = field.find(": ");
      out.headers.add(field.substr(0, colon), field.substr(colon + 2));
    }
  }
  std::string read_bytes(size_t bytes) {
    std::string text(bytes, '\0');
    const auto got = in.read_full(std::span<char>(text));
    text.resize(got.value_or(0));
    return text;
  }
  void read_body(seen_request& out) {
    if (out.headers.get("Transfer-Encoding") == "chunked") {
      for (;;) {
        const size_t size = std::stoul(read_line(), nullptr, 16);
        if (size == 0) break;
        out.body += read_bytes(size);
        EXPECT_EQ(read_line(), "");
      }
      for (std::string line = read_line(); !line.empty(); line = read_line())
        out.trailers += line + '\n';
    } else if (out.headers.has("Content-Length")) {
      out.body = read_bytes(std::stoul(std::string(out.headers.get("Content-Length"))));
    }
  }
  bool read_request(seen_request& out) {
    if (!read_head(out)) return false;
    read_body(out);
    return true;
  }
  void say(std::string_view text) const { (void)conn.write(text); }
  void ok(std::string_view body = "ok") const {
    say("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
        std::string(body));
  }
  /// Until the client has gone.
  void wait_gone() const {
    char piece[512];
    for (;;) {
      const result<size_t> got = conn.read(std::span<char>(piece));
      if (!got || *got == 0) return;
    }
  }

  net::conn conn;
  net::buffered_reader in;
};

/// Calls `script(conn, number)` for each connection, on a goroutine of its own.
class script_server {
 public:
  using script = std::function<void(script_conn&, int)>;
  explicit script_server(script s)
      : script_server(net::listen("tcp", "127.0.0.1:0").value(), std::move(s)) {}
  script_server(net::listener on, script s) : listener_(std::move(on)), script_(std::move(s)) {
    all_.go([this] {
      for (int number = 0;; ++number) {
        result<net::conn> c = listener_.accept();
        if (!c) return;
        {
          const std::lock_guard<mutex> held(lock_);
          conns_.push_back(*c);
          ++accepted_;
        }
        all_.go([this, c = *c, number] {
          script_conn conn(c);
          script_(conn, number);
          (void)c.close();
        });
      }
    });
  }
  ~script_server() { stop(); }
  void stop() {
    (void)listener_.close();
    {
      const std::lock_guard<mutex> held(lock_);
      for (const net::conn& c : conns_) (void)c.close();
    }
    all_.wait();
  }
  [[nodiscard]] std::string address() const { return listener_.addr().string(); }
  [[nodiscard]] std::string url(std::string_view path = "/") const {
    return "http://" + address() + std::string(path);
  }
  [[nodiscard]] int accepted() {
    const std::lock_guard<mutex> held(lock_);
    return accepted_;
  }

 private:
  net::listener listener_;
  script script_;
  mutex lock_;
  std::vector<net::conn> conns_;
  int accepted_ = 0;
  wait_group all_;
};

/// The last request that a server has read.
class last_seen {
 public:
  void set(const seen_request& r) {
    const std::lock_guard<mutex> held(lock_);
    last_ = r;
  }
  [[nodiscard]] seen_request get() {
    const std::lock_guard<mutex> held(lock_);
    return last_;
  }

 private:
  mutex lock_;
  seen_request last_;
};
inline auto answer_ok(last_seen& seen) {
  return [&seen](script_conn& c, int) {
    seen_request r;
    while (c.read_request(r)) {
      seen.set(r);
      c.ok();
    }
  };
}

/// Answers every request with its line and body.
inline void echo(script_conn& c, int) {
  seen_request r;
  while (c.read_request(r)) c.ok(r.line + '|' + r.body);
}

inline std::string text_of(result<http::response>& r) {
  if (!r) return "(" + r.error().message() + ")";
  result<std::string> text = r->body.read_all();
  return text ? *text : "(" + text.error().message() + ")";
}
inline std::string text_of(result<http::response>&& r) { return text_of(r); }
inline std::string message_of(const result<http::response>& r) {
  return r ? "(no error)" : r.error().message();
}

/// A body that is read piece by piece and of unknown length.
class pieces final : public http::body_source {
 public:
  explicit pieces(std::vector<std::string> all, int64_t length = -1)
      : all_(std::move(all)), length_(length) {}
  result<size_t> read(std::span<char> to) override {
    if (at_ == all_.size()) return size_t{0};
    const std::string& piece = all_[at_++];
    EXPECT_LE(piece.size(), to.size());
    std::copy(piece.begin(), piece.end(), to.begin());
    return piece.size();
  }
  int64_t length() const noexcept override { return length_; }

 private:
  std::vector<std::string> all_;
  int64_t length_;
  size_t at_ = 0;
};

/// A body whose pieces come from a channel: the test says when.
class piped final : public http::body_source {
 public:
  explicit piped(recv_chan<std::string> from) : from_(std::move(from)) {}
  result<size_t> read(std::span<char> to) override {
    const std::optional<std::string> piece = from_.recv();
    if (!piece) return size_t{0};
    std::copy(piece->begin(), piece->end(), to.begin());
    return piece->size();
  }

 private:
  recv_chan<std::string> from_;
};

}  // namespace weft::testing_http
