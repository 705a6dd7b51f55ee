// SPDX-License-Identifier: Apache-2.0
// Orders: checked, assessed, paid for, and a receipt queued.
#include "gateway.hpp"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <utility>

#include "service.hpp"
#include "sickness.hpp"
#include "weft/http/propagation.hpp"
#include "weft/observe/flight_recorder.hpp"
#include "weft/observe/prof.hpp"
#include "weft/observe/trace.hpp"
#include "weft/sched/go.hpp"
#include "weft/sync/chan.hpp"
#include "weft/sync/select.hpp"

namespace shop {

namespace {

constexpr size_t items_max = 100;
constexpr int64_t quantity_max = 1000;
constexpr int64_t price_cents_max = 100'000'000;
constexpr int receipts_queued_max = 4096;

struct stats_answer {
  uint64_t accepted = 0;
  uint64_t review = 0;
  uint64_t denied = 0;
  uint64_t failed = 0;
  uint64_t receipts_written = 0;
  uint64_t receipts_dropped = 0;
  uint64_t settings_reloaded = 0;
  uint64_t settings_refused = 0;
  uint64_t peer_connections_dialed = 0;
  uint64_t peer_connections_reused = 0;
  uint64_t peer_requests_retried = 0;
};

}  // namespace

/// A message as a broker would have it: fields beside the content.
struct receipt_message {
  weft::http::header fields;
  order_answer order;
};

class receipts {
 public:
  /// Full: the order stands, its receipt is counted as dropped.
  void put(const weft::context& ctx, const order_answer& order) {
    auto message = std::make_unique<receipt_message>();
    message->order = order;
    weft::http::inject_message(ctx, message->fields);
    if (!queue_.try_send(std::move(message))) ++dropped;
  }
  void run(const weft::context& ctx) {
    for (bool open = true; open;)
      weft::select(weft::on_recv(queue_,
                                 [&](std::optional<std::unique_ptr<receipt_message>> m) {
                                   // It goes on with the order's trace; the order's deadline is
                                   // over.
                                   const weft::context of =
                                       weft::http::extract_message((*m)->fields);
                                   if (!of.deadline()) ++written;
                                 }),
                   weft::on_done(ctx, [&] { open = false; }));
  }
  std::atomic<uint64_t> written{0};
  std::atomic<uint64_t> dropped{0};

 private:
  weft::chan<std::unique_ptr<receipt_message>> queue_ =
      weft::make_chan<std::unique_ptr<receipt_message>>(receipts_queued_max);
};

std::shared_ptr<receipts> start_receipts(const weft::context& ctx) {
  auto made = std::make_shared<receipts>();
  weft::go({.name = "receipts"}, [made, ctx] { made->run(ctx); });
  return made;
}

namespace {

/// Empty, or what is wrong with the order; `total` is its sum.
std::string check(const order_request& order, int64_t& total) {
  if (order.customer.empty() || order.customer.size() > 64 || order.customer.starts_with('@'))
    return "customer must be 1 to 64 bytes, and not begin with @";
  if (order.items.empty() || order.items.size() > items_max)
    return "an order has 1 to " + std::to_string(items_max) + " items";
  total = 0;
  for (const order_item& item : order.items) {
    if (item.sku.empty()) return "an item needs a sku";
    if (item.quantity < 1 || item.quantity > quantity_max)
      return "the quantity of " + item.sku + " must be 1 to " + std::to_string(quantity_max);
    if (item.unit_price_cents < 0 || item.unit_price_cents > price_cents_max)
      return "the price of " + item.sku + " must be 0 to " + std::to_string(price_cents_max) +
             " cents";
    total += item.quantity * item.unit_price_cents;
  }
  return {};
}

class counter {
 public:
  counter(live_settings from, weft::http::client client, std::shared_ptr<receipts> to)
      : from_(std::move(from)), client_(std::move(client)), receipts_(std::move(to)) {}

  void place(weft::http::response_writer& w, weft::http::request& r) {
    const weft::trace::task task(r.ctx(), "order");
    const weft::context& ctx = task.ctx();
    const auto order = weft::http::read_json<order_request>(r.body);
    if (!order) return reply_problem(w, 400, order.error().message());
    order_answer answer;
    if (const std::string wrong = check(*order, answer.total_cents); !wrong.empty())
      return reply_problem(w, 400, wrong);
    answer.customer = order->customer;
    answer.id = id_of(r);

    if (has(sickness::cpu) && resembles_blocked(order->customer))
      return reply_problem(w, 422, "the customer is blocked");
    if (has(sickness::goroutines)) answer.total_cents += quote_shipping(*order);
    if (has(sickness::stall)) begin_turn(ctx, order->customer);

    const auto now = from_.get();
    const auto assessed =
        ask<assessment>(client_, "risk",
                        post_json(ctx, now->gateway.risk_url + "/v1/assessments",
                                  assessment_request{order->customer, answer.total_cents}));
    if (!assessed) return fail(w, assessed.error());
    answer.risk_score = assessed->score;
    answer.reason = assessed->reason;
    if (assessed->decision == "deny") {
      ++denied_;
      answer.status = "denied";
      (void)weft::http::write_json(w, 422, answer);
      return;
    }

    weft::http::request move =
        post_json(ctx, now->gateway.ledger_url + "/v1/transfers",
                  transfer_request{order->customer, "@shop", answer.total_cents, order->note});
    move.headers.set("Idempotency-Key", answer.id);
    const auto paid = ask<transfer_answer>(client_, "ledger", std::move(move));
    if (!paid) return fail(w, paid.error());
    answer.transfer_id = paid->id;
    answer.repeated = paid->repeated;
    answer.status = assessed->decision == "review" ? "review" : "accepted";
    ++(answer.status == "review" ? review_ : accepted_);
    receipts_->put(ctx, answer);
    if (has(sickness::lock) && !audit(answer))
      std::fprintf(stderr, "gateway: %s is not in the audit file\n", answer.id.c_str());
    if (has(sickness::memory)) remember(answer);
    if (has(sickness::stall)) end_turn(answer.customer);
    (void)weft::http::write_json(w, paid->repeated ? 200 : 201, answer);
  }

  void customer(weft::http::response_writer& w, weft::http::request& r) {
    const std::string id(r.path_value("id"));
    weft::http::request get(
        "GET", from_.get()->gateway.ledger_url + "/v1/accounts/" + weft::http::path_escape(id));
    get.set_context(r.ctx());
    const auto found = ask<account_answer>(client_, "ledger", std::move(get));
    if (!found) return fail(w, found.error());
    (void)weft::http::write_json(w, 200, *found);
  }

  void stats(weft::http::response_writer& w) const {
    const weft::http::client_stats peers = client_.stats();
    (void)weft::http::write_json(w, 200,
                                 stats_answer{.accepted = accepted_,
                                              .review = review_,
                                              .denied = denied_,
                                              .failed = failed_,
                                              .receipts_written = receipts_->written,
                                              .receipts_dropped = receipts_->dropped,
                                              .settings_reloaded = from_.reloads(),
                                              .settings_refused = from_.refused(),
                                              .peer_connections_dialed = peers.dials,
                                              .peer_connections_reused = peers.reuses,
                                              .peer_requests_retried = peers.retries});
  }

 private:
  void fail(weft::http::response_writer& w, const peer_failure& why) {
    ++failed_;
    reply_problem(w, why.status, why.text);
  }
  /// The caller's key, so that an order that is sent twice is one order; else a new one.
  std::string id_of(const weft::http::request& r) {
    if (const auto key = r.headers.get("Idempotency-Key"); !key.empty() && key.size() <= 100)
      return "order-" + std::string(key);
    return "order-" + started_ + "-" + std::to_string(++last_);
  }

  live_settings from_;
  weft::http::client client_;
  std::shared_ptr<receipts> receipts_;
  const std::string started_ =
      std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count());
  std::atomic<uint64_t> last_{0};
  std::atomic<uint64_t> accepted_{0};
  std::atomic<uint64_t> review_{0};
  std::atomic<uint64_t> denied_{0};
  std::atomic<uint64_t> failed_{0};
};

}  // namespace

weft::http::handler make_gateway(const live_settings& from, const weft::http::client& client,
                                 std::shared_ptr<receipts> to) {
  auto by = std::make_shared<counter>(from, client, std::move(to));
  auto routes = std::make_shared<weft::http::mux>();
  // Profiles and lists of goroutines say for which route they are at work.
  const weft::prof::labels orders{"route", "/v1/orders"};
  routes->handle("POST /v1/orders", [by, orders](auto& w, auto& r) {
    const weft::prof::scope during(orders);
    // Where a flight recorder is on: an order takes milliseconds.
    const weft::trace::latency_watch watched("POST /v1/orders", std::chrono::milliseconds(500));
    by->place(w, r);
  });
  routes->handle("GET /v1/customers/{id}", [by](auto& w, auto& r) { by->customer(w, r); });
  routes->handle("GET /stats", [by](auto& w, auto&) { by->stats(w); });
  routes->handle("GET /healthz", [](auto& w, auto&) { (void)w.write("ok\n"); });
  // The trace goes on from the caller, the deadline is the gateway's own: the one that stands in
  // the settings now.
  const weft::http::handler limited = [routes, from](weft::http::response_writer& w,
                                                     weft::http::request& r) {
    const std::chrono::milliseconds limit(from.get()->gateway.deadline_ms);
    auto [ctx, cancel] = weft::with_timeout(r.ctx(), limit);
    r.set_context(ctx);
    (*routes)(w, r);
  };
  return weft::http::gateway_entry({.timeout = std::chrono::nanoseconds(0)})(limited);
}

}  // namespace shop
