// SPDX-License-Identifier: Apache-2.0
// The ledger in PostgreSQL. A transfer is one call of a function on the server, so it is one round
// trip and one transaction: the accounts are locked in the order of their ids, then the key is
// looked for, then the money moves. Whoever comes second with a key waits for the first one's lock
// and then sees its transfer.
#include <array>
#include <chrono>
#include <utility>

#include "postgres_client.hpp"
#include "store.hpp"

namespace shop {

namespace {

/// One at a time makes the tables: `if not exists` alone fails when two do.
constexpr const char* schema = R"sql(
select pg_advisory_xact_lock(727461);
create table if not exists accounts(
  id text primary key, balance_cents bigint not null);
create table if not exists transfers(
  id bigint generated always as identity primary key, key text not null unique,
  from_id text not null, to_id text not null, amount_cents bigint not null, memo text not null,
  at_ms bigint not null);
create index if not exists transfers_from on transfers(from_id, id);
create index if not exists transfers_to on transfers(to_id, id);
create or replace function shop_move(k text, f text, t text, cents bigint, m text)
returns table(verdict text, id bigint, at_ms bigint, memo text) language plpgsql as $$
declare
  there int;
  had bigint;
  old transfers%rowtype;
begin
  select count(*) into there from (
    select 1 from accounts a where a.id in (f, t) order by a.id for update) as locked;
  loop
    select * into old from transfers x where x.key = k;
    if found then
      if old.from_id = f and old.to_id = t and old.amount_cents = cents then
        return query select 'repeated', old.id, old.at_ms, old.memo;
      else
        return query select 'conflict', 0::bigint, 0::bigint, ''::text;
      end if;
      return;
    end if;
    if there < 2 then
      return query select 'no account', 0::bigint, 0::bigint, ''::text;
      return;
    end if;
    select a.balance_cents into had from accounts a where a.id = f;
    if had < cents and left(f, 1) <> '@' then
      return query select 'no funds', 0::bigint, 0::bigint, ''::text;
      return;
    end if;
    insert into transfers(key, from_id, to_id, amount_cents, memo, at_ms)
      values(k, f, t, cents, m, floor(extract(epoch from clock_timestamp()) * 1000)::bigint)
      on conflict (key) do nothing returning * into old;
    if found then
      update accounts a set balance_cents = a.balance_cents - cents where a.id = f;
      update accounts a set balance_cents = a.balance_cents + cents where a.id = t;
      return query select 'moved', old.id, old.at_ms, old.memo;
      return;
    end if;
    -- The same key between other accounts has been committed in between: it is seen now.
  end loop;
end $$;
)sql";

class postgres_store final : public ledger_store {
 public:
  postgres_store(const std::string& dsn, int connections_max)
      : pool_({.dsn = dsn, .connections_max = connections_max, .setup = {}}) {}

  [[nodiscard]] weft::result<void> open(const weft::context& ctx) {
    return pool_.execute(ctx, schema);
  }

  [[nodiscard]] std::string_view kind() const noexcept override { return "postgres"; }

  [[nodiscard]] weft::result<account> open_account(const weft::context& ctx, std::string_view id,
                                                   int64_t balance_cents) override {
    // What another transaction has just added is not in this statement's snapshot: hence the second
    // part.
    auto made = pool_.query(ctx,
                            "insert into accounts(id, balance_cents) values($1, $2::bigint) "
                            "on conflict do nothing returning balance_cents",
                            {std::string(id), std::to_string(balance_cents)});
    if (!made) return weft::fail(made.error());
    if (made->size() == 1) return account{std::string(id), made->number(0, 0)};
    return find_account(ctx, id);
  }

  [[nodiscard]] weft::result<account> find_account(const weft::context& ctx,
                                                   std::string_view id) override {
    auto found =
        pool_.query(ctx, "select balance_cents from accounts where id = $1", {std::string(id)});
    if (!found) return weft::fail(found.error());
    if (found->size() == 0) return weft::fail(no_such_account);
    return account{std::string(id), found->number(0, 0)};
  }

  [[nodiscard]] weft::result<moved> move(const weft::context& ctx,
                                         const transfer& wanted) override {
    auto got = pool_.query(
        ctx,
        "select verdict, id, at_ms, memo "
        "from shop_move($1, $2, $3, $4::bigint, $5)",
        {wanted.key, wanted.from, wanted.to, std::to_string(wanted.amount_cents), wanted.memo});
    if (!got) return weft::fail(got.error());
    const std::string verdict = got->text(0, 0);
    if (verdict == "conflict") return weft::fail(key_conflict);
    if (verdict == "no account") return weft::fail(no_such_account);
    if (verdict == "no funds") return weft::fail(insufficient_funds);
    moved made{wanted, verdict == "repeated"};
    made.what.id = got->number(0, 1);
    made.what.at_ms = got->number(0, 2);
    made.what.memo = got->text(0, 3);
    return made;
  }

  [[nodiscard]] weft::result<std::vector<transfer>> history(const weft::context& ctx,
                                                            std::string_view account_id,
                                                            int limit) override {
    const std::string part =
        "(select id, key, from_id, to_id, amount_cents, memo, at_ms from transfers where ";
    auto got = pool_.query(ctx,
                           part + "from_id = $1 order by id desc limit $2::bigint) union " + part +
                               "to_id = $1 order by id desc limit $2::bigint) "
                               "order by id desc limit $2::bigint",
                           {std::string(account_id), std::to_string(limit)});
    if (!got) return weft::fail(got.error());
    std::vector<transfer> all;
    for (size_t i = 0; i < got->size(); ++i)
      all.push_back({.id = got->number(i, 0),
                     .key = got->text(i, 1),
                     .from = got->text(i, 2),
                     .to = got->text(i, 3),
                     .amount_cents = got->number(i, 4),
                     .memo = got->text(i, 5),
                     .at_ms = got->number(i, 6)});
    return all;
  }

 private:
  pg::pool pool_;
};

}  // namespace

weft::result<std::unique_ptr<ledger_store>> open_postgres(const weft::context& ctx,
                                                          const std::string& dsn,
                                                          int connections_max) {
  auto store = std::make_unique<postgres_store>(dsn, connections_max);
  if (auto opened = store->open(ctx); !opened) return weft::fail(opened.error());
  return store;
}

}  // namespace shop
