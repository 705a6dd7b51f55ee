// SPDX-License-Identifier: Apache-2.0
// A running Weft program that is asked over HTTP: by process id, by name, or by address.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "command.hpp"
#include "weft/http/client.hpp"
#include "weft/json/json.hpp"
#include "weft/sync/context.hpp"

namespace weft_command {

class target {
 public:
  /// What TARGET means: "4711", "shop" (the only one of that name), "127.0.0.1:6060", "unix:/path",
  /// "/path", "http://...", "https://...". With --token, else WEFT_DEBUG_TOKEN. Does not ask yet.
  [[nodiscard]] static weft::result<target> find(const invocation& given, std::string_view text);
  [[nodiscard]] static target at_socket(std::string path, std::string token);

  /// Asks for a path such as "/debug/sched?format=json"; the answer's body. May park, at most for
  /// `seconds` and the time that an answer takes. `got` is told how many bytes are there.
  [[nodiscard]] weft::result<std::string> get(
      const weft::context& ctx, std::string_view path, double seconds = 0,
      const std::function<void(size_t)>& got = nullptr) const;
  [[nodiscard]] weft::result<weft::json::value> get_json(const weft::context& ctx,
                                                         std::string_view path) const;

  /// What it was called, for messages: "4711", "127.0.0.1:6060".
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// name() in a form that suits a file's name.
  [[nodiscard]] std::string file_name() const;
  /// Where it is asked: "unix:/run/user/1000/weft/4711.sock".
  [[nodiscard]] const std::string& address() const noexcept { return address_; }

 private:
  target(std::string name, std::string address, std::string token, weft::net::tls_config tls);
  [[nodiscard]] weft::error explain(const weft::error& why) const;

  std::string name_;
  std::string address_;
  std::string base_;  // "http://weft"
  std::string token_;
  weft::http::client client_;
};

/// The options that every command with a TARGET has.
inline constexpr option token_option{"--token", nullptr, "TEXT",
                                     "for a target that wants one (default: WEFT_DEBUG_TOKEN)"};
inline constexpr option ca_option{"--ca", nullptr, "FILE",
                                  "https: who signed the target's certificate (PEM)"};
inline constexpr option cert_option{"--cert", nullptr, "FILE",
                                    "https: a certificate of our own (PEM)"};
inline constexpr option key_option{"--key", nullptr, "FILE", "https: its key (default: in --cert)"};
inline constexpr option json_option{"--json", nullptr, nullptr, "machine-readable output"};
[[nodiscard]] std::string token_of(const invocation& given);

}  // namespace weft_command
