// SPDX-License-Identifier: Apache-2.0
// Handshakes.
#include "weft/http/websocket.hpp"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "weft/http/internal/h1_head.hpp"
#include "weft/http/internal/random_bytes.hpp"
#include "weft/http/internal/ws_connection.hpp"
#include "weft/http/status.hpp"
#include "weft/net/dial.hpp"
#include "weft/net/errors.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/tls/conn.hpp"

namespace weft::http {

namespace {

inline constexpr size_t key_bytes = 16;
inline constexpr size_t head_bytes_max = size_t{64} << 10;

std::string base64(std::span<const unsigned char> bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int written = ::EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes.data(),
                                        static_cast<int>(bytes.size()));
  out.resize(static_cast<size_t>(written));
  return out;
}

/// RFC 6455 4.2.2: proof that the server has understood.
std::string accept_of(std::string_view key) {
  std::string text(key);
  text += "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  ::SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return base64(digest);
}

/// 16 bytes in base64.
bool is_key(std::string_view text) {
  if (text.size() != 24 || !text.ends_with("==")) return false;
  // Four bits of the last letter are the key's: the others must be 0.
  if (!std::string_view("AQgw").contains(text[21])) return false;
  return std::ranges::all_of(text.substr(0, 22), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
  });
}

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// If this is permessage-deflate with parameters that we can keep: as a server, those that a client
/// offers; as a client, those that a server chose.
bool can_deflate(std::string_view extension, bool server) {
  std::string_view rest = extension;
  bool first = true;
  while (!rest.empty() || first) {
    const size_t semicolon = std::min(rest.find(';'), rest.size());
    const std::string_view one = trim(rest.substr(0, semicolon));
    rest.remove_prefix(std::min(semicolon + 1, rest.size()));
    const size_t equals = std::min(one.find('='), one.size());
    const std::string_view name = trim(one.substr(0, equals));
    std::string_view value = trim(one.substr(std::min(equals + 1, one.size())));
    if (value.size() >= 2 && value.starts_with('"') && value.ends_with('"'))
      value = value.substr(1, value.size() - 2);
    if (first) {
      first = false;
      if (!equal_fold(name, "permessage-deflate")) return false;
    } else if (equal_fold(name, "server_max_window_bits")) {
      // We compress with the usual window only, and read any.
      if (server ? value != "15" : value.empty()) return false;
    } else if (!equal_fold(name, "client_max_window_bits") &&
               !equal_fold(name, "server_no_context_takeover") &&
               !equal_fold(name, "client_no_context_takeover")) {
      return false;
    }
  }
  return true;
}

template <class F>
bool any_element(const header& of, std::string_view name, F&& fits) {
  for (const std::string_view value : of.values(name)) {
    std::string_view rest = value;
    while (!rest.empty()) {
      const size_t comma = std::min(rest.find(','), rest.size());
      if (fits(trim(rest.substr(0, comma)))) return true;
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  return false;
}

bool same_origin(const request& r) {
  const auto origin = r.headers.find("Origin");
  if (!origin) return true;
  const result<url> parsed = url::parse(*origin);
  return parsed && equal_fold(parsed->host, r.host);
}

/// Answers what cannot be a handshake; true if it was one.
bool check_handshake(response_writer& w, const request& r, const websocket_options& options) {
  const auto refuse = [&w](int status, std::string_view text) {
    reply_error(w, status, text);
    return false;
  };
  const header& h = r.headers;
  if (r.method != "GET" || r.version == version::http_1_0 ||
      !h.has_token("Connection", "upgrade") || !h.has_token("Upgrade", "websocket")) {
    w.headers().set("Upgrade", "websocket");
    w.headers().set("Connection", "Upgrade");
    return refuse(426, "426 a WebSocket is wanted here");
  }
  const auto versions = h.values("Sec-WebSocket-Version");
  if (versions.size() != 1 || versions.front() != "13") {
    w.headers().set("Sec-WebSocket-Version", "13");
    return refuse(426, "426 only version 13 of WebSocket is known");
  }
  const auto keys = h.values("Sec-WebSocket-Key");
  if (keys.size() != 1 || !is_key(keys.front())) return refuse(400, "400 bad Sec-WebSocket-Key");
  if (r.body.length() != 0) return refuse(400, "400 a handshake has no content");
  if (!(options.check_origin ? options.check_origin(r) : same_origin(r)))
    return refuse(403, "403 this origin may not connect");
  return true;
}

std::string choose_protocol(const request& r, const websocket_options& options) {
  for (const std::string& ours : options.protocols)
    if (any_element(r.headers, "Sec-WebSocket-Protocol",
                    [&](std::string_view theirs) { return theirs == ours; }))
      return ours;
  return {};
}

std::unexpected<error> refused(const std::string& why) {
  return fail(error("http: websocket: " + why));
}

rt::ws_rules rules_of(bool server, bool deflate, const websocket_options& options) {
  rt::ws_rules rules;
  rules.server = server;
  rules.deflate = deflate;
  rules.message_bytes_max = options.message_bytes_max;
  return rules;
}

inline constexpr std::string_view deflate_words =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// Reads the server's answer. What is behind it stays in `buffer`.
result<void> read_answer(const net::conn& c, rt::h1::head& answer, std::string& buffer) {
  const rt::h1::head_limits limits{.head_bytes_max = head_bytes_max};
  size_t used = 0;
  answer.reset();
  for (;;) {
    buffer.resize(used + 4096);
    const result<size_t> got = c.read(std::span<char>(buffer.data() + used, 4096));
    if (!got) return fail(got.error());
    if (*got == 0) return fail(net::unexpected_eof);
    used += *got;
    switch (answer.parse_response(buffer.data(), used, limits)) {
      case rt::h1::verdict::need_more:
        break;
      case rt::h1::verdict::error:
        return refused(answer.why().text);
      case rt::h1::verdict::ok:
        buffer.resize(used);
        return {};
    }
  }
}

result<net::conn> dial(const context& ctx, const url& to, const websocket_options& options) {
  if (options.dial) return options.dial(ctx, to);
  const bool secure = to.scheme == "wss";
  const uint16_t port = to.port() != 0 ? to.port() : secure ? 443 : 80;
  const std::string where = net::join_host_port(to.hostname(), port);
  if (!secure) return net::dial(ctx, "tcp", where);
  net::tls_config config;
  config.alpn = {"http/1.1"};
  return net::dial_tls(ctx, "tcp", where, config);
}

std::string make_request(const url& to, std::string_view key, const websocket_options& options) {
  std::string out = "GET " + to.target() + " HTTP/1.1\r\nHost: " + to.host +
                    "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                    "Sec-WebSocket-Key: ";
  out.append(key).append("\r\n");
  if (options.compression)
    out.append("Sec-WebSocket-Extensions: ").append(deflate_words).append("\r\n");
  for (size_t i = 0; i < options.protocols.size(); ++i)
    out.append(i == 0 ? "Sec-WebSocket-Protocol: " : ", ").append(options.protocols[i]);
  if (!options.protocols.empty()) out.append("\r\n");
  for (const header::field f : options.headers)
    out.append(f.name).append(": ").append(f.value).append("\r\n");
  return out.append("\r\n");
}

/// What was agreed on, or why it is no answer to our request.
result<void> check_answer(const rt::h1::head& answer, std::string_view key,
                          const websocket_options& options, std::string& protocol, bool& deflate) {
  if (answer.status() != 101)
    return refused("the server answered " + std::to_string(answer.status()) + " " +
                   std::string(answer.reason()));
  header h;
  for (const rt::h1::field& f : answer) h.add_unchecked(answer.name(f), answer.value(f));
  if (!h.has_token("Connection", "upgrade") || !equal_fold(h.get("Upgrade"), "websocket") ||
      h.get("Sec-WebSocket-Accept") != accept_of(key))
    return refused("the server's answer does not prove that it speaks WebSocket");
  protocol = h.get("Sec-WebSocket-Protocol");
  if (!protocol.empty() &&
      std::ranges::find(options.protocols, protocol) == options.protocols.end())
    return refused("the server chose a protocol that was not offered");
  const auto extensions = h.values("Sec-WebSocket-Extensions");
  if (extensions.empty()) return {};
  deflate = true;
  // Anything else than what we offered would make frames that we read wrongly.
  bool resets = false;
  (void)any_element(h, "Sec-WebSocket-Extensions", [&](std::string_view one) {
    resets = one.contains("server_no_context_takeover");
    return true;
  });
  if (!options.compression || extensions.size() != 1 || extensions.front().contains(',') ||
      !resets || extensions.front().contains("client_max_window_bits") ||
      !can_deflate(extensions.front(), false))
    return refused("the server chose an extension that was not offered");
  return {};
}

}  // namespace

result<websocket> websocket::accept(response_writer& w, request& r,
                                    const websocket_options& options) {
  if (!check_handshake(w, r, options)) return refused("the handshake was refused");
  const bool deflate = options.compression &&
                       any_element(r.headers, "Sec-WebSocket-Extensions",
                                   [](std::string_view one) { return can_deflate(one, true); });
  std::string protocol = choose_protocol(r, options);
  std::string answer =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
      "Connection: Upgrade\r\nSec-WebSocket-Accept: " +
      accept_of(r.headers.get("Sec-WebSocket-Key")) + "\r\n";
  if (deflate) answer.append("Sec-WebSocket-Extensions: ").append(deflate_words).append("\r\n");
  if (!protocol.empty()) answer.append("Sec-WebSocket-Protocol: ").append(protocol).append("\r\n");
  // What a middleware wants to be sent: cookies, say.
  for (const header::field f : w.headers())
    answer.append(f.name).append(": ").append(f.value).append("\r\n");
  answer.append("\r\n");
  result<hijacked> taken = w.hijack();
  if (!taken) {
    reply_error(w, 501, "501 WebSocket needs HTTP/1.1");
    return fail(taken.error());
  }
  // The server's deadlines were for a request.
  (void)taken->conn.set_deadline({});
  if (options.write_timeout.count() != 0)
    (void)taken->conn.set_write_deadline(now() + options.write_timeout);
  if (auto put = taken->conn.write(answer); !put) {
    (void)taken->conn.close();
    return fail(put.error());
  }
  return websocket(std::make_shared<rt::ws_connection>(
      std::move(taken->conn), rules_of(true, deflate, options), options, std::move(protocol),
      std::move(taken->read_ahead)));
}

result<websocket> websocket::connect(const context& ctx, std::string_view where,
                                     const websocket_options& options) {
  result<url> to = url::parse(where);
  if (!to) return fail(to.error());
  if ((to->scheme != "ws" && to->scheme != "wss") || to->hostname().empty())
    return refused("\"" + std::string(where) + "\" must begin with ws://host or wss://host");
  auto [limited, cancel] = options.handshake_timeout.count() != 0
                               ? with_timeout(ctx, options.handshake_timeout)
                               : with_cancel(ctx);
  result<net::conn> dialed = dial(limited, *to, options);
  if (!dialed) return fail(dialed.error());
  const net::conn c = std::move(*dialed);
  // Ends reads and writes when the context ends.
  auto watch = after_func(limited, [c] { (void)c.set_deadline(now() - std::chrono::seconds(1)); });
  std::array<unsigned char, key_bytes> random{};
  rt::fill_random(random);
  const std::string key = base64(random);
  rt::h1::head answer;
  std::string buffer;
  std::string protocol;
  bool deflate = false;
  result<void> good;
  if (auto put = c.write(make_request(*to, key, options)); !put) good = fail(put.error());
  if (good) good = read_answer(c, answer, buffer);
  if (good) good = check_answer(answer, key, options, protocol, deflate);
  const bool in_time = watch();
  if (good && !in_time) good = fail(limited.err());
  if (!good) {
    (void)c.close();
    return fail(limited.err() ? limited.err() : good.error());
  }
  buffer.erase(0, answer.bytes());
  return websocket(std::make_shared<rt::ws_connection>(
      c, rules_of(false, deflate, options), options, std::move(protocol), std::move(buffer)));
}

result<ws_message> websocket::read() const {
  return to_ ? to_->read() : result<ws_message>(fail(ws_ended));
}
result<void> websocket::write(ws_kind kind, std::string_view data) const {
  return to_ ? to_->write(kind, data) : result<void>(fail(ws_ended));
}
result<void> websocket::ping(std::string_view payload) const {
  return to_ ? to_->ping(payload) : result<void>(fail(ws_ended));
}
result<void> websocket::close(int code, std::string_view reason) const {
  return to_ ? to_->close(code, reason) : result<void>(fail(ws_ended));
}
std::string_view websocket::protocol() const noexcept {
  return to_ ? to_->protocol() : std::string_view();
}
bool websocket::compressed() const noexcept { return to_ && to_->compressed(); }
const net::conn& websocket::connection() const noexcept {
  static const net::conn none;
  return to_ ? to_->over() : none;
}

}  // namespace weft::http
