// SPDX-License-Identifier: Apache-2.0
// Commands on lists, those that wait in blocking.cpp among them.
#include <algorithm>

#include "blocking.hpp"
#include "commands.hpp"

namespace kv {

namespace {

void push(session& s, arguments a, list_end end, bool only_existing) {
  const locked_key key(s.data, a[1], s.now_ms);
  entry* e = key.find();
  if (e == nullptr && only_existing) {
    s.out.integer(0);
    return;
  }
  list_value* list = typed_or_new<list_value>(s, key, e);
  if (list == nullptr) return;
  for (const std::string_view element : a.subspan(2)) {
    if (end == list_end::left)
      list->emplace_front(element);
    else
      list->emplace_back(element);
  }
  s.out.integer(static_cast<int64_t>(list->size()));
  key.home().serve_waiters(e);
}
void lpush(session& s, arguments a) { push(s, a, list_end::left, false); }
void rpush(session& s, arguments a) { push(s, a, list_end::right, false); }
void lpushx(session& s, arguments a) { push(s, a, list_end::left, true); }
void rpushx(session& s, arguments a) { push(s, a, list_end::right, true); }

void pop(session& s, arguments a, list_end end) {
  if (a.size() > 3) {
    s.out.error("ERR wrong number of arguments for '" + lower_case(a[0]) + "' command");
    return;
  }
  const bool many = a.size() == 3;
  int64_t count = 1;
  if (many && (!parse_int64(a[2], count) || count < 0)) {
    s.out.error("ERR value is out of range, must be positive");
    return;
  }
  const locked_key key(s.data, a[1], s.now_ms);
  entry* e = key.find();
  if (e == nullptr) {
    if (many)
      s.out.nil_array();
    else
      s.out.nil();
    return;
  }
  list_value* list = typed<list_value>(s, e);
  if (list == nullptr) return;
  count = std::min(count, static_cast<int64_t>(list->size()));
  if (many) s.out.array(static_cast<size_t>(count));
  for (; count > 0; --count) {
    if (end == list_end::left) {
      s.out.bulk(list->front());
      list->pop_front();
    } else {
      s.out.bulk(list->back());
      list->pop_back();
    }
  }
  if (list->empty()) key.home().erase(e);
}
void lpop(session& s, arguments a) { pop(s, a, list_end::left); }
void rpop(session& s, arguments a) { pop(s, a, list_end::right); }

/// Redis's ranges: negative from the end, cut to what is there. False: empty.
bool clamp_range(int64_t& first, int64_t& last, int64_t size) noexcept {
  if (first < 0) first = std::max<int64_t>(size + first, 0);
  if (last < 0) last = size + last;
  last = std::min(last, size - 1);
  return first <= last && first < size;
}

void lrange(session& s, arguments a) {
  int64_t first = 0;
  int64_t last = 0;
  if (!read_int(s, a[2], first) || !read_int(s, a[3], last)) return;
  const locked_key key(s.data, a[1], s.now_ms);
  entry* e = key.find();
  if (e == nullptr) {
    s.out.array(0);
    return;
  }
  const list_value* list = typed<list_value>(s, e);
  if (list == nullptr) return;
  if (!clamp_range(first, last, static_cast<int64_t>(list->size()))) {
    s.out.array(0);
    return;
  }
  s.out.array(static_cast<size_t>(last - first + 1));
  for (auto at = list->begin() + first; at != list->begin() + last + 1; ++at) s.out.bulk(*at);
}

void llen(session& s, arguments a) {
  const locked_key key(s.data, a[1], s.now_ms);
  entry* e = key.find();
  if (e == nullptr) {
    s.out.integer(0);
  } else if (const list_value* list = typed<list_value>(s, e)) {
    s.out.integer(static_cast<int64_t>(list->size()));
  }
}

void lindex(session& s, arguments a) {
  const locked_key key(s.data, a[1], s.now_ms);
  entry* e = key.find();
  if (e == nullptr) {
    s.out.nil();
    return;
  }
  const list_value* list = typed<list_value>(s, e);
  int64_t at = 0;
  if (list == nullptr || !read_int(s, a[2], at)) return;
  const auto size = static_cast<int64_t>(list->size());
  if (at < 0) at += size;
  if (at < 0 || at >= size)
    s.out.nil();
  else
    s.out.bulk((*list)[static_cast<size_t>(at)]);
}

void lset(session& s, arguments a) {
  const locked_key key(s.data, a[1], s.now_ms);
  entry* e = key.find();
  if (e == nullptr) {
    s.out.error("ERR no such key");
    return;
  }
  list_value* list = typed<list_value>(s, e);
  int64_t at = 0;
  if (list == nullptr || !read_int(s, a[2], at)) return;
  const auto size = static_cast<int64_t>(list->size());
  if (at < 0) at += size;
  if (at < 0 || at >= size) {
    s.out.error("ERR index out of range");
    return;
  }
  (*list)[static_cast<size_t>(at)].assign(a[3]);
  s.out.ok();
}

void ltrim(session& s, arguments a) {
  int64_t first = 0;
  int64_t last = 0;
  if (!read_int(s, a[2], first) || !read_int(s, a[3], last)) return;
  const locked_key key(s.data, a[1], s.now_ms);
  entry* e = key.find();
  if (e == nullptr) {
    s.out.ok();
    return;
  }
  list_value* list = typed<list_value>(s, e);
  if (list == nullptr) return;
  if (!clamp_range(first, last, static_cast<int64_t>(list->size()))) {
    key.home().erase(e);
  } else {
    list->erase(list->begin() + last + 1, list->end());
    list->erase(list->begin(), list->begin() + first);
  }
  s.out.ok();
}

void lrem(session& s, arguments a) {
  int64_t count = 0;
  if (!read_int(s, a[2], count)) return;
  const locked_key key(s.data, a[1], s.now_ms);
  entry* e = key.find();
  if (e == nullptr) {
    s.out.integer(0);
    return;
  }
  list_value* list = typed<list_value>(s, e);
  if (list == nullptr) return;
  const size_t before = list->size();
  size_t left = count == 0 ? before : static_cast<size_t>(count < 0 ? -count : count);
  const auto matches = [&](const std::string& element) {
    if (left == 0 || element != a[3]) return false;
    --left;
    return true;
  };
  if (count >= 0) {
    // A loop, not std::remove_if: that may copy its predicate and lose the count.
    auto keep = list->begin();
    for (auto at = list->begin(); at != list->end(); ++at) {
      if (matches(*at)) continue;
      if (keep != at) *keep = std::move(*at);
      ++keep;
    }
    list->erase(keep, list->end());
  } else {
    auto keep = list->end();
    for (auto at = list->end(); at != list->begin();) {
      --at;
      if (matches(*at)) continue;
      --keep;
      if (keep != at) *keep = std::move(*at);
    }
    list->erase(list->begin(), keep);
  }
  s.out.integer(static_cast<int64_t>(before - list->size()));
  if (list->empty()) key.home().erase(e);
}

void blpop(session& s, arguments a) { blocking_pop(s, a, list_end::left); }
void brpop(session& s, arguments a) { blocking_pop(s, a, list_end::right); }

constexpr command table_of_lists[] = {
    {"lpush", -3, lpush, "write denyoom fast", 1, 1, 1},
    {"rpush", -3, rpush, "write denyoom fast", 1, 1, 1},
    {"lpushx", -3, lpushx, "write denyoom fast", 1, 1, 1},
    {"rpushx", -3, rpushx, "write denyoom fast", 1, 1, 1},
    {"lpop", -2, lpop, "write fast", 1, 1, 1},
    {"rpop", -2, rpop, "write fast", 1, 1, 1},
    {"lrange", 4, lrange, "readonly", 1, 1, 1},
    {"llen", 2, llen, "readonly fast", 1, 1, 1},
    {"lindex", 3, lindex, "readonly", 1, 1, 1},
    {"lset", 4, lset, "write denyoom", 1, 1, 1},
    {"ltrim", 4, ltrim, "write", 1, 1, 1},
    {"lrem", 4, lrem, "write", 1, 1, 1},
    {"blpop", -3, blpop, "write noscript blocking", 1, -2, 1},
    {"brpop", -3, brpop, "write noscript blocking", 1, -2, 1},
};

}  // namespace

std::span<const command> list_commands() noexcept { return table_of_lists; }

}  // namespace kv
