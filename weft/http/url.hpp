// SPDX-License-Identifier: Apache-2.0
// Where something is: RFC 3986 as servers and clients use it, with Go's net/url as the model.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/base/error.hpp"

namespace weft::http {

/// Names and values of a query or a form, in their order.
class WEFT_API query_values {
 public:
  query_values() = default;
  /// "a=1&b=x+y%21". Pairs that are escaped wrongly are left out, and those with a ';', as Go's.
  [[nodiscard]] static query_values parse(std::string_view text);

  /// The first value; empty if there is none.
  [[nodiscard]] std::string_view get(std::string_view name) const noexcept;
  [[nodiscard]] bool has(std::string_view name) const noexcept;
  [[nodiscard]] std::vector<std::string_view> values(std::string_view name) const;
  void add(std::string name, std::string value);
  void set(std::string_view name, std::string value);
  void erase(std::string_view name);
  /// "a=1&b=x+y%21", in the order of the pairs.
  [[nodiscard]] std::string encode() const;
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& pairs() const noexcept {
    return pairs_;
  }
  [[nodiscard]] bool empty() const noexcept { return pairs_.empty(); }

 private:
  std::vector<std::pair<std::string, std::string>> pairs_;
};

struct WEFT_API url {
  /// Lower case; empty in a server's request of the usual form.
  std::string scheme;
  /// "user:password" as written, without the '@'.
  std::string user;
  /// With the port, if there is one: "example.org:8080", "[::1]".
  std::string host;
  /// Without escapes: "/a b".
  std::string path;
  /// As written: "/a%20b", and only if that says more than `path` does (an escaped slash); else
  /// empty.
  std::string raw_path;
  /// As written, without the '?'.
  std::string query;
  /// There is a '?', and nothing behind it.
  bool bare_query = false;
  /// Without escapes and without the '#'.
  std::string fragment;

  /// Absolute or relative. Fails with `parse "TEXT": WHY`.
  [[nodiscard]] static result<url> parse(std::string_view text);
  /// A request's target into `out`, whose memory is used again: "/path?query", or
  /// "http://host/path".
  [[nodiscard]] static result<void> parse_target(std::string_view text, url& out);

  /// As written again: parse() of it gives the same.
  [[nodiscard]] std::string string() const;
  /// The path with its escapes; "/" if empty.
  [[nodiscard]] std::string escaped_path() const;
  /// What stands in a request line: "/path?query".
  [[nodiscard]] std::string target() const;
  /// Without port and brackets.
  [[nodiscard]] std::string_view hostname() const noexcept;
  /// The port that is written, or the scheme's own (80, 443), or 0.
  [[nodiscard]] uint16_t port() const noexcept;
  [[nodiscard]] query_values values() const { return query_values::parse(query); }
  /// What `reference` means, seen from here (RFC 3986 5.2.2): for redirects.
  [[nodiscard]] result<url> resolve(std::string_view reference) const;
  void clear() noexcept;
};

/// Escapes for one segment of a path, and for a query's name or value (a space is '+' there).
[[nodiscard]] WEFT_API std::string path_escape(std::string_view text);
[[nodiscard]] WEFT_API std::string query_escape(std::string_view text);
/// None: an escape is not "%XX".
[[nodiscard]] WEFT_API std::optional<std::string> path_unescape(std::string_view text);
[[nodiscard]] WEFT_API std::optional<std::string> query_unescape(std::string_view text);
/// Without "." and "..", and with single slashes; always begins with '/'.
[[nodiscard]] WEFT_API std::string clean_path(std::string_view path);

}  // namespace weft::http
