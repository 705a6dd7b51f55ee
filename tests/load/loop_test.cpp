// SPDX-License-Identifier: Apache-2.0
// The load against servers that behave badly, all in one process.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "report.hpp"
#include "runner.hpp"
#include "weft/net/net.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sync/wait_group.hpp"

namespace {

using namespace std::chrono_literals;
using load::failure;

/// Serves each connection with a function, until stop().
class tiny_server {
 public:
  using serve = std::function<void(const weft::net::conn&)>;
  explicit tiny_server(serve one) : one_(std::move(one)) {
    at_ = weft::net::listen("tcp", "127.0.0.1:0").value();
    running_.go([this] {
      for (;;) {
        auto got = at_.accept();
        if (!got) return;
        ++accepted;
        running_.go([this, c = std::move(*got)] {
          one_(c);
          (void)c.close();
        });
      }
    });
  }
  ~tiny_server() {
    (void)at_.close();
    running_.wait();
  }
  [[nodiscard]] std::string url() const { return "http://" + at_.addr().string() + "/"; }
  std::atomic<int> accepted{0};

 private:
  serve one_;
  weft::net::listener at_;
  weft::wait_group running_;
};

/// One request's head, or false at the end of the stream. Requests of these tests have no body.
bool read_request(weft::net::buffered_reader& from) {
  for (;;) {
    const auto line = from.read_until('\n');
    if (!line || line->empty()) return false;
    if (*line == "\r\n") return true;
  }
}

void answer_all(const weft::net::conn& c, const std::string& with) {
  weft::net::buffered_reader from(c);
  while (read_request(from))
    if (!c.write(with)) return;
}

inline const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Runs a load to its end.
load::tally run(const load::options& how) {
  load::plan what;
  std::string message;
  EXPECT_TRUE(load::make_plan(how, what, message)) << message;
  load::recorder log(2);
  const load::tls_dialer tls;
  load::runner all(how, what, log, tls);
  all.start();
  all.wait();
  load::tally out;
  log.collect(out);
  return out;
}

load::options options_for(const tiny_server& server, uint64_t requests) {
  load::options how;
  how.urls = {{1, server.url()}};
  how.method = "GET";
  how.connections = 4;
  how.requests = requests;
  how.duration = 0ns;
  return how;
}

uint64_t failures(const load::tally& t, failure what) {
  return t.failures[static_cast<size_t>(what)];
}

TEST(load, closed_loop_does_exactly_what_it_is_told) {
  weft::run([] {
    std::atomic<int> served{0};
    const tiny_server server([&](const weft::net::conn& c) {
      weft::net::buffered_reader from(c);
      while (read_request(from)) {
        ++served;  // before the answer: the client may count it and be done at once
        if (!c.write(ok)) return;
      }
    });
    const load::tally t = run(options_for(server, 1000));
    EXPECT_EQ(t.responses, 1000U);
    EXPECT_EQ(served, 1000);
    EXPECT_EQ(t.latency.count(), 1000U);
    EXPECT_EQ(t.statuses[200], 1000U);
    EXPECT_EQ(t.bytes_in, 1000 * ok.size());
    EXPECT_EQ(t.failed(), 0U);
    EXPECT_EQ(server.accepted, 4);
  });
}

TEST(load, pipelined_answers_are_told_apart) {
  weft::run([] {
    const tiny_server server([](const weft::net::conn& c) { answer_all(c, ok); });
    load::options how = options_for(server, 2000);
    how.pipeline = 16;
    const load::tally t = run(how);
    EXPECT_EQ(t.responses, 2000U);
    EXPECT_EQ(t.bytes_in, 2000 * ok.size());
    EXPECT_EQ(t.failed(), 0U);
  });
}

TEST(load, a_connection_that_is_closed_after_each_answer_is_made_anew) {
  weft::run([] {
    const tiny_server server([](const weft::net::conn& c) {
      weft::net::buffered_reader from(c);
      if (read_request(from))
        (void)c.write("HTTP/1.1 500 Oops\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    });
    const load::tally t = run(options_for(server, 50));
    EXPECT_EQ(t.responses, 50U);
    EXPECT_EQ(t.statuses[500], 50U);
    EXPECT_EQ(t.failed(), 0U);
    EXPECT_EQ(t.connecting.count(), 50U);
  });
}

TEST(load, a_kept_connection_closed_in_silence_is_retried_a_fresh_one_is_an_error) {
  weft::run([] {
    const tiny_server server([](const weft::net::conn& c) {
      weft::net::buffered_reader from(c);
      if (!read_request(from) || !c.write(ok)) return;
      (void)read_request(from);  // and close
    });
    load::options how = options_for(server, 20);
    how.connections = 1;
    const load::tally kept = run(how);
    EXPECT_EQ(kept.responses, 20U);
    EXPECT_EQ(kept.reconnects, 19U);
    EXPECT_EQ(kept.failed(), 0U);

    const tiny_server mute([](const weft::net::conn& c) {
      weft::net::buffered_reader from(c);
      (void)read_request(from);
    });
    how = options_for(mute, 10);
    const load::tally fresh = run(how);
    EXPECT_EQ(fresh.responses, 0U);
    EXPECT_EQ(failures(fresh, failure::closed) + failures(fresh, failure::read), 10U);
  });
}

TEST(load, errors_are_told_by_kind) {
  weft::run([] {
    const tiny_server torn([](const weft::net::conn& c) {
      weft::net::buffered_reader from(c);
      if (read_request(from)) (void)c.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    });
    load::tally t = run(options_for(torn, 10));
    EXPECT_EQ(failures(t, failure::closed), 10U);
    EXPECT_EQ(t.samples[static_cast<size_t>(failure::closed)],
              "the server closed the connection in an answer");

    const tiny_server strange([](const weft::net::conn& c) { answer_all(c, "220 smtp\r\n\r\n"); });
    t = run(options_for(strange, 10));
    EXPECT_EQ(failures(t, failure::malformed), 10U);

    load::options how = options_for(strange, 5);
    how.urls = {{1, "http://127.0.0.1:1/"}};
    how.connections = 1;
    t = run(how);
    EXPECT_EQ(failures(t, failure::connect), 5U);
    EXPECT_NE(t.samples[static_cast<size_t>(failure::connect)].find("connection refused"),
              std::string::npos);
  });
}

TEST(load, a_late_answer_is_a_timeout_and_its_wait_counts) {
  weft::run([] {
    const tiny_server silent([](const weft::net::conn& c) {
      weft::net::buffered_reader from(c);
      while (read_request(from)) {
      }
    });
    load::options how = options_for(silent, 8);
    how.timeout = 50ms;
    const load::tally t = run(how);
    EXPECT_EQ(failures(t, failure::timeout), 8U);
    EXPECT_EQ(t.latency.count(), 8U);
    EXPECT_GE(t.latency.min(), 50'000'000U);
  });
}

// The deadline is set once per timeout, not per request: each must have its own all the same.
TEST(load, each_request_has_its_own_timeout) {
  weft::run([] {
    const tiny_server server([](const weft::net::conn& c) {
      weft::net::buffered_reader from(c);
      while (read_request(from)) {
        weft::sleep_for(60ms);
        if (!c.write(ok)) return;
      }
    });
    load::options how = options_for(server, 40);
    how.connections = 1;
    how.timeout = 2s;  // less than the 2.4 s that all take together
    const load::tally t = run(how);
    EXPECT_EQ(t.responses, 40U);
    EXPECT_EQ(t.failed(), 0U);
  });
}

/// Answers at once, but the 50th request, and all that come while it waits, after half a second.
class stalling {
 public:
  void serve(const weft::net::conn& c) {
    weft::net::buffered_reader from(c);
    while (read_request(from)) {
      const int number = ++requests_;
      if (number == 50) until_ns_ = (weft::now() + 500ms).time_since_epoch().count();
      if (number >= 50)
        weft::sleep_until(load::time_point(std::chrono::nanoseconds(until_ns_.load())));
      if (!c.write(ok)) return;
    }
  }

 private:
  std::atomic<int> requests_{0};
  std::atomic<int64_t> until_ns_{0};
};

TEST(load, open_loop_counts_the_wait_of_requests_that_a_stall_kept_from_being_sent) {
  weft::run([] {
    stalling server_state;
    const tiny_server server([&](const weft::net::conn& c) { server_state.serve(c); });
    load::options how = options_for(server, 200);
    how.connections = 2;
    how.rate = 200;
    const load::tally open = run(how);
    EXPECT_EQ(open.responses, 200U);
    // 100 requests were due in the half second: 80 of them at least 100 ms before its end.
    EXPECT_GE(open.latency.count_between(99'000'000, UINT64_MAX), 78U);
    EXPECT_GE(open.latency.quantile(0.9), 300'000'000U);
    EXPECT_GE(open.latency.max(), 490'000'000U);

    // A closed loop saw the same stall once on each connection.
    stalling again;
    const tiny_server closed_server([&](const weft::net::conn& c) { again.serve(c); });
    how = options_for(closed_server, 200);
    how.connections = 2;
    const load::tally closed = run(how);
    EXPECT_GE(closed.latency.max(), 400'000'000U);
    EXPECT_LE(closed.latency.count_between(400'000'000, UINT64_MAX), 2U);
  });
}

TEST(load, what_is_due_and_never_sent_is_reported) {
  weft::run([] {
    const tiny_server silent([](const weft::net::conn& c) {
      weft::net::buffered_reader from(c);
      while (read_request(from)) {
      }
    });
    load::options how = options_for(silent, 0);
    how.connections = 2;
    how.requests = 0;
    how.rate = 100;
    how.duration = 300ms;
    how.timeout = 400ms;
    const load::tally t = run(how);
    EXPECT_EQ(failures(t, failure::timeout), 2U);
    EXPECT_EQ(failures(t, failure::unsent), 28U);
    EXPECT_EQ(t.latency.count(), 30U);
  });
}

TEST(load, the_warmup_is_not_counted) {
  weft::run([] {
    const tiny_server server([](const weft::net::conn& c) { answer_all(c, ok); });
    load::options how = options_for(server, 50);
    how.rate = 500;
    how.warmup = 100ms;
    const load::tally t = run(how);
    EXPECT_EQ(t.responses, 50U);
    EXPECT_EQ(t.latency.count(), 50U);
  });
}

TEST(load, abandoned_it_ends_at_once_and_blames_nobody) {
  weft::run([] {
    std::atomic<int> waiting{0};
    const tiny_server silent([&](const weft::net::conn& c) {
      weft::net::buffered_reader from(c);
      while (read_request(from)) ++waiting;
    });
    load::options how = options_for(silent, 100);
    load::plan what;
    std::string message;
    ASSERT_TRUE(load::make_plan(how, what, message)) << message;
    load::recorder log(2);
    const load::tls_dialer tls;
    load::runner all(how, what, log, tls);
    all.start();
    while (waiting < 4) weft::yield();
    all.abandon();
    all.wait();
    load::tally t;
    log.collect(t);
    EXPECT_EQ(t.responses, 0U);
    EXPECT_EQ(t.failed(), 0U);
  });
}

}  // namespace
