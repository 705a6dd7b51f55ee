// SPDX-License-Identifier: Apache-2.0
// Trace Context (W3C, level 1) and timeouts as fields.
#include "weft/http/propagation.hpp"

#include <algorithm>
#include <vector>

#include "weft/http/internal/random_bytes.hpp"
#include "weft/sched/runtime.hpp"

namespace weft::http {

namespace {

constexpr context_key<trace_identity> identity_key("http.trace_identity");

constexpr std::string_view timeout_field = "Weft-Timeout";

template <size_t Bytes>
void append_hex(std::string& to, const std::array<uint8_t, Bytes>& bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  for (const uint8_t byte : bytes) {
    to += digits[byte >> 4];
    to += digits[byte & 15];
  }
}

/// Lower case only, as the specification wants it.
int lower_hex(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

template <size_t Bytes>
bool read_hex(std::string_view text, std::array<uint8_t, Bytes>& out) noexcept {
  for (size_t i = 0; i < Bytes; ++i) {
    const int high = lower_hex(text[2 * i]);
    const int low = lower_hex(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<uint8_t>(high * 16 + low);
  }
  return true;
}

template <size_t Bytes>
bool all_zero(const std::array<uint8_t, Bytes>& bytes) noexcept {
  return std::ranges::all_of(bytes, [](uint8_t b) { return b == 0; });
}

template <size_t Bytes>
void fill_random(std::array<uint8_t, Bytes>& out) {
  do {
    rt::fill_random(out);
  } while (all_zero(out));
}

/// version "-" trace-id "-" parent-id "-" flags. A later version may say more behind that.
bool read_traceparent(std::string_view text, trace_identity& out) {
  constexpr size_t bytes_00 = 55;
  if (text.size() < bytes_00) return false;
  std::array<uint8_t, 1> version{};
  std::array<uint8_t, 1> flags{};
  if (!read_hex(text, version) || version[0] == 0xFF) return false;
  if (version[0] == 0 ? text.size() != bytes_00 : text.size() > bytes_00 && text[bytes_00] != '-')
    return false;
  if (text[2] != '-' || text[35] != '-' || text[52] != '-') return false;
  if (!read_hex(text.substr(3), out.trace_id) || !read_hex(text.substr(36), out.parent_id) ||
      !read_hex(text.substr(53), flags))
    return false;
  out.sampled = (flags[0] & 1) != 0;
  return !all_zero(out.trace_id) && !all_zero(out.parent_id);
}

bool is_state_key_byte(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '*' ||
         c == '/';
}

bool valid_state_key(std::string_view key) {
  const size_t at = key.find('@');
  const std::string_view tenant = key.substr(0, at);
  const auto plain = [](std::string_view part) {
    return !part.empty() && std::ranges::all_of(part, is_state_key_byte);
  };
  if (at == std::string_view::npos)
    return plain(key) && key.size() <= 256 && key.front() >= 'a' && key.front() <= 'z';
  const std::string_view system = key.substr(at + 1);
  return plain(tenant) && tenant.size() <= 241 && plain(system) && system.size() <= 14 &&
         system.front() >= 'a' && system.front() <= 'z' &&
         !(tenant.front() == '_' || tenant.front() == '-' || tenant.front() == '*' ||
           tenant.front() == '/');
}

bool valid_state_value(std::string_view value) {
  return !value.empty() && value.size() <= 256 && value.back() != ' ' &&
         std::ranges::all_of(value,
                             [](char c) { return c >= ' ' && c <= '~' && c != ',' && c != '='; });
}

std::string_view trimmed(std::string_view text) noexcept {
  const size_t from = text.find_first_not_of(" \t");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t") - from + 1);
}

/// All fields as one list; empty: there is none, or something is wrong with it.
std::string read_tracestate(const header& from) {
  constexpr size_t members_max = 32;
  std::string out;
  std::vector<std::string_view> keys;
  for (const std::string_view field : from.values("tracestate")) {
    std::string_view rest = field;
    while (!rest.empty()) {
      const size_t comma = std::min(rest.find(','), rest.size());
      const std::string_view member = trimmed(rest.substr(0, comma));
      rest.remove_prefix(std::min(comma + 1, rest.size()));
      if (member.empty()) continue;
      const size_t equals = member.find('=');
      if (equals == std::string_view::npos || !valid_state_key(member.substr(0, equals)) ||
          !valid_state_value(member.substr(equals + 1)))
        return {};
      const std::string_view key = member.substr(0, equals);
      if (std::ranges::find(keys, key) != keys.end() || keys.size() == members_max) return {};
      keys.push_back(key);
      out.append(out.empty() ? "" : ",").append(member);
    }
  }
  return out;
}

bool drawn(double share) {
  if (share <= 0) return false;
  std::array<unsigned char, 4> bytes{};
  rt::fill_random(bytes);
  uint32_t draw = 0;
  for (const unsigned char byte : bytes) draw = draw << 8 | byte;
  constexpr double all = 4294967296.0;
  return draw < share * all;
}

void answer_for_silence(response_writer& w, const context& ctx) {
  const error ended = ctx.err();
  if (ended && ended.timeout() && w.status() == 0)
    reply_error(w, 504, "the request's deadline has passed");
}

}  // namespace

std::string trace_identity::traceparent() const {
  std::string out = "00-";
  append_hex(out, trace_id);
  out += '-';
  append_hex(out, span_id);
  out += sampled ? "-01" : "-00";
  return out;
}

std::string trace_identity::trace_id_text() const {
  std::string out;
  append_hex(out, trace_id);
  return out;
}

trace_identity trace_identity::child() const {
  trace_identity out = *this;
  out.parent_id = span_id;
  fill_random(out.span_id);
  return out;
}

trace_identity trace_identity::begin(bool sampled) {
  trace_identity out;
  fill_random(out.trace_id);
  fill_random(out.span_id);
  out.sampled = sampled;
  return out;
}

const trace_identity* identity_of(const context& ctx) noexcept { return ctx.value(identity_key); }
context with_identity(const context& parent, trace_identity identity) {
  return with_value(parent, identity_key, std::move(identity));
}

std::optional<trace_identity> extract_trace(const header& from) {
  trace_identity out;
  const auto all = from.values("traceparent");
  if (all.size() != 1 || !read_traceparent(all.front(), out)) return std::nullopt;
  fill_random(out.span_id);
  out.state = read_tracestate(from);
  return out;
}

void inject_trace(const trace_identity& identity, header& to) {
  to.set("traceparent", identity.child().traceparent());
  to.erase("tracestate");
  if (!identity.state.empty()) to.set("tracestate", identity.state);
}

std::string timeout_text(std::chrono::nanoseconds left) {
  if (left.count() <= 0) return "0m";
  struct unit {
    char name;
    int64_t ns;
  };
  constexpr int64_t digits_max = 99'999'999;
  for (const unit u : {unit{'u', 1'000}, unit{'m', 1'000'000}, unit{'S', 1'000'000'000},
                       unit{'M', 60'000'000'000}})
    if (left.count() / u.ns <= digits_max) return std::to_string(left.count() / u.ns) + u.name;
  return std::to_string(left.count() / 3'600'000'000'000) + 'H';
}

std::optional<std::chrono::nanoseconds> parse_timeout(std::string_view text) {
  if (text.size() < 2 || text.size() > 9) return std::nullopt;
  int64_t value = 0;
  for (const char c : text.substr(0, text.size() - 1)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  int64_t ns = 0;
  switch (text.back()) {
    case 'n':
      ns = 1;
      break;
    case 'u':
      ns = 1'000;
      break;
    case 'm':
      ns = 1'000'000;
      break;
    case 'S':
      ns = 1'000'000'000;
      break;
    case 'M':
      ns = 60'000'000'000;
      break;
    case 'H':
      ns = 3'600'000'000'000;
      break;
    default:
      return std::nullopt;
  }
  if (value > INT64_MAX / ns) return std::chrono::nanoseconds(INT64_MAX);
  return std::chrono::nanoseconds(value * ns);
}

middleware gateway_entry(gateway_options options) {
  return [options](handler inner) -> handler {
    return [options, inner = std::move(inner)](response_writer& w, request& r) {
      std::optional<trace_identity> identity;
      if (options.continue_trace) identity = extract_trace(r.headers);
      if (!identity) identity = trace_identity::begin(drawn(options.sampled));
      r.headers.erase(timeout_field);
      const context base = with_identity(r.ctx(), std::move(*identity));
      const auto [ctx, cancel] =
          options.timeout.count() > 0 ? with_timeout(base, options.timeout) : with_cancel(base);
      r.set_context(ctx);
      inner(w, r);
      answer_for_silence(w, ctx);
    };
  };
}

middleware internal_entry(internal_options options) {
  return [options](handler inner) -> handler {
    return [options, inner = std::move(inner)](response_writer& w, request& r) {
      std::optional<std::chrono::nanoseconds> left;
      const auto all = r.headers.values(timeout_field);
      if (!all.empty()) {
        left = parse_timeout(all.front());
        if (!left || all.size() > 1) return reply_error(w, 400, "malformed Weft-Timeout");
      }
      if (options.timeout_max.count() > 0)
        left = std::min(left.value_or(options.timeout_max), options.timeout_max);
      if (left && left->count() <= 0)
        return reply_error(w, 504, "the request's deadline has passed");
      std::optional<trace_identity> identity = extract_trace(r.headers);
      if (!identity) identity = trace_identity::begin(false);
      const context base = with_identity(r.ctx(), std::move(*identity));
      const auto [ctx, cancel] = left ? with_timeout(base, *left) : with_cancel(base);
      r.set_context(ctx);
      inner(w, r);
      answer_for_silence(w, ctx);
    };
  };
}

void inject_message(const context& ctx, header& to) {
  to.erase(timeout_field);
  if (const trace_identity* identity = identity_of(ctx)) inject_trace(*identity, to);
}

context extract_message(const header& from, const context& parent) {
  std::optional<trace_identity> identity = extract_trace(from);
  return with_identity(parent, identity ? std::move(*identity) : trace_identity::begin(false));
}

void inject_call(const context& ctx, std::chrono::steady_clock::time_point deadline, header& to) {
  if (const trace_identity* identity = identity_of(ctx)) inject_trace(*identity, to);
  const auto own = ctx.deadline();
  if (own && (deadline == time_point{} || *own < deadline)) deadline = *own;
  to.erase(timeout_field);
  if (deadline != time_point{}) to.set(timeout_field, timeout_text(deadline - weft::now()));
}

}  // namespace weft::http
