// SPDX-License-Identifier: Apache-2.0
// Commands on sets.
#include <algorithm>
#include <atomic>
#include <vector>

#include "commands.hpp"

namespace kv {

namespace {

set_value* find_set(session& s, const locked_key& key, bool& failed) {
  entry* e = key.find();
  set_value* set = e != nullptr ? typed<set_value>(s, e) : nullptr;
  failed = e != nullptr && set == nullptr;
  return set;
}

void sadd(session& s, arguments a) {
  const locked_key key(s.data, a[1], s.now_ms);
  entry* e = nullptr;
  set_value* set = typed_or_new<set_value>(s, key, e);
  if (set == nullptr) return;
  int64_t added = 0;
  for (const std::string_view member : a.subspan(2)) {
    if (set->contains(member)) continue;
    set->emplace(member);
    ++added;
  }
  s.out.integer(added);
}

void srem(session& s, arguments a) {
  const locked_key key(s.data, a[1], s.now_ms);
  bool failed = false;
  set_value* set = find_set(s, key, failed);
  if (failed) return;
  int64_t count = 0;
  if (set != nullptr) {
    for (const std::string_view member : a.subspan(2)) {
      if (const auto at = set->find(member); at != set->end()) {
        set->erase(at);
        ++count;
      }
    }
    if (set->empty()) key.home().erase(key.find());
  }
  s.out.integer(count);
}

void smembers(session& s, arguments a) {
  const locked_key key(s.data, a[1], s.now_ms);
  bool failed = false;
  const set_value* set = find_set(s, key, failed);
  if (failed) return;
  s.out.array(set != nullptr ? set->size() : 0);
  if (set == nullptr) return;
  for (const std::string& member : *set) s.out.bulk(member);
}

void sismember(session& s, arguments a) {
  const locked_key key(s.data, a[1], s.now_ms);
  bool failed = false;
  const set_value* set = find_set(s, key, failed);
  if (!failed) s.out.integer(set != nullptr && set->contains(a[2]) ? 1 : 0);
}

void smismember(session& s, arguments a) {
  const locked_key key(s.data, a[1], s.now_ms);
  bool failed = false;
  const set_value* set = find_set(s, key, failed);
  if (failed) return;
  s.out.array(a.size() - 2);
  for (const std::string_view member : a.subspan(2))
    s.out.integer(set != nullptr && set->contains(member) ? 1 : 0);
}

void scard(session& s, arguments a) {
  const locked_key key(s.data, a[1], s.now_ms);
  bool failed = false;
  const set_value* set = find_set(s, key, failed);
  if (!failed) s.out.integer(set != nullptr ? static_cast<int64_t>(set->size()) : 0);
}

/// A member near a random bucket. Not exactly uniform (neither is Redis's); never always the same.
set_value::iterator some_member(set_value& set) {
  static std::atomic<uint64_t> counter{0};
  const uint64_t number = counter.fetch_add(1, std::memory_order_relaxed);
  const size_t buckets = set.bucket_count();
  size_t bucket = hash_bytes({reinterpret_cast<const char*>(&number), sizeof number}) % buckets;
  while (set.bucket_size(bucket) == 0) bucket = (bucket + 1) % buckets;
  return set.find(*set.begin(bucket));
}

void spop(session& s, arguments a) {
  if (a.size() > 3) {
    s.out.error(syntax_error);
    return;
  }
  const bool many = a.size() == 3;
  int64_t count = 1;
  if (many && (!parse_int64(a[2], count) || count < 0)) {
    s.out.error("ERR value is out of range, must be positive");
    return;
  }
  const locked_key key(s.data, a[1], s.now_ms);
  bool failed = false;
  set_value* set = find_set(s, key, failed);
  if (failed) return;
  if (set == nullptr) {
    if (many)
      s.out.array(0);
    else
      s.out.nil();
    return;
  }
  count = std::min(count, static_cast<int64_t>(set->size()));
  if (many) s.out.array(static_cast<size_t>(count));
  for (; count > 0; --count) {
    const auto at = some_member(*set);
    s.out.bulk(*at);
    set->erase(at);
    // Sparse buckets would make the search above linear.
    if (set->bucket_count() > 64 && set->size() * 8 < set->bucket_count()) set->rehash(0);
  }
  if (set->empty()) key.home().erase(key.find());
}

enum class algebra : uint8_t { intersection, sum, difference };

void combine(session& s, arguments a, algebra how) {
  const locked_keys keys(s.data, a.subspan(1), s.now_ms);
  static const set_value empty;
  std::vector<const set_value*> sets;
  for (const std::string_view name : a.subspan(1)) {
    entry* e = keys.find(name);
    const set_value* set = e != nullptr ? typed<set_value>(s, e) : &empty;
    if (set == nullptr) return;
    sets.push_back(set);
  }
  std::vector<std::string_view> out;
  std::unordered_set<std::string_view, text_hash> seen;
  switch (how) {
    case algebra::intersection: {
      // Walk the smallest.
      std::ranges::sort(sets, {}, [](const set_value* set) { return set->size(); });
      for (const std::string& member : *sets.front())
        if (std::ranges::all_of(sets, [&](const set_value* set) { return set->contains(member); }))
          out.push_back(member);
      break;
    }
    case algebra::difference:
      for (const std::string& member : *sets.front())
        if (std::none_of(sets.begin() + 1, sets.end(),
                         [&](const set_value* set) { return set->contains(member); }))
          out.push_back(member);
      break;
    case algebra::sum:
      for (const set_value* set : sets)
        for (const std::string& member : *set)
          if (seen.insert(member).second) out.push_back(member);
      break;
  }
  s.out.array(out.size());
  for (const std::string_view member : out) s.out.bulk(member);
}
void sinter(session& s, arguments a) { combine(s, a, algebra::intersection); }
void sunion(session& s, arguments a) { combine(s, a, algebra::sum); }
void sdiff(session& s, arguments a) { combine(s, a, algebra::difference); }

constexpr command table_of_sets[] = {
    {"sadd", -3, sadd, "write denyoom fast", 1, 1, 1},
    {"srem", -3, srem, "write fast", 1, 1, 1},
    {"smembers", 2, smembers, "readonly", 1, 1, 1},
    {"sismember", 3, sismember, "readonly fast", 1, 1, 1},
    {"smismember", -3, smismember, "readonly fast", 1, 1, 1},
    {"scard", 2, scard, "readonly fast", 1, 1, 1},
    {"spop", -2, spop, "write fast", 1, 1, 1},
    {"sinter", -2, sinter, "readonly", 1, -1, 1},
    {"sunion", -2, sunion, "readonly", 1, -1, 1},
    {"sdiff", -2, sdiff, "readonly", 1, -1, 1},
};

}  // namespace

std::span<const command> set_commands() noexcept { return table_of_sets; }

}  // namespace kv
