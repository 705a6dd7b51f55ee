// SPDX-License-Identifier: Apache-2.0
// Commands on hashes.
#include "commands.hpp"

namespace kv {

namespace {

/// The hash at `key`; null if absent or of another type (`failed`: an error was replied).
hash_value* find_hash(session& s, const locked_key& key, bool& failed) {
  entry* e = key.find();
  hash_value* hash = e != nullptr ? typed<hash_value>(s, e) : nullptr;
  failed = e != nullptr && hash == nullptr;
  return hash;
}

bool put(hash_value& hash, std::string_view field, std::string_view text) {
  const auto at = hash.find(field);
  if (at != hash.end()) {
    at->second.assign(text);
    return false;
  }
  hash.emplace(field, text);
  return true;
}

int64_t put_all(session& s, arguments a, bool& failed) {
  failed = true;
  if (a.size() % 2 != 0) {
    s.out.error("ERR wrong number of arguments for '" + lower_case(a[0]) + "' command");
    return 0;
  }
  const locked_key key(s.data, a[1], s.now_ms);
  entry* e = nullptr;
  hash_value* hash = typed_or_new<hash_value>(s, key, e);
  if (hash == nullptr) return 0;
  failed = false;
  int64_t added = 0;
  for (size_t i = 2; i < a.size(); i += 2) added += put(*hash, a[i], a[i + 1]) ? 1 : 0;
  return added;
}
void hset(session& s, arguments a) {
  bool failed = false;
  const int64_t added = put_all(s, a, failed);
  if (!failed) s.out.integer(added);
}
void hmset(session& s, arguments a) {
  bool failed = false;
  (void)put_all(s, a, failed);
  if (!failed) s.out.ok();
}

void hsetnx(session& s, arguments a) {
  const locked_key key(s.data, a[1], s.now_ms);
  entry* e = nullptr;
  hash_value* hash = typed_or_new<hash_value>(s, key, e);
  if (hash != nullptr) s.out.integer(hash->try_emplace(std::string(a[2]), a[3]).second ? 1 : 0);
}

void reply_field(session& s, const hash_value* hash, std::string_view field) {
  if (hash != nullptr) {
    if (const auto at = hash->find(field); at != hash->end()) {
      s.out.bulk(at->second);
      return;
    }
  }
  s.out.nil();
}

void hget(session& s, arguments a) {
  const locked_key key(s.data, a[1], s.now_ms);
  bool failed = false;
  const hash_value* hash = find_hash(s, key, failed);
  if (!failed) reply_field(s, hash, a[2]);
}

void hmget(session& s, arguments a) {
  const locked_key key(s.data, a[1], s.now_ms);
  bool failed = false;
  const hash_value* hash = find_hash(s, key, failed);
  if (failed) return;
  s.out.array(a.size() - 2);
  for (const std::string_view field : a.subspan(2)) reply_field(s, hash, field);
}

void list_hash(session& s, arguments a, bool fields, bool texts) {
  const locked_key key(s.data, a[1], s.now_ms);
  bool failed = false;
  const hash_value* hash = find_hash(s, key, failed);
  if (failed) return;
  s.out.array(hash == nullptr ? 0 : hash->size() * (fields && texts ? 2 : 1));
  if (hash == nullptr) return;
  for (const auto& [field, text] : *hash) {
    if (fields) s.out.bulk(field);
    if (texts) s.out.bulk(text);
  }
}
void hgetall(session& s, arguments a) { list_hash(s, a, true, true); }
void hkeys(session& s, arguments a) { list_hash(s, a, true, false); }
void hvals(session& s, arguments a) { list_hash(s, a, false, true); }

void hdel(session& s, arguments a) {
  const locked_key key(s.data, a[1], s.now_ms);
  bool failed = false;
  hash_value* hash = find_hash(s, key, failed);
  if (failed) return;
  int64_t count = 0;
  if (hash != nullptr) {
    for (const std::string_view field : a.subspan(2)) {
      if (const auto at = hash->find(field); at != hash->end()) {
        hash->erase(at);
        ++count;
      }
    }
    if (hash->empty()) key.home().erase(key.find());
  }
  s.out.integer(count);
}

void hexists(session& s, arguments a) {
  const locked_key key(s.data, a[1], s.now_ms);
  bool failed = false;
  const hash_value* hash = find_hash(s, key, failed);
  if (!failed) s.out.integer(hash != nullptr && hash->contains(a[2]) ? 1 : 0);
}

void hlen(session& s, arguments a) {
  const locked_key key(s.data, a[1], s.now_ms);
  bool failed = false;
  const hash_value* hash = find_hash(s, key, failed);
  if (!failed) s.out.integer(hash != nullptr ? static_cast<int64_t>(hash->size()) : 0);
}

void hstrlen(session& s, arguments a) {
  const locked_key key(s.data, a[1], s.now_ms);
  bool failed = false;
  const hash_value* hash = find_hash(s, key, failed);
  if (failed) return;
  const auto at = hash != nullptr ? hash->find(a[2]) : hash_value::const_iterator{};
  s.out.integer(hash != nullptr && at != hash->end() ? static_cast<int64_t>(at->second.size()) : 0);
}

void hincrby(session& s, arguments a) {
  int64_t delta = 0;
  if (!read_int(s, a[3], delta)) return;
  const locked_key key(s.data, a[1], s.now_ms);
  bool failed = false;
  hash_value* hash = find_hash(s, key, failed);
  if (failed) return;
  int64_t now = 0;
  if (hash != nullptr) {
    if (const auto at = hash->find(a[2]); at != hash->end() && !parse_int64(at->second, now)) {
      s.out.error("ERR hash value is not an integer");
      return;
    }
  }
  int64_t sum = 0;
  if (__builtin_add_overflow(now, delta, &sum)) {
    s.out.error("ERR increment or decrement would overflow");
    return;
  }
  if (hash == nullptr) {
    entry* e = nullptr;
    hash = typed_or_new<hash_value>(s, key, e);
  }
  (void)put(*hash, a[2], std::to_string(sum));
  s.out.integer(sum);
}

constexpr command table_of_hashes[] = {
    {"hset", -4, hset, "write denyoom fast", 1, 1, 1},
    {"hmset", -4, hmset, "write denyoom fast", 1, 1, 1},
    {"hsetnx", 4, hsetnx, "write denyoom fast", 1, 1, 1},
    {"hget", 3, hget, "readonly fast", 1, 1, 1},
    {"hmget", -3, hmget, "readonly fast", 1, 1, 1},
    {"hgetall", 2, hgetall, "readonly", 1, 1, 1},
    {"hkeys", 2, hkeys, "readonly", 1, 1, 1},
    {"hvals", 2, hvals, "readonly", 1, 1, 1},
    {"hdel", -3, hdel, "write fast", 1, 1, 1},
    {"hexists", 3, hexists, "readonly fast", 1, 1, 1},
    {"hlen", 2, hlen, "readonly fast", 1, 1, 1},
    {"hstrlen", 3, hstrlen, "readonly fast", 1, 1, 1},
    {"hincrby", 4, hincrby, "write denyoom fast", 1, 1, 1},
};

}  // namespace

std::span<const command> hash_commands() noexcept { return table_of_hashes; }

}  // namespace kv
