// SPDX-License-Identifier: Apache-2.0
// The three services in one process, each on a port of its own.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "gateway.hpp"
#include "ledger.hpp"
#include "messages.hpp"
#include "risk.hpp"
#include "service.hpp"
#include "weft/http/propagation.hpp"
#include "weft/net/listener.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sched/task.hpp"
#include "weft/sync/chan.hpp"

namespace {

using namespace std::chrono_literals;
using weft::http::request;
using weft::http::response_writer;

template <class F>
void until(F condition) {
  while (!condition()) weft::sleep_for(1ms);  // what other goroutines count
}

class running {
 public:
  explicit running(weft::http::handler h)
      : server({.handler = std::move(h)}),
        on(weft::net::listen("tcp", "127.0.0.1:0").value()),
        served(weft::spawn([this] { return server.serve(on); })) {}
  ~running() {
    server.close();
    (void)served.join();
    until([&] { return server.stats().connections_now == 0; });
  }
  [[nodiscard]] std::string url() const { return "http://" + on.addr().string(); }

  weft::http::server server;
  weft::net::listener on;
  weft::task<weft::result<void>> served;
};

/// All of it. `think_us` is the risk model's.
class world {
 public:
  explicit world(int64_t deadline_ms = 10'000, int64_t think_us = 0,
                 weft::http::handler instead_of_risk = nullptr)
      : path_(testing::TempDir() + "weft_shop_" + std::to_string(::getpid()) + ".json") {
    write("http://127.0.0.1:1", "http://127.0.0.1:1", deadline_ms, think_us);
    const auto from = shop::live_settings::open(path_).value();
    risk.emplace(instead_of_risk ? instead_of_risk
                                 : weft::http::internal_entry()(shop::make_risk(from)));
    ledger.emplace(weft::http::internal_entry()(
        shop::make_ledger(from, shop::open_sqlite(":memory:").value())));
    write(risk->url(), ledger->url(), deadline_ms, think_us);
    const auto known = shop::live_settings::open(path_).value();
    stop_ = weft::with_cancel(weft::background());
    gateway.emplace(
        shop::make_gateway(known, shop::make_client({}), shop::start_receipts(stop_->ctx)));
  }
  ~world() {
    // Whoever watches the file goes before it does.
    gateway.reset();
    ledger.reset();
    risk.reset();
    stop_->cancel();
    std::remove(path_.c_str());
  }

  [[nodiscard]] weft::result<weft::http::response> order(std::string_view body,
                                                         std::string_view key = {}) const {
    request r("POST", gateway->url() + "/v1/orders", body);
    if (!key.empty()) r.headers.set("Idempotency-Key", key);
    return client.send(std::move(r));
  }

  std::optional<running> risk, ledger, gateway;
  weft::http::client client;

 private:
  void write(const std::string& risk_url, const std::string& ledger_url, int64_t deadline_ms,
             int64_t think_us) const {
    const std::string fresh = path_ + ".new";
    std::ofstream(fresh) << R"({"gateway":{"risk_url":")" << risk_url << R"(","ledger_url":")"
                         << ledger_url << R"(","deadline_ms":)" << deadline_ms
                         << R"(},"risk":{"think_us":)" << think_us << "}}";
    ASSERT_EQ(std::rename(fresh.c_str(), path_.c_str()), 0);
  }

  std::string path_;
  std::optional<weft::context_and_cancel> stop_;
};

constexpr std::string_view kettle =
    R"({"customer":"ada","items":[{"sku":"kettle","quantity":2,"unit_price_cents":1999}]})";

TEST(Shop, OrdersCrossThreeServices) {
  weft::run([] {
    const world w;
    auto got = w.order(kettle, "k1");
    ASSERT_TRUE(got) << got.error().message();
    EXPECT_EQ(got->status, 201);
    const auto first = weft::http::read_json<shop::order_answer>(got->body).value();
    EXPECT_EQ(first.status, "accepted");
    EXPECT_EQ(first.total_cents, 3998);
    EXPECT_FALSE(first.repeated);
    // The same order again moves no money.
    got = w.order(kettle, "k1");
    EXPECT_EQ(got->status, 200);
    const auto again = weft::http::read_json<shop::order_answer>(got->body).value();
    EXPECT_TRUE(again.repeated);
    EXPECT_EQ(again.transfer_id, first.transfer_id);
    // Another order with the same key is a mistake.
    EXPECT_EQ(
        w.order(R"({"customer":"ada","items":[{"sku":"tea","unit_price_cents":5}]})", "k1")->status,
        409);
    EXPECT_EQ(w.order(R"({"customer":"ada","items":[{"sku":"house","unit_price_cents":40000000}]})")
                  ->status,
              422);
    auto left = w.client.get(weft::background(), w.gateway->url() + "/v1/customers/ada");
    EXPECT_EQ(weft::http::read_json<shop::account_answer>(left->body)->balance_cents,
              1'000'000'000 - 3998);
    EXPECT_EQ(w.client.get(weft::background(), w.gateway->url() + "/v1/customers/nobody")->status,
              404);
  });
}

TEST(Shop, BadOrdersSayWhy) {
  weft::run([] {
    const world w;
    const auto said = [&](std::string_view body) {
      auto got = w.order(body);
      EXPECT_EQ(got->status, 400);
      return weft::http::read_json<shop::problem>(got->body)->error;
    };
    EXPECT_NE(said(R"({"customer":"a","items":[{"sku":"x","quantity":"two"}]})")
                  .find("$.items[0].quantity"),
              std::string::npos);
    EXPECT_NE(said("{").find("json"), std::string::npos);
    EXPECT_NE(said(R"({"customer":"a","items":[]})").find("1 to 100 items"), std::string::npos);
    EXPECT_NE(said(R"({"customer":"@shop","items":[{"sku":"x"}]})").find("customer"),
              std::string::npos);
  });
}

TEST(Shop, TheDeadlineEndsTheWorkBehindIt) {
  weft::run([] {
    const world w(50, 60'000'000);
    const auto begun = weft::now();
    auto got = w.order(kettle);
    ASSERT_TRUE(got);
    EXPECT_EQ(got->status, 504);
    EXPECT_LT(weft::now() - begun, 50s);
    // risk has stopped thinking: nobody would have read its answer.
    until([&] { return w.risk->server.stats().requests_now == 0; });
  });
}

TEST(Shop, AClientThatLeavesEndsTheWorkBehindIt) {
  weft::run([] {
    const world w(50'000, 60'000'000);
    auto [ctx, cancel] = weft::with_cancel(weft::background());
    auto asking = weft::spawn([&w, given = ctx] {
      request r("POST", w.gateway->url() + "/v1/orders", kettle);
      r.set_context(given);
      return w.client.send(std::move(r));
    });
    until([&] { return w.risk->server.stats().requests_now == 1; });
    cancel();
    EXPECT_TRUE(asking.join().error().is(weft::canceled));
    until([&] { return w.risk->server.stats().requests_now == 0; });
    until([&] { return w.gateway->server.stats().requests_now == 0; });
  });
}

TEST(Shop, TheTraceGoesOnAndTheDeadlineIsTheGateways) {
  weft::run([] {
    const auto seen = weft::make_chan<std::string>(2);
    const world w(5000, 0, [seen](response_writer& writer, request& r) {
      seen.send(std::string(r.headers.get("Traceparent")));
      seen.send(std::string(r.headers.get("Weft-Timeout")));
      (void)weft::http::write_json(writer, 200, shop::assessment{"approve", 1, ""});
    });
    request r("POST", w.gateway->url() + "/v1/orders", kettle);
    const std::string trace = "0af7651916cd43dd8448eb211c80319c";
    r.headers.set("Traceparent", "00-" + trace + "-b7ad6b7169203331-01");
    // The world outside does not set our deadlines.
    r.headers.set("Weft-Timeout", "1n");
    ASSERT_EQ(w.client.send(std::move(r))->status, 201);
    const std::string parent = *seen.recv();
    EXPECT_EQ(parent.substr(3, 32), trace);
    EXPECT_NE(parent.substr(36, 16), "b7ad6b7169203331");
    const auto left = weft::http::parse_timeout(*seen.recv());
    ASSERT_TRUE(left);
    EXPECT_GT(*left, 0s);
    EXPECT_LE(*left, 5s);
  });
}

TEST(Shop, APeerThatIsDownIsNamed) {
  weft::run([] {
    world w;
    w.ledger->server.close();
    until([&] { return w.ledger->server.stats().connections_now == 0; });
    auto got = w.order(kettle);
    EXPECT_EQ(got->status, 502);
    EXPECT_NE(weft::http::read_json<shop::problem>(got->body)->error.find("ledger"),
              std::string::npos);
  });
}

}  // namespace
