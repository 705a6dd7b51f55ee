// SPDX-License-Identifier: Apache-2.0
// SUBSCRIBE and its family.
#include "commands.hpp"
#include "server.hpp"

namespace kv {

namespace {

void confirm(session& s, std::string_view what, const std::string_view* name) {
  s.out.array(3);
  s.out.bulk(what);
  if (name != nullptr)
    s.out.bulk(*name);
  else
    s.out.nil();
  s.out.integer(s.subscriptions != nullptr ? static_cast<int64_t>(s.subscriptions->count()) : 0);
}

/// From here on replies go through the subscriber's queue. What was replied before goes out first.
subscriber& subscriptions_of(session& s) {
  if (s.subscriptions == nullptr) {
    if (!s.flush()) s.closing = true;
    s.subscriptions = std::make_unique<subscriber>(s.connection);
  }
  return *s.subscriptions;
}

/// Joins the audience of every name and confirms each; `join` and `known` say which of the two
/// kinds.
void join_all(session& s, arguments names, std::string_view what,
              const std::set<std::string, std::less<>> subscriber::* known,
              pubsub::join_function join) {
  subscriber& me = subscriptions_of(s);
  (void)s.flush();  // what was replied before comes first
  for (const std::string_view name : names) {
    const bool knew = (me.*known).contains(name);
    reply confirmation;
    confirmation.array(3);
    confirmation.bulk(what);
    confirmation.bulk(name);
    confirmation.integer(static_cast<int64_t>(me.count() + (knew ? 0 : 1)));
    (s.srv.channels().*join)(me, name, std::move(confirmation.text()));
  }
}

void subscribe(session& s, arguments a) {
  join_all(s, a.subspan(1), "subscribe", &subscriber::channels, &pubsub::subscribe);
}

void psubscribe(session& s, arguments a) {
  join_all(s, a.subspan(1), "psubscribe", &subscriber::patterns, &pubsub::subscribe_pattern);
}

void unsubscribe(session& s, arguments a) {
  std::vector<std::string> names(a.begin() + 1, a.end());
  if (names.empty() && s.subscriptions != nullptr)
    names.assign(s.subscriptions->channels.begin(), s.subscriptions->channels.end());
  if (names.empty()) confirm(s, "unsubscribe", nullptr);
  for (const std::string& name : names) {
    if (s.subscriptions != nullptr) s.srv.channels().unsubscribe(*s.subscriptions, name);
    const std::string_view view = name;
    confirm(s, "unsubscribe", &view);
  }
}

void punsubscribe(session& s, arguments a) {
  std::vector<std::string> names(a.begin() + 1, a.end());
  if (names.empty() && s.subscriptions != nullptr)
    names.assign(s.subscriptions->patterns.begin(), s.subscriptions->patterns.end());
  if (names.empty()) confirm(s, "punsubscribe", nullptr);
  for (const std::string& name : names) {
    if (s.subscriptions != nullptr) s.srv.channels().unsubscribe_pattern(*s.subscriptions, name);
    const std::string_view view = name;
    confirm(s, "punsubscribe", &view);
  }
}

void publish(session& s, arguments a) { s.out.integer(s.srv.channels().publish(a[1], a[2])); }

void inspect(session& s, arguments a) {
  pubsub& all = s.srv.channels();
  if (is_word(a[1], "channels") && a.size() <= 3) {
    const auto names = all.channels(a.size() == 3 ? a[2] : std::string_view{});
    s.out.array(names.size());
    for (const std::string& name : names) s.out.bulk(name);
  } else if (is_word(a[1], "numsub")) {
    s.out.array((a.size() - 2) * 2);
    for (const std::string_view name : a.subspan(2)) {
      s.out.bulk(name);
      s.out.integer(all.subscribers(name));
    }
  } else if (is_word(a[1], "numpat") && a.size() == 2) {
    s.out.integer(all.patterns());
  } else {
    s.out.error("ERR unknown subcommand or wrong number of arguments for '" + std::string(a[1]) +
                "'. Try PUBSUB HELP.");
  }
}

constexpr command table_of_pubsub[] = {
    {"subscribe", -2, subscribe, "pubsub noscript loading stale", 0, 0, 0},
    {"unsubscribe", -1, unsubscribe, "pubsub noscript loading stale", 0, 0, 0},
    {"psubscribe", -2, psubscribe, "pubsub noscript loading stale", 0, 0, 0},
    {"punsubscribe", -1, punsubscribe, "pubsub noscript loading stale", 0, 0, 0},
    {"publish", 3, publish, "pubsub loading stale fast", 0, 0, 0},
    {"pubsub", -2, inspect, "pubsub loading stale", 0, 0, 0},
};

}  // namespace

std::span<const command> pubsub_commands() noexcept { return table_of_pubsub; }

}  // namespace kv
