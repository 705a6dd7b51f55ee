// SPDX-License-Identifier: Apache-2.0
// What travels with a call, hop by hop: the table in propagation.hpp, row by row.
#include "weft/http/propagation.hpp"

#include <gtest/gtest.h>

#include <string>

#include "weft/http/client.hpp"
#include "weft/http/client_testing.hpp"
#include "weft/http/server.hpp"
#include "weft/net/listener.hpp"
#include "weft/sched/run.hpp"

namespace {

using namespace weft;
using namespace weft::testing_http;
using namespace std::chrono_literals;
using http::header;
using http::trace_identity;

constexpr const char* known = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
constexpr const char* known_trace = "4bf92f3577b34da6a3ce929d0e0e4736";

std::string hex(std::span<const uint8_t> bytes) {
  std::string out;
  char two[3];
  for (const uint8_t b : bytes) out += (std::snprintf(two, sizeof two, "%02x", b), two);
  return out;
}

TEST(http_propagation, traceparent) {
  header h;
  h.add("traceparent", known);
  h.add("tracestate", "a=1, b@c=x y");
  h.add("tracestate", "d=2");
  const auto got = http::extract_trace(h);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->trace_id_text(), known_trace);
  EXPECT_EQ(hex(got->parent_id), "00f067aa0ba902b7");
  EXPECT_NE(got->span_id, got->parent_id);
  EXPECT_TRUE(got->sampled);
  EXPECT_EQ(got->state, "a=1,b@c=x y,d=2");
  EXPECT_EQ(got->traceparent(), std::string("00-") + known_trace + '-' + hex(got->span_id) + "-01");
  const trace_identity below = got->child();
  EXPECT_EQ(below.parent_id, got->span_id);
  EXPECT_NE(below.span_id, got->span_id);
}

TEST(http_propagation, malformed_traceparent) {
  const std::string good = known;
  const auto refused = [](const std::string& text) {
    header h;
    h.add("traceparent", text);
    return !http::extract_trace(h);
  };
  EXPECT_FALSE(refused(good));
  EXPECT_TRUE(refused(""));
  EXPECT_TRUE(refused(good.substr(0, 54)));
  EXPECT_TRUE(refused(good + "0"));
  EXPECT_TRUE(refused(good + "-00"));                      // version 00 ends there
  EXPECT_FALSE(refused("01" + good.substr(2) + "-more"));  // a later one may not
  EXPECT_FALSE(refused("01" + good.substr(2)));
  EXPECT_TRUE(refused("01" + good.substr(2) + "more"));
  EXPECT_TRUE(refused("ff" + good.substr(2)));
  for (size_t at = 0; at < good.size(); ++at) {
    for (const char c : {'G', 'A', ' ', '\x01'}) {
      std::string bad = good;
      bad[at] = c;
      EXPECT_TRUE(refused(bad)) << bad;
    }
  }
  EXPECT_TRUE(refused("00-00000000000000000000000000000000-00f067aa0ba902b7-01"));
  EXPECT_TRUE(refused("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"));
  header twice;
  twice.add("traceparent", known);
  twice.add("traceparent", known);
  EXPECT_FALSE(http::extract_trace(twice));
}

TEST(http_propagation, tracestate) {
  const auto state = [](std::string_view text) {
    header h;
    h.add("traceparent", known);
    h.add("tracestate", text);
    return http::extract_trace(h)->state;
  };
  EXPECT_EQ(state("a=1,,b=2,"), "a=1,b=2");
  for (const char* bad : {"a", "=1", "a=", "A=1", "1=1", "a=1,a=2", "a=b=c", "a@=1", "@b=1",
                          "a@b@c=1", "a@1=1", "a=\x7f"})
    EXPECT_EQ(state(bad), "") << bad;
  EXPECT_EQ(state("1a@b=1"), "1a@b=1");
  EXPECT_EQ(state(std::string(256, 'a') + "=" + std::string(256, 'v')).size(), 513u);
  EXPECT_EQ(state(std::string(257, 'a') + "=1"), "");
  EXPECT_EQ(state("a=" + std::string(257, 'v')), "");
  std::string many;
  for (int i = 0; i < 32; ++i) many += "k" + std::to_string(i) + "=1,";
  EXPECT_NE(state(many), "");
  EXPECT_EQ(state(many + "more=1"), "");
}

TEST(http_propagation, timeouts) {
  EXPECT_EQ(http::timeout_text(1500ms), "1500000u");
  EXPECT_EQ(http::timeout_text(1999ns), "1u");
  EXPECT_EQ(http::timeout_text(-5s), "0m");
  EXPECT_EQ(http::timeout_text(5min), "300000m");
  EXPECT_EQ(http::timeout_text(std::chrono::nanoseconds::max()), "2562047H");
  EXPECT_EQ(http::parse_timeout("1500m"), 1500ms);
  EXPECT_EQ(http::parse_timeout("99999999H"), std::chrono::nanoseconds::max());
  EXPECT_EQ(http::parse_timeout("0n"), 0ns);
  EXPECT_EQ(http::parse_timeout("2M"), 2min);
  for (const char* bad : {"", "m", "1", "1s", "-1m", "+1m", " 1m", "1 m", "123456789m", "1.5S"})
    EXPECT_FALSE(http::parse_timeout(bad)) << bad;
  for (const auto left : {1us, 17us, 99'999'999us, 100'000'000us, 123'456'789'012us}) {
    const auto back = http::parse_timeout(http::timeout_text(left));
    ASSERT_TRUE(back);
    EXPECT_LE(*back, left);
    EXPECT_GE(*back, left - left / 1000);
  }
}

/// A server on a port of its own for as long as it lives.
struct served {
  explicit served(http::handler h) : server({.handler = std::move(h)}) {
    const net::listener on = net::listen("tcp", "127.0.0.1:0").value();
    where = "http://" + on.addr().string() + "/";
    serving.go([this, on] { (void)server.serve(on); });
  }
  ~served() {
    server.close();
    serving.wait();
  }
  http::server server;
  std::string where;
  wait_group serving;
};

http::client propagating() {
  http::client_options options;
  options.propagate = true;
  return http::client(options);
}

/// "TRACE PARENT SPAN SAMPLED LEFT": what a handler knows about its own place.
std::string place_of(const context& ctx) {
  const trace_identity* identity = http::identity_of(ctx);
  if (identity == nullptr) return "none";
  const auto until = ctx.deadline();
  return identity->trace_id_text() + ' ' + hex(identity->parent_id) + ' ' + hex(identity->span_id) +
         (identity->sampled ? " sampled " : " unsampled ") +
         (until ? std::to_string((*until - weft::now()) / 1ms) : "none");
}

struct place {
  std::string trace, parent, span, sampled, left;
};
place split(const std::string& text) {
  place out;
  std::string* const parts[] = {&out.trace, &out.parent, &out.span, &out.sampled, &out.left};
  size_t at = 0;
  for (std::string* part : parts) {
    const size_t end = std::min(text.find(' ', at), text.size());
    if (at < text.size()) *part = text.substr(at, end - at);
    at = end + 1;
  }
  return out;
}

void tell_place(http::response_writer& w, http::request& r) { (void)w.write(place_of(r.ctx())); }

// Row 1: the gateway inherits no deadline, and continues the trace.
TEST(http_propagation, gateway) {
  weft::run([] {
    const served gateway(http::chain(tell_place, {http::gateway_entry({.timeout = 20s})}));
    const http::client c;
    http::request r("GET", gateway.where);
    r.headers.set("Weft-Timeout", "1S");
    r.headers.set("traceparent", known);
    place p = split(text_of(c.send(std::move(r))));
    EXPECT_EQ(p.trace, known_trace);
    EXPECT_EQ(p.parent, "00f067aa0ba902b7");
    EXPECT_EQ(p.sampled, "sampled");
    EXPECT_GT(std::stoi(p.left), 10'000);
    EXPECT_LE(std::stoi(p.left), 20'000);
    // Without one a trace begins; each its own.
    const place one = split(text_of(c.get(background(), gateway.where)));
    const place two = split(text_of(c.get(background(), gateway.where)));
    EXPECT_EQ(one.parent, "0000000000000000");
    EXPECT_EQ(one.sampled, "unsampled");
    EXPECT_NE(one.trace, two.trace);
    // Not everybody outside is believed.
    const served wary(
        http::chain(tell_place, {http::gateway_entry({.sampled = 1.0, .continue_trace = false})}));
    http::request stranger("GET", wary.where);
    stranger.headers.set("traceparent", known);
    p = split(text_of(c.send(std::move(stranger))));
    EXPECT_NE(p.trace, known_trace);
    EXPECT_EQ(p.sampled, "sampled");
  });
}

// Row 2: an internal call inherits what remains of the deadline, and the trace; over two hops.
TEST(http_propagation, internal_calls) {
  weft::run([] {
    const http::client c = propagating();
    const served ledger(http::chain(tell_place, {http::internal_entry()}));
    const served risk(http::chain(
        [&](http::response_writer& w, http::request& r) {
          const std::string own = place_of(r.ctx());  // before the call
          (void)w.write(own + '\n' + text_of(c.get(r.ctx(), ledger.where)));
        },
        {http::internal_entry()}));
    const served gateway(http::chain(
        [&](http::response_writer& w, http::request& r) {
          const std::string own = place_of(r.ctx());
          (void)w.write(own + '\n' + text_of(c.get(r.ctx(), risk.where)));
        },
        {http::gateway_entry({.timeout = 9s})}));
    http::request r("GET", gateway.where);
    r.headers.set("traceparent", known);
    r.headers.set("tracestate", "vendor=1");
    const std::string all = text_of(http::client().send(std::move(r)));
    const size_t first = all.find('\n');
    const size_t second = all.find('\n', first + 1);
    ASSERT_NE(second, std::string::npos) << all;
    const place a = split(all.substr(0, first));
    const place b = split(all.substr(first + 1, second - first - 1));
    const place d = split(all.substr(second + 1));
    for (const place& p : {a, b, d}) {
      EXPECT_EQ(p.trace, known_trace);
      EXPECT_EQ(p.sampled, "sampled");
      EXPECT_LE(std::stoi(p.left), 9'000);
      EXPECT_GT(std::stoi(p.left), 1'000);
    }
    // Each hop has a span of its own, and each call had one as well.
    EXPECT_NE(b.parent, a.parent);
    EXPECT_NE(d.parent, b.parent);
    EXPECT_NE(b.span, a.span);
    EXPECT_LE(std::stoi(b.left), std::stoi(a.left));
    EXPECT_LE(std::stoi(d.left), std::stoi(b.left));
  });
}

TEST(http_propagation, what_an_internal_server_refuses) {
  weft::run([] {
    const served s(http::chain(tell_place, {http::internal_entry({.timeout_max = 5s})}));
    const http::client c;
    const auto with = [&](const char* timeout) {
      http::request r("GET", s.where);
      if (timeout != nullptr) r.headers.set("Weft-Timeout", timeout);
      return c.send(std::move(r));
    };
    EXPECT_EQ(with("0m")->status, 504);
    EXPECT_EQ(with("soon")->status, 400);
    EXPECT_LE(std::stoi(split(text_of(with("1H"))).left), 5'000);
    EXPECT_LE(std::stoi(split(text_of(with(nullptr))).left), 5'000);
    EXPECT_LE(std::stoi(split(text_of(with("1S"))).left), 1'000);
  });
}

TEST(http_propagation, the_callee_stops_when_the_caller_would) {
  weft::run([] {
    const served s(
        http::chain([](http::response_writer&, http::request& r) { r.ctx().done().recv(); },
                    {http::internal_entry()}));
    auto [ctx, cancel] = with_timeout(background(), 50ms);
    // The answer of 504 and our own deadline race; both end the call.
    const result<http::response> r = propagating().get(ctx, s.where);
    if (r)
      EXPECT_EQ(r->status, 504);
    else
      EXPECT_TRUE(r.error().timeout());
  });
}

TEST(http_propagation, only_if_asked_for) {
  weft::run([] {
    const served s([](http::response_writer& w, http::request& r) {
      (void)w.write(std::string(r.headers.has("traceparent") ? "trace " : "") +
                    (r.headers.has("Weft-Timeout") ? "timeout" : ""));
    });
    const context ctx = http::with_identity(background(), trace_identity::begin(true));
    EXPECT_EQ(text_of(http::client().get(ctx, s.where)), "");
    EXPECT_EQ(text_of(propagating().get(ctx, s.where)), "trace timeout");
    EXPECT_EQ(text_of(propagating().with_request_timeout(0s).get(ctx, s.where)), "trace ");
  });
}

// Row 3: a message carries the trace and no deadline.
TEST(http_propagation, messages) {
  header h;
  h.add("traceparent", known);
  const context sender = http::with_identity(background(), *http::extract_trace(h));
  auto [ctx, cancel] = with_timeout(sender, 1s);
  header message{{"Weft-Timeout", "1S"}, {"Other", "kept"}};
  http::inject_message(ctx, message);
  EXPECT_FALSE(message.has("Weft-Timeout"));
  EXPECT_EQ(message.get("Other"), "kept");
  const context receiver = http::extract_message(message);
  EXPECT_FALSE(receiver.deadline());
  const trace_identity* identity = http::identity_of(receiver);
  ASSERT_NE(identity, nullptr);
  EXPECT_EQ(identity->trace_id_text(), known_trace);
  EXPECT_TRUE(identity->sampled);
  EXPECT_NE(identity->parent_id, http::identity_of(sender)->parent_id);
  // Also beyond the sender's end.
  cancel();
  EXPECT_FALSE(receiver.err());
  // A message from nowhere begins a trace.
  EXPECT_NE(http::identity_of(http::extract_message(header())), nullptr);
  // The receiver's own limits stay.
  auto [limited, stop] = with_timeout(background(), 5s);
  EXPECT_EQ(http::extract_message(message, limited).deadline(), limited.deadline());
}

}  // namespace
