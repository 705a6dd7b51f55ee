// SPDX-License-Identifier: Apache-2.0
// Commands on strings.
#include <algorithm>
#include <cmath>
#include <limits>

#include "commands.hpp"

namespace kv {

namespace {

// Redis's proto-max-bulk-len bounds what APPEND and SETRANGE may build.
inline constexpr size_t string_bytes_max = 512UL * 1024 * 1024;
inline constexpr std::string_view too_long =
    "ERR string exceeds maximum allowed size (proto-max-bulk-len)";

/// Milliseconds since the epoch from an EX/PX/EXAT/PXAT argument, or an error reply and false.
bool read_expiry(session& s, std::string_view text, bool seconds, bool absolute, const char* name,
                 int64_t& out) {
  int64_t amount = 0;
  if (!read_int(s, text, amount)) return false;
  constexpr int64_t most = std::numeric_limits<int64_t>::max();
  bool good = amount > 0 && (!seconds || amount <= most / 1000);
  if (good && seconds) amount *= 1000;
  if (good && !absolute) {
    good = amount <= most - s.now_ms;
    if (good) amount += s.now_ms;
  }
  if (!good) {
    s.out.error("ERR invalid expire time in '" + std::string(name) + "' command");
    return false;
  }
  out = amount;
  return true;
}

void store_string(const locked_key& key, entry* e, std::string_view text) {
  if (e == nullptr) {
    e = key.insert();
    e->data.emplace<std::string>(text);
    return;
  }
  if (auto* held = std::get_if<std::string>(&e->data))
    held->assign(text);
  else
    e->data.emplace<std::string>(text);
}

void get(session& s, arguments a) {
  const locked_key key(s.data, a[1], s.now_ms);
  entry* e = key.find();
  if (e == nullptr) {
    s.out.nil();
  } else if (const std::string* text = typed<std::string>(s, e)) {
    s.out.bulk(*text);
  }
}

struct set_how {
  bool nx = false;
  bool xx = false;
  bool get = false;
  bool keep_ttl = false;
  int64_t expire_ms = 0;
};

bool read_set_options(session& s, arguments a, set_how& how) {
  bool timed = false;
  for (size_t i = 3; i < a.size(); ++i) {
    const bool more = i + 1 < a.size();
    const bool ex = is_word(a[i], "ex");
    const bool px = is_word(a[i], "px");
    const bool exat = is_word(a[i], "exat");
    const bool pxat = is_word(a[i], "pxat");
    if (is_word(a[i], "nx") && !how.xx) {
      how.nx = true;
    } else if (is_word(a[i], "xx") && !how.nx) {
      how.xx = true;
    } else if (is_word(a[i], "get")) {
      how.get = true;
    } else if (is_word(a[i], "keepttl") && !timed) {
      how.keep_ttl = true;
    } else if ((ex || px || exat || pxat) && more && !timed && !how.keep_ttl) {
      timed = true;
      if (!read_expiry(s, a[++i], ex || exat, exat || pxat, "set", how.expire_ms)) return false;
    } else {
      s.out.error(syntax_error);
      return false;
    }
  }
  return true;
}

void set(session& s, arguments a) {
  set_how how;
  if (a.size() > 3 && !read_set_options(s, a, how)) return;
  const locked_key key(s.data, a[1], s.now_ms);
  entry* e = key.find();
  if (how.get && e != nullptr) {
    const std::string* old = typed<std::string>(s, e);
    if (old == nullptr) return;
    s.out.bulk(*old);
  } else if (how.get) {
    s.out.nil();
  }
  if ((how.nx && e != nullptr) || (how.xx && e == nullptr)) {
    if (!how.get) s.out.nil();
    return;
  }
  store_string(key, e, a[2]);
  if (how.expire_ms != 0 || (!how.keep_ttl && e != nullptr && e->expire_ms != 0))
    key.home().set_expiry(key.find(), how.expire_ms);
  if (!how.get) s.out.ok();
}

void set_with_expiry(session& s, arguments a, bool seconds, const char* name) {
  int64_t when = 0;
  if (!read_expiry(s, a[2], seconds, false, name, when)) return;
  const locked_key key(s.data, a[1], s.now_ms);
  store_string(key, key.find(), a[3]);
  key.home().set_expiry(key.find(), when);
  s.out.ok();
}
void setex(session& s, arguments a) { set_with_expiry(s, a, true, "setex"); }
void psetex(session& s, arguments a) { set_with_expiry(s, a, false, "psetex"); }

void setnx(session& s, arguments a) {
  const locked_key key(s.data, a[1], s.now_ms);
  const bool absent = key.find() == nullptr;
  if (absent) store_string(key, nullptr, a[2]);
  s.out.integer(absent ? 1 : 0);
}

void getset(session& s, arguments a) {
  const locked_key key(s.data, a[1], s.now_ms);
  entry* e = key.find();
  if (e == nullptr) {
    s.out.nil();
  } else {
    const std::string* old = typed<std::string>(s, e);
    if (old == nullptr) return;
    s.out.bulk(*old);
    key.home().set_expiry(e, 0);
  }
  store_string(key, e, a[2]);
}

void getdel(session& s, arguments a) {
  const locked_key key(s.data, a[1], s.now_ms);
  entry* e = key.find();
  if (e == nullptr) {
    s.out.nil();
    return;
  }
  const std::string* old = typed<std::string>(s, e);
  if (old == nullptr) return;
  s.out.bulk(*old);
  key.home().erase(e);
}

void mset(session& s, arguments a) {
  if (a.size() % 2 == 0) {
    s.out.error("ERR wrong number of arguments for 'mset' command");
    return;
  }
  const locked_keys keys(s.data, a.subspan(1), s.now_ms, 2);
  for (size_t i = 1; i < a.size(); i += 2) {
    entry* e = keys.find(a[i]);
    if (e == nullptr)
      e = keys.insert(a[i]);
    else
      keys.home(a[i]).set_expiry(e, 0);
    e->data.emplace<std::string>(a[i + 1]);
  }
  s.out.ok();
}

void msetnx(session& s, arguments a) {
  if (a.size() % 2 == 0) {
    s.out.error("ERR wrong number of arguments for 'msetnx' command");
    return;
  }
  const locked_keys keys(s.data, a.subspan(1), s.now_ms, 2);
  for (size_t i = 1; i < a.size(); i += 2) {
    if (keys.find(a[i]) != nullptr) {
      s.out.integer(0);
      return;
    }
  }
  for (size_t i = 1; i < a.size(); i += 2) {
    entry* e = keys.find(a[i]);  // the same key may come twice
    if (e == nullptr) e = keys.insert(a[i]);
    e->data.emplace<std::string>(a[i + 1]);
  }
  s.out.integer(1);
}

void mget(session& s, arguments a) {
  const locked_keys keys(s.data, a.subspan(1), s.now_ms);
  s.out.array(a.size() - 1);
  for (const std::string_view name : a.subspan(1)) {
    entry* e = keys.find(name);
    const std::string* text = e != nullptr ? std::get_if<std::string>(&e->data) : nullptr;
    if (text != nullptr)
      s.out.bulk(*text);
    else
      s.out.nil();
  }
}

void append(session& s, arguments a) {
  const locked_key key(s.data, a[1], s.now_ms);
  entry* e = key.find();
  if (e == nullptr) {
    store_string(key, nullptr, a[2]);
    s.out.integer(static_cast<int64_t>(a[2].size()));
    return;
  }
  std::string* text = typed<std::string>(s, e);
  if (text == nullptr) return;
  if (text->size() + a[2].size() > string_bytes_max) {
    s.out.error(too_long);
    return;
  }
  text->append(a[2]);
  s.out.integer(static_cast<int64_t>(text->size()));
}

void length(session& s, arguments a) {
  const locked_key key(s.data, a[1], s.now_ms);
  entry* e = key.find();
  if (e == nullptr) {
    s.out.integer(0);
  } else if (const std::string* text = typed<std::string>(s, e)) {
    s.out.integer(static_cast<int64_t>(text->size()));
  }
}

void getrange(session& s, arguments a) {
  int64_t first = 0;
  int64_t last = 0;
  if (!read_int(s, a[2], first) || !read_int(s, a[3], last)) return;
  const locked_key key(s.data, a[1], s.now_ms);
  entry* e = key.find();
  if (e == nullptr) {
    s.out.bulk("");
    return;
  }
  const std::string* text = typed<std::string>(s, e);
  if (text == nullptr) return;
  const auto size = static_cast<int64_t>(text->size());
  if (first < 0 && last < 0 && first > last) {
    s.out.bulk("");
    return;
  }
  first = std::max<int64_t>(first < 0 ? size + first : first, 0);
  last = std::min(std::max<int64_t>(last < 0 ? size + last : last, 0), size - 1);
  if (first > last || size == 0)
    s.out.bulk("");
  else
    s.out.bulk(std::string_view(*text).substr(static_cast<size_t>(first),
                                              static_cast<size_t>(last - first + 1)));
}

void add_to(session& s, std::string_view name, int64_t delta) {
  const locked_key key(s.data, name, s.now_ms);
  entry* e = key.find();
  int64_t now = 0;
  if (e != nullptr) {
    const std::string* text = typed<std::string>(s, e);
    if (text == nullptr || !read_int(s, *text, now)) return;
  }
  int64_t sum = 0;
  if (__builtin_add_overflow(now, delta, &sum)) {
    s.out.error("ERR increment or decrement would overflow");
    return;
  }
  store_string(key, e, std::to_string(sum));
  s.out.integer(sum);
}
void incr(session& s, arguments a) { add_to(s, a[1], 1); }
void decr(session& s, arguments a) { add_to(s, a[1], -1); }
void incrby(session& s, arguments a) {
  int64_t delta = 0;
  if (read_int(s, a[2], delta)) add_to(s, a[1], delta);
}
void decrby(session& s, arguments a) {
  int64_t delta = 0;
  if (!read_int(s, a[2], delta)) return;
  if (delta == std::numeric_limits<int64_t>::min()) {
    s.out.error("ERR decrement would overflow");
    return;
  }
  add_to(s, a[1], -delta);
}

void incrbyfloat(session& s, arguments a) {
  const locked_key key(s.data, a[1], s.now_ms);
  entry* e = key.find();
  long double now = 0;
  if (e != nullptr) {
    const std::string* text = typed<std::string>(s, e);
    if (text == nullptr) return;
    if (!parse_float(*text, now)) {
      s.out.error(not_float);
      return;
    }
  }
  long double delta = 0;
  if (!parse_float(a[2], delta)) {
    s.out.error(not_float);
    return;
  }
  const long double sum = now + delta;
  if (std::isnan(sum) || std::isinf(sum)) {
    s.out.error("ERR increment would produce NaN or Infinity");
    return;
  }
  const std::string text = format_float(sum);
  store_string(key, e, text);
  s.out.bulk(text);
}

constexpr command table_of_strings[] = {
    {"get", 2, get, "readonly fast", 1, 1, 1},
    {"set", -3, set, "write denyoom", 1, 1, 1},
    {"setex", 4, setex, "write denyoom", 1, 1, 1},
    {"psetex", 4, psetex, "write denyoom", 1, 1, 1},
    {"setnx", 3, setnx, "write denyoom fast", 1, 1, 1},
    {"getset", 3, getset, "write denyoom fast", 1, 1, 1},
    {"getdel", 2, getdel, "write fast", 1, 1, 1},
    {"mset", -3, mset, "write denyoom", 1, -1, 2},
    {"msetnx", -3, msetnx, "write denyoom", 1, -1, 2},
    {"mget", -2, mget, "readonly fast", 1, -1, 1},
    {"append", 3, append, "write denyoom fast", 1, 1, 1},
    {"strlen", 2, length, "readonly fast", 1, 1, 1},
    {"getrange", 4, getrange, "readonly", 1, 1, 1},
    {"incr", 2, incr, "write denyoom fast", 1, 1, 1},
    {"decr", 2, decr, "write denyoom fast", 1, 1, 1},
    {"incrby", 3, incrby, "write denyoom fast", 1, 1, 1},
    {"decrby", 3, decrby, "write denyoom fast", 1, 1, 1},
    {"incrbyfloat", 3, incrbyfloat, "write denyoom fast", 1, 1, 1},
};

}  // namespace

std::span<const command> string_commands() noexcept { return table_of_strings; }

}  // namespace kv
