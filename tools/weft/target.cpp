// SPDX-License-Identifier: Apache-2.0
// Asking a running program, and saying in plain words why it does not answer.
#include "target.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <system_error>

#include "profile.hpp"
#include "sockets.hpp"
#include "weft/net/dial.hpp"

namespace weft_command {

namespace {

using namespace std::chrono_literals;

// An answer of this machine's takes milliseconds; one with a million goroutines' stacks seconds.
constexpr auto answer_time = std::chrono::seconds(60);

weft::http::client make_client(const std::string& address, weft::net::tls_config tls) {
  weft::http::client_options how;
  how.timeouts.dial = 5s;
  how.timeouts.request = 0s;
  how.timeouts.response_header = 0s;
  how.timeouts.stall = 0s;
  how.tls = std::move(tls);
  how.user_agent = "weft/" WEFT_COMMAND_VERSION;
  if (address.starts_with("unix:"))
    how.dial = [path = address.substr(5)](const weft::context& ctx, std::string_view) {
      return weft::net::dial(ctx, "unix", path);
    };
  return weft::http::client(how);
}

bool is_file(const std::string& path) {
  struct stat is{};
  return ::stat(path.c_str(), &is) == 0 && S_ISREG(is.st_mode);
}

/// The process of that name; 0: there is none. Fails if there are several.
weft::result<pid_t> find_program(std::string_view name) {
  std::string found;
  pid_t one = 0;
  size_t count = 0;
  for (const control_socket& socket : control_sockets()) {
    if (program_of(socket.pid) != name || socket.pid == one) continue;
    one = socket.pid;
    found += (count++ == 0 ? "" : ", ") + std::to_string(socket.pid);
  }
  if (count < 2) return one;
  return weft::fail(weft::error("\"" + std::string(name) + "\" runs more than once: " + found));
}

std::string first_line(std::string_view text) {
  std::string out(text.substr(0, std::min(text.find('\n'), size_t{300})));
  std::erase_if(out, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  return out;
}

/// Why an answer of that status was none.
std::string refusal(int status, std::string_view path, std::string_view body, bool token) {
  const std::string where(path.substr(0, path.find('?')));
  if (status == 401)
    return token ? "refuses the token" : "wants a token: --token, or WEFT_DEBUG_TOKEN";
  if (status == 404 && where.starts_with("/debug/pprof/"))
    return "knows no " + where.substr(13) + ": it is of another version (" + first_line(body) + ")";
  if (status == 404) return "has no " + where + ": it is no Weft program, or of an older version";
  return "answers " + std::to_string(status) + ": " + first_line(body);
}

}  // namespace

std::string token_of(const invocation& given) {
  const char* environment = std::getenv("WEFT_DEBUG_TOKEN");
  return std::string(given.value("--token", environment == nullptr ? "" : environment));
}

target::target(std::string name, std::string address, std::string token, weft::net::tls_config tls)
    : name_(std::move(name)),
      address_(std::move(address)),
      base_(address_.starts_with("unix:") ? "http://weft"
            : address_.contains("://")    ? address_
                                          : "http://" + address_),
      token_(std::move(token)),
      client_(make_client(address_, std::move(tls))) {
  while (base_.ends_with('/')) base_.pop_back();
}

target target::at_socket(std::string path, std::string token) {
  return {path, "unix:" + path, std::move(token), {}};
}

weft::result<target> target::find(const invocation& given, std::string_view text) {
  const std::string name(text);
  std::string address = name;
  pid_t pid = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), pid);
  const bool number = bad == std::errc{} && end == text.data() + text.size();
  if (text.starts_with("unix:") || text.contains("://")) {
    // as it is
  } else if (text.starts_with('/') || text.starts_with('@') || text.starts_with("./")) {
    if (is_file(name))
      return weft::fail(weft::error(name + " is a file; weft flame shows profiles in files"));
    address = "unix:" + name;
  } else if (!number && text.contains(':')) {
    if (text.starts_with(':')) address = "127.0.0.1" + name;
  } else {
    if (!number) {
      const weft::result<pid_t> found = find_program(text);
      if (!found) return weft::fail(found.error());
      pid = *found;
      if (pid == 0)
        return weft::fail(
            weft::error(is_file(name) ? name + " is a file; weft flame shows profiles in files"
                                      : "\"" + name +
                                            "\" is no process id, no address, and no Weft program "
                                            "of that name runs (weft ps)"));
    }
    weft::result<std::string> found = find_address(pid);
    if (!found) return weft::fail(std::move(found.error()));
    address = std::move(*found);
  }
  weft::net::tls_config tls;
  tls.root_ca_file = given.value("--ca");
  if (given.has("--cert")) {
    weft::net::tls_certificate& own = tls.certificates.emplace_back();
    own.certificate_file = given.value("--cert");
    own.key_file = given.value("--key", own.certificate_file);
  }
  const bool secure = address.starts_with("https://");
  if (!secure && (given.has("--ca") || given.has("--cert") || given.has("--key")))
    return weft::fail(
        usage_error("--ca, --cert and --key are for targets that begin with https://"));
  return target(name, std::move(address), token_of(given), std::move(tls));
}

std::string target::file_name() const {
  std::string out =
      name_.substr(name_.find("://") == std::string::npos ? 0 : name_.find("://") + 3);
  if (name_.starts_with("unix:") || name_.starts_with('/')) {
    out = name_.substr(name_.rfind('/') + 1);
    if (out.ends_with(".sock")) out.resize(out.size() - 5);
  }
  std::ranges::replace_if(
      out, [](char c) { return c == ':' || c == '/' || c == '@' || c == '[' || c == ']'; }, '_');
  return out.empty() ? "target" : out;
}

weft::error target::explain(const weft::error& why) const {
  const auto is = [&why](std::errc code) { return why.is(std::make_error_code(code)); };
  const std::string who = name_ == address_ ? name_ : name_ + " (" + address_ + ")";
  if (why.is(weft::canceled)) return weft::error::wrap("interrupted", why);
  if (is(std::errc::connection_refused))
    return weft::error("nobody listens at " + who + ": the program has ended");
  if (is(std::errc::no_such_file_or_directory)) return weft::error("there is no socket " + who);
  if (is(std::errc::permission_denied))
    return weft::error("permission denied: " + who + " is another user's");
  if (why.timeout()) return weft::error(who + " does not answer: it is stopped, or very busy");
  const std::string text = why.message();
  // Door: a peer of another user is let in and hung up on at once.
  if (is(std::errc::connection_reset) || text.contains("unexpected EOF") || text.ends_with("EOF"))
    return weft::error(who + " hung up: it is no Weft program, or serves other users");
  if (text.contains("malformed"))
    return weft::error(who + " does not speak HTTP: it is no Weft program, or wants https://");
  return weft::error(who + ": " + text);
}

weft::result<std::string> target::get(const weft::context& ctx, std::string_view path,
                                      double seconds,
                                      const std::function<void(size_t)>& got) const {
  const auto limit = answer_time + std::chrono::duration_cast<std::chrono::nanoseconds>(
                                       std::chrono::duration<double>(seconds));
  const auto [bounded, cancel] = weft::with_timeout(ctx, limit);
  weft::http::request question("GET", base_ + std::string(path));
  question.set_context(bounded);
  if (!token_.empty()) question.headers.set("Authorization", "Bearer " + token_);
  weft::result<weft::http::response> answer = client_.send(std::move(question));
  if (!answer) return weft::fail(explain(answer.error()));
  std::string out;
  std::array<char, 65536> buffer{};
  while (true) {
    const weft::result<size_t> more = answer->body.read(buffer);
    if (!more) return weft::fail(explain(more.error()));
    if (*more == 0) break;
    out.append(buffer.data(), *more);
    if (out.size() > profile_bytes_max)
      return weft::fail(weft::error(name_ + ": the answer is larger than a gigabyte"));
    if (got) got(out.size());
  }
  if (answer->status == 200) return out;
  return weft::fail(weft::error(name_ + " " + refusal(answer->status, path, out, !token_.empty())));
}

weft::result<weft::json::value> target::get_json(const weft::context& ctx,
                                                 std::string_view path) const {
  const weft::result<std::string> text = get(ctx, path);
  if (!text) return weft::fail(text.error());
  weft::result<weft::json::value> out = weft::json::decode<weft::json::value>(
      *text, {.bytes_max = profile_bytes_max, .tokens_max = size_t{256} << 20});
  if (!out)
    return weft::fail(weft::error(name_ + " answers without JSON: it is no Weft program, or of an "
                                          "older version"));
  return out;
}

}  // namespace weft_command
