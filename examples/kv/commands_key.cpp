// SPDX-License-Identifier: Apache-2.0
// Commands on keys of any type.
#include <algorithm>
#include <limits>
#include <mutex>

#include "commands.hpp"
#include "glob.hpp"

namespace kv {

namespace {

void del(session& s, arguments a) {
  const locked_keys keys(s.data, a.subspan(1), s.now_ms);
  int64_t count = 0;
  for (const std::string_view name : a.subspan(1)) {
    if (entry* e = keys.find(name); e != nullptr) {
      keys.home(name).erase(e);
      ++count;
    }
  }
  s.out.integer(count);
}

void exists(session& s, arguments a) {
  const locked_keys keys(s.data, a.subspan(1), s.now_ms);
  int64_t count = 0;
  for (const std::string_view name : a.subspan(1)) count += keys.find(name) != nullptr ? 1 : 0;
  s.out.integer(count);
}

void type(session& s, arguments a) {
  const locked_key key(s.data, a[1], s.now_ms);
  const entry* e = key.find();
  s.out.simple(e != nullptr ? type_name(e->data) : "none");
}

bool alive(const entry& e, int64_t now_ms) noexcept {
  return e.expire_ms == 0 || e.expire_ms > now_ms;
}

void keys(session& s, arguments a) {
  std::vector<std::string> found;
  const bool every = a[1] == "*";
  for (size_t i = 0; i < store::shards; ++i) {
    shard& part = s.data.at(i);
    const std::scoped_lock hold(part.lock);
    part.keys().for_each([&](const entry& e) {
      if (alive(e, s.now_ms) && (every || glob_match(a[1], e.key))) found.push_back(e.key);
    });
  }
  s.out.array(found.size());
  for (const std::string& name : found) s.out.bulk(name);
}

struct scan_how {
  std::string_view pattern;
  std::string type;
  int64_t count = 10;
};

bool read_scan_options(session& s, arguments a, scan_how& how) {
  for (size_t i = 2; i < a.size(); i += 2) {
    const bool more = i + 1 < a.size();
    if (is_word(a[i], "count") && more) {
      if (!read_int(s, a[i + 1], how.count)) return false;
      if (how.count < 1) {
        s.out.error(syntax_error);
        return false;
      }
    } else if (is_word(a[i], "match") && more) {
      how.pattern = a[i + 1];
    } else if (is_word(a[i], "type") && more) {
      how.type = lower_case(a[i + 1]);
    } else {
      s.out.error(syntax_error);
      return false;
    }
  }
  return true;
}

void scan(session& s, arguments a) {
  int64_t cursor = 0;
  if (!read_int(s, a[1], cursor, "ERR invalid cursor")) return;
  scan_how how;
  if (!read_scan_options(s, a, how)) return;
  // A cursor is the bucket above the shard's six bits.
  auto shard_index = static_cast<size_t>(cursor) % store::shards;
  uint64_t bucket = static_cast<uint64_t>(cursor) / store::shards;
  std::vector<std::string> found;
  // Buckets are visited, not keys, so an empty stretch ends by count as well: Redis's factor.
  int64_t visits = std::min<int64_t>(how.count, std::numeric_limits<int64_t>::max() / 10) * 10;
  int64_t seen = 0;
  bool ended = false;
  while (!ended && visits > 0 && seen < how.count) {
    shard& part = s.data.at(shard_index);
    const std::scoped_lock hold(part.lock);
    do {
      bucket = part.keys().scan(bucket, [&](const entry& e) {
        ++seen;
        if (!alive(e, s.now_ms)) return;
        if (!how.pattern.empty() && !glob_match(how.pattern, e.key)) return;
        if (!how.type.empty() && how.type != type_name(e.data)) return;
        found.push_back(e.key);
      });
      --visits;
    } while (bucket != 0 && visits > 0 && seen < how.count);
    if (bucket == 0 && ++shard_index == store::shards) ended = true;
  }
  s.out.array(2);
  s.out.bulk(ended ? "0" : std::to_string(bucket * store::shards + shard_index));
  s.out.array(found.size());
  for (const std::string& name : found) s.out.bulk(name);
}

/// Moves the value. Reply: true when there was one to move.
bool rename_to(session& s, arguments a, bool only_if_free, bool& refused) {
  const locked_keys both(s.data, a.subspan(1, 2), s.now_ms);
  entry* from = both.find(a[1]);
  if (from == nullptr) {
    s.out.error("ERR no such key");
    return false;
  }
  entry* to = both.find(a[2]);
  refused = only_if_free && to != nullptr;
  if (refused || a[1] == a[2]) return true;
  if (to != nullptr) both.home(a[2]).erase(to);
  const int64_t expire_ms = from->expire_ms;
  value moved = std::move(from->data);
  both.home(a[1]).erase(from);
  to = both.insert(a[2]);
  to->data = std::move(moved);
  if (expire_ms != 0) both.home(a[2]).set_expiry(to, expire_ms);
  if (std::holds_alternative<std::unique_ptr<list_value>>(to->data))
    both.home(a[2]).serve_waiters(to);
  return true;
}
void rename(session& s, arguments a) {
  bool refused = false;
  if (rename_to(s, a, false, refused)) s.out.ok();
}
void renamenx(session& s, arguments a) {
  bool refused = false;
  if (rename_to(s, a, true, refused)) s.out.integer(refused ? 0 : 1);
}

void dbsize(session& s, arguments) {
  int64_t count = 0;
  for (size_t i = 0; i < store::shards; ++i) {
    shard& part = s.data.at(i);
    const std::scoped_lock hold(part.lock);
    count += static_cast<int64_t>(part.keys().size());
  }
  s.out.integer(count);
}

void flush_all(session& s, arguments a) {
  if (a.size() > 2 || (a.size() == 2 && !is_word(a[1], "async") && !is_word(a[1], "sync"))) {
    s.out.error(syntax_error);
    return;
  }
  for (size_t i = 0; i < store::shards; ++i) {
    shard& part = s.data.at(i);
    const std::scoped_lock hold(part.lock);
    part.clear();
  }
  s.out.ok();
}

void randomkey(session& s, arguments) {
  // A hash of a counter: which key does not matter, as long as it is not always the same.
  static std::atomic<uint64_t> counter{0};
  const uint64_t number = counter.fetch_add(1, std::memory_order_relaxed);
  const uint64_t start = hash_bytes({reinterpret_cast<const char*>(&number), sizeof number});
  for (size_t i = 0; i < store::shards; ++i) {
    shard& part = s.data.at((start + i) % store::shards);
    const std::scoped_lock hold(part.lock);
    if (const entry* e = part.keys().sample(start / store::shards); e != nullptr) {
      s.out.bulk(e->key);
      return;
    }
  }
  s.out.nil();
}

// --- expiry ----------------------------------------------------------------------------------

struct expiry_rule {
  bool nx = false;
  bool xx = false;
  bool gt = false;
  bool lt = false;
};

bool read_expiry_rule(session& s, arguments a, expiry_rule& rule) {
  for (size_t i = 3; i < a.size(); ++i) {
    if (is_word(a[i], "nx")) {
      rule.nx = true;
    } else if (is_word(a[i], "xx")) {
      rule.xx = true;
    } else if (is_word(a[i], "gt")) {
      rule.gt = true;
    } else if (is_word(a[i], "lt")) {
      rule.lt = true;
    } else {
      s.out.error("ERR Unsupported option " + std::string(a[i]));
      return false;
    }
  }
  if (rule.nx && (rule.xx || rule.gt || rule.lt)) {
    s.out.error("ERR NX and XX, GT or LT options at the same time are not compatible");
    return false;
  }
  if (rule.gt && rule.lt) {
    s.out.error("ERR GT and LT options at the same time are not compatible");
    return false;
  }
  return true;
}

bool allows(const expiry_rule& rule, int64_t old_ms, int64_t new_ms) noexcept {
  const bool timed = old_ms != 0;
  if (rule.nx && timed) return false;
  if (rule.xx && !timed) return false;
  if (rule.gt && (!timed || new_ms <= old_ms)) return false;
  return !(rule.lt && timed && new_ms >= old_ms);
}

void expire_at(session& s, arguments a, bool seconds, bool absolute, const char* name) {
  expiry_rule rule;
  if (!read_expiry_rule(s, a, rule)) return;
  int64_t when = 0;
  if (!read_int(s, a[2], when)) return;
  bool bad = seconds && __builtin_mul_overflow(when, 1000, &when);
  if (!bad && !absolute) bad = __builtin_add_overflow(when, s.now_ms, &when);
  if (bad) {
    s.out.error("ERR invalid expire time in '" + std::string(name) + "' command");
    return;
  }
  const locked_key key(s.data, a[1], s.now_ms);
  entry* e = key.find();
  if (e == nullptr || !allows(rule, e->expire_ms, when)) {
    s.out.integer(0);
    return;
  }
  if (when <= s.now_ms)
    key.home().erase(e);
  else
    key.home().set_expiry(e, when);
  s.out.integer(1);
}
void expire(session& s, arguments a) { expire_at(s, a, true, false, "expire"); }
void pexpire(session& s, arguments a) { expire_at(s, a, false, false, "pexpire"); }
void expireat(session& s, arguments a) { expire_at(s, a, true, true, "expireat"); }
void pexpireat(session& s, arguments a) { expire_at(s, a, false, true, "pexpireat"); }

/// -2: no key, -1: no expiry, else `pick(expire_ms)`.
template <class Pick>
void reply_expiry(session& s, arguments a, Pick pick) {
  const locked_key key(s.data, a[1], s.now_ms);
  const entry* e = key.find();
  if (e == nullptr)
    s.out.integer(-2);
  else
    s.out.integer(e->expire_ms == 0 ? -1 : pick(e->expire_ms));
}
void ttl(session& s, arguments a) {
  reply_expiry(s, a, [&](int64_t when) { return (when - s.now_ms + 500) / 1000; });
}
void pttl(session& s, arguments a) {
  reply_expiry(s, a, [&](int64_t when) { return when - s.now_ms; });
}
void expiretime(session& s, arguments a) {
  reply_expiry(s, a, [](int64_t when) { return (when + 500) / 1000; });
}
void pexpiretime(session& s, arguments a) {
  reply_expiry(s, a, [](int64_t when) { return when; });
}

void persist(session& s, arguments a) {
  const locked_key key(s.data, a[1], s.now_ms);
  entry* e = key.find();
  const bool timed = e != nullptr && e->expire_ms != 0;
  if (timed) key.home().set_expiry(e, 0);
  s.out.integer(timed ? 1 : 0);
}

constexpr command table_of_keys[] = {
    {"del", -2, del, "write", 1, -1, 1},
    {"unlink", -2, del, "write fast", 1, -1, 1},
    {"exists", -2, exists, "readonly fast", 1, -1, 1},
    {"touch", -2, exists, "readonly fast", 1, -1, 1},
    {"type", 2, type, "readonly fast", 1, 1, 1},
    {"keys", 2, keys, "readonly", 0, 0, 0},
    {"scan", -2, scan, "readonly", 0, 0, 0},
    {"rename", 3, rename, "write", 1, 2, 1},
    {"renamenx", 3, renamenx, "write fast", 1, 2, 1},
    {"randomkey", 1, randomkey, "readonly", 0, 0, 0},
    {"dbsize", 1, dbsize, "readonly fast", 0, 0, 0},
    {"flushall", -1, flush_all, "write", 0, 0, 0},
    {"flushdb", -1, flush_all, "write", 0, 0, 0},
    {"expire", -3, expire, "write fast", 1, 1, 1},
    {"pexpire", -3, pexpire, "write fast", 1, 1, 1},
    {"expireat", -3, expireat, "write fast", 1, 1, 1},
    {"pexpireat", -3, pexpireat, "write fast", 1, 1, 1},
    {"ttl", 2, ttl, "readonly fast", 1, 1, 1},
    {"pttl", 2, pttl, "readonly fast", 1, 1, 1},
    {"expiretime", 2, expiretime, "readonly fast", 1, 1, 1},
    {"pexpiretime", 2, pexpiretime, "readonly fast", 1, 1, 1},
    {"persist", 2, persist, "write fast", 1, 1, 1},
};

}  // namespace

std::span<const command> key_commands() noexcept { return table_of_keys; }

}  // namespace kv
