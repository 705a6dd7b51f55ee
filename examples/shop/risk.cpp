// SPDX-License-Identifier: Apache-2.0
// Rules: the amount, and how many orders of a customer in a minute.
#include "risk.hpp"

#include <algorithm>
#include <chrono>
#include <memory>

#include "service.hpp"
#include "weft/sync/select.hpp"
#include "weft/sync/sharded_map.hpp"

namespace shop {

namespace {

struct window {
  int64_t minute = 0;
  int64_t orders = 0;
};

class rules {
 public:
  explicit rules(live_settings from) : from_(std::move(from)) {}

  void assess(weft::http::response_writer& w, weft::http::request& r) {
    const auto asked = weft::http::read_json<assessment_request>(r.body);
    if (!asked) return reply_problem(w, 400, asked.error().message());
    if (asked->customer.empty() || asked->amount_cents < 0)
      return reply_problem(w, 400, "an assessment needs a customer, and an amount of 0 or more");
    const auto now = from_.get();
    const risk_settings& limits = now->risk;
    if (limits.think_us > 0) {
      bool given_up = false;
      weft::select(weft::after(std::chrono::microseconds(limits.think_us), [] {}),
                   weft::on_done(r.ctx(), [&] { given_up = true; }));
      // Nobody waits for the answer any more.
      if (given_up)
        return r.ctx().err().timeout() ? reply_problem(w, 504, "risk did not answer in time")
                                       : reply_problem(w, 503, "canceled");
    }
    (void)weft::http::write_json(w, 200, judge(limits, *asked));
  }

 private:
  assessment judge(const risk_settings& limits, const assessment_request& asked) {
    const int64_t amount = asked.amount_cents;
    const int64_t score = limits.deny_above_cents > 0
                              ? std::min<int64_t>(100, amount * 100 / limits.deny_above_cents)
                              : 100;
    if (count(asked.customer) > limits.orders_per_minute_max)
      return {"deny", 100, "more orders in a minute than orders_per_minute_max"};
    if (amount > limits.deny_above_cents) return {"deny", score, "the amount is above the limit"};
    if (amount > limits.review_above_cents) return {"review", score, "a person looks at it"};
    return {"approve", score, ""};
  }

  int64_t count(const std::string& customer) {
    using namespace std::chrono;
    const int64_t minute = duration_cast<minutes>(weft::now().time_since_epoch()).count();
    int64_t orders = 0;
    seen_.update(customer, [&](window& of) {
      if (of.minute != minute) of = {minute, 0};
      orders = ++of.orders;
    });
    return orders;
  }

  live_settings from_;
  weft::sharded_map<std::string, window> seen_;
};

}  // namespace

weft::http::handler make_risk(const live_settings& from) {
  auto by = std::make_shared<rules>(from);
  auto routes = std::make_shared<weft::http::mux>();
  routes->handle("POST /v1/assessments", [by](auto& w, auto& r) { by->assess(w, r); });
  routes->handle("GET /healthz", [](auto& w, auto&) { (void)w.write("ok\n"); });
  return [routes](weft::http::response_writer& w, weft::http::request& r) { (*routes)(w, r); };
}

}  // namespace shop
