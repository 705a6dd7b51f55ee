// SPDX-License-Identifier: Apache-2.0
// Names of common header fields as small numbers: a name is compared once, when it is read, and
// later code switches on the number. The lookup is a perfect hash of the length and three letters,
// then one comparison that ignores case.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace weft::rt {

/// The first ones (`header_id_framing_max` of them) decide how a message is framed; h1::head counts
/// them.
enum class header_id : uint16_t {
  other,
  host,
  content_length,
  transfer_encoding,
  connection,
  expect,
  upgrade,
  te,
  trailer,
  date,
  server,
  content_type,
  content_encoding,
  content_range,
  content_disposition,
  content_language,
  content_location,
  accept,
  accept_encoding,
  accept_language,
  accept_ranges,
  accept_charset,
  user_agent,
  cookie,
  set_cookie,
  authorization,
  cache_control,
  etag,
  if_match,
  if_none_match,
  if_modified_since,
  if_unmodified_since,
  if_range,
  last_modified,
  location,
  range,
  origin,
  referer,
  vary,
  keep_alive,
  proxy_connection,
  proxy_authorization,
  proxy_authenticate,
  www_authenticate,
  http2_settings,
  sec_websocket_key,
  sec_websocket_version,
  sec_websocket_protocol,
  sec_websocket_extensions,
  sec_websocket_accept,
  traceparent,
  tracestate,
  x_forwarded_for,
  x_forwarded_host,
  x_forwarded_proto,
  x_request_id,
  forwarded,
  max_forwards,
  pragma,
  retry_after,
  allow,
  age,
  via,
  expires,
  idempotency_key,
};
inline constexpr size_t header_id_count = static_cast<size_t>(header_id::idempotency_key) + 1;
inline constexpr size_t header_id_framing_max = static_cast<size_t>(header_id::upgrade);

/// In lower case, by number; "" for `other`.
inline constexpr std::array<std::string_view, header_id_count> header_names{
    "",
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "expect",
    "upgrade",
    "te",
    "trailer",
    "date",
    "server",
    "content-type",
    "content-encoding",
    "content-range",
    "content-disposition",
    "content-language",
    "content-location",
    "accept",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "accept-charset",
    "user-agent",
    "cookie",
    "set-cookie",
    "authorization",
    "cache-control",
    "etag",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "if-range",
    "last-modified",
    "location",
    "range",
    "origin",
    "referer",
    "vary",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "proxy-authenticate",
    "www-authenticate",
    "http2-settings",
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-protocol",
    "sec-websocket-extensions",
    "sec-websocket-accept",
    "traceparent",
    "tracestate",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-request-id",
    "forwarded",
    "max-forwards",
    "pragma",
    "retry-after",
    "allow",
    "age",
    "via",
    "expires",
    "idempotency-key",
};
[[nodiscard]] constexpr std::string_view header_name(header_id id) noexcept {
  return header_names[static_cast<size_t>(id)];
}

namespace detail {

/// Letters in lower case. The four factors were found by trying: with them no two names meet, which
/// make_header_slots() checks. A new name that meets another wants new ones.
constexpr uint8_t header_hash(const char* name, size_t bytes) noexcept {
  const auto letter = [](char c) { return static_cast<uint32_t>(c) | 0x20; };
  return static_cast<uint8_t>(static_cast<uint32_t>(bytes) * 78 + letter(name[0]) * 78 +
                              letter(name[bytes - 1]) * 157 + letter(name[bytes / 2]) * 210);
}

/// Names begin at a known address and are padded, so that they are compared by words.
struct header_slot {
  header_id id = header_id::other;
  uint8_t bytes = 0;
  char text[25] = {};
};

consteval std::array<header_slot, 256> make_header_slots() {
  std::array<header_slot, 256> slots{};
  for (size_t i = 1; i < header_names.size(); ++i) {
    const std::string_view name = header_names[i];
    header_slot& slot = slots[header_hash(name.data(), name.size())];
    if (slot.bytes != 0) throw "two names have one place: find other factors";
    slot.id = static_cast<header_id>(i);
    slot.bytes = static_cast<uint8_t>(name.size());
    for (size_t at = 0; at < name.size(); ++at) slot.text[at] = name[at];
  }
  return slots;
}
inline constexpr std::array<header_slot, 256> header_slots = make_header_slots();

template <class Word>
[[nodiscard]] inline bool same_word(const char* lower, const char* any) noexcept {
  Word a;
  Word b;
  std::memcpy(&a, lower, sizeof a);
  std::memcpy(&b, any, sizeof b);
  return a == (b | static_cast<Word>(0x2020202020202020u));
}

}  // namespace detail

/// True if `any` is `lower` but for case. `lower` has letters, digits and '-' only, in lower case;
/// `any` has only characters that a name may have. (Of those only letters become letters, and only
/// '-' becomes '-', when bit 5 is set.)
[[nodiscard]] inline bool same_name(const char* lower, const char* any, size_t bytes) noexcept {
  if (bytes >= 8) {
    for (size_t at = 0; at + 8 <= bytes; at += 8)
      if (!detail::same_word<uint64_t>(lower + at, any + at)) return false;
    return detail::same_word<uint64_t>(lower + bytes - 8, any + bytes - 8);
  }
  if (bytes >= 4) {
    return detail::same_word<uint32_t>(lower, any) &&
           detail::same_word<uint32_t>(lower + bytes - 4, any + bytes - 4);
  }
  for (size_t at = 0; at < bytes; ++at)
    if (lower[at] != static_cast<char>(any[at] | 0x20)) return false;
  return true;
}

/// The number of a name, which must be a token (RFC 9110) and not empty.
[[nodiscard]] inline header_id find_header_id(const char* name, size_t bytes) noexcept {
  const detail::header_slot& slot = detail::header_slots[detail::header_hash(name, bytes)];
  if (slot.bytes != bytes || !same_name(slot.text, name, bytes)) return header_id::other;
  return slot.id;
}
[[nodiscard]] inline header_id find_header_id(std::string_view name) noexcept {
  return name.empty() ? header_id::other : find_header_id(name.data(), name.size());
}

}  // namespace weft::rt
