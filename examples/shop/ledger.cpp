// SPDX-License-Identifier: Apache-2.0
// Transfers and accounts.
#include "ledger.hpp"

#include <charconv>

#include "service.hpp"

namespace shop {

namespace {

transfer_answer answer_of(const transfer& t, bool repeated) {
  return {t.id, t.from, t.to, t.amount_cents, t.memo, t.at_ms, repeated};
}

class books {
 public:
  books(live_settings from, std::shared_ptr<ledger_store> store)
      : from_(std::move(from)), store_(std::move(store)) {}

  void transfers(weft::http::response_writer& w, weft::http::request& r) {
    const std::string key(r.headers.get("Idempotency-Key"));
    if (key.empty() || key.size() > 200)
      return reply_problem(w, 400, "a transfer needs an Idempotency-Key of at most 200 bytes");
    auto asked = weft::http::read_json<transfer_request>(r.body);
    if (!asked) return reply_problem(w, 400, asked.error().message());
    if (asked->from.empty() || asked->to.empty() || asked->from == asked->to ||
        asked->amount_cents <= 0)
      return reply_problem(w, 400, "a transfer needs two accounts and an amount above zero");
    transfer wanted;
    wanted.key = key;
    wanted.from = std::move(asked->from);
    wanted.to = std::move(asked->to);
    wanted.amount_cents = asked->amount_cents;
    wanted.memo = std::move(asked->memo);
    const weft::context& ctx = r.ctx();
    weft::result<moved> made = store_->move(ctx, wanted);
    if (!made && made.error().is(no_such_account)) {
      // A customer's first order opens the account.
      const int64_t opening = from_.get()->ledger.opening_balance_cents;
      for (const std::string* id : {&wanted.from, &wanted.to}) {
        const auto opened = store_->open_account(ctx, *id, id->starts_with('@') ? 0 : opening);
        if (!opened) return failed(w, opened.error());
      }
      made = store_->move(ctx, wanted);
    }
    if (!made) return failed(w, made.error());
    (void)weft::http::write_json(w, made->repeated ? 200 : 201,
                                 answer_of(made->what, made->repeated));
  }

  void account(weft::http::response_writer& w, weft::http::request& r) {
    const auto found = store_->find_account(r.ctx(), r.path_value("id"));
    if (!found) return failed(w, found.error());
    (void)weft::http::write_json(w, 200, account_answer{found->id, found->balance_cents});
  }

  void history(weft::http::response_writer& w, weft::http::request& r) {
    constexpr int most = 1000;
    int limit = 20;
    if (const std::string text = r.query_value("limit"); !text.empty()) {
      const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), limit);
      if (bad != std::errc() || end != text.data() + text.size() || limit < 1 || limit > most)
        return reply_problem(w, 400, "limit must be a number from 1 to 1000");
    }
    const auto found = store_->history(r.ctx(), r.path_value("id"), limit);
    if (!found) return failed(w, found.error());
    std::vector<transfer_answer> all;
    for (const transfer& t : *found) all.push_back(answer_of(t, false));
    (void)weft::http::write_json(w, 200, all);
  }

 private:
  static void failed(weft::http::response_writer& w, const weft::error& why) {
    const int status = why.is(no_such_account)      ? 404
                       : why.is(insufficient_funds) ? 402
                       : why.is(key_conflict)       ? 409
                       : why.timeout()              ? 504
                       : why.is(weft::canceled)     ? 503
                                                    : 500;
    reply_problem(w, status, why.message());
  }

  live_settings from_;
  std::shared_ptr<ledger_store> store_;
};

}  // namespace

weft::http::handler make_ledger(const live_settings& from, std::shared_ptr<ledger_store> store) {
  auto by = std::make_shared<books>(from, std::move(store));
  auto routes = std::make_shared<weft::http::mux>();
  routes->handle("POST /v1/transfers", [by](auto& w, auto& r) { by->transfers(w, r); });
  routes->handle("GET /v1/accounts/{id}", [by](auto& w, auto& r) { by->account(w, r); });
  routes->handle("GET /v1/accounts/{id}/transfers", [by](auto& w, auto& r) { by->history(w, r); });
  routes->handle("GET /healthz", [](auto& w, auto&) { (void)w.write("ok\n"); });
  return [routes](weft::http::response_writer& w, weft::http::request& r) { (*routes)(w, r); };
}

}  // namespace shop
