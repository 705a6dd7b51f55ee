// SPDX-License-Identifier: Apache-2.0
// Redirects and repetitions, by Go's rules but for one: what proves who is asking (Authorization,
// Cookie) goes to the same origin only, where Go lets subdomains and other ports have it.
#include "weft/http/internal/client_call.hpp"

#include <algorithm>

#include "weft/http/compression.hpp"
#include "weft/http/internal/h1_request_head.hpp"
#include "weft/http/propagation.hpp"
#include "weft/sched/runtime.hpp"

namespace weft::rt {

namespace {

// A redirect's text is read so that its connection can be used for the next hop.
constexpr size_t redirect_bytes_max = 2048;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  return out;
}

bool is_redirect(int status) noexcept {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/// The same host and port, and not from https to http. http to https of the same name is allowed.
bool same_origin(const http::url& from, const http::url& to) {
  if (!http::equal_fold(from.hostname(), to.hostname())) return false;
  if (from.scheme == to.scheme) return from.port() == to.port();
  return from.scheme == "http" && to.scheme == "https" && from.port() == 80 && to.port() == 443;
}

/// "Get", as Go's errors begin.
std::string operation(std::string_view method) {
  std::string out = lower(method);
  if (!out.empty() && out.front() >= 'a' && out.front() <= 'z')
    out.front() = static_cast<char>(out.front() - ('a' - 'A'));
  return out;
}

/// For errors and logs: without the password.
std::string shown(const http::url& of) {
  http::url copy = of;
  if (const size_t colon = copy.user.find(':'); colon != std::string::npos)
    copy.user = copy.user.substr(0, colon) + ":***";
  return copy.string();
}

bool is_idempotent(const http::request& r) {
  return r.method == "GET" || r.method == "HEAD" || r.method == "OPTIONS" || r.method == "TRACE" ||
         r.headers.has("Idempotency-Key") || r.headers.has("X-Idempotency-Key");
}

}  // namespace

client_call::client_call(const http::client_options& options, client_pool& pool,
                         std::chrono::nanoseconds limit, http::request r)
    : options_(options),
      pool_(pool),
      request_(std::move(r)),
      ctx_(request_.ctx()),
      trace_(http::trace_of(ctx_)) {
  if (limit.count() > 0) deadline_ = weft::now() + limit;
  had_body_ = request_.body.source() != nullptr && request_.body.length() != 0;
}

error client_call::explain(error why) const {
  return error::wrap(operation(request_.method) + " \"" + shown(request_.url) + '"',
                     std::move(why));
}

result<http::response> client_call::run() {
  if (request_.bad_url()) return fail(request_.bad_url());
  for (;;) {
    result<http::response> got = hop();
    if (!got) return fail(explain(got.error()));
    if (options_.cookies) {
      const auto set = got->headers.values("Set-Cookie");
      if (!set.empty()) options_.cookies->store(request_.url, set);
    }
    const result<bool> goes_on = redirected(*got);
    if (!goes_on) return fail(explain(goes_on.error()));
    if (!*goes_on) {
      got->url = std::move(request_.url);
      return got;
    }
  }
}

result<destination> client_call::find_destination() const {
  const http::url& to = request_.url;
  if (to.scheme != "http" && to.scheme != "https")
    return fail(error("unsupported protocol scheme \"" + to.scheme + '"'));
  if (to.hostname().empty()) return fail(error("http: no Host in request URL"));
  destination out;
  out.tls = to.scheme == "https";
  out.host = lower(to.hostname());
  out.host_port = net::join_host_port(out.host, to.port());
  if (options_.proxy) {
    result<std::optional<http::url>> proxy = options_.proxy(to);
    if (!proxy) return fail(proxy.error());
    out.proxy = std::move(*proxy);
  }
  if (out.proxy) out.key = out.proxy->string() + ' ';
  out.key += out.tls ? "https " : "http ";
  if (!out.proxy || out.tls) out.key += out.host_port;
  return out;
}

result<http::response> client_call::hop() {
  pool_.count_request();
  const result<destination> to = find_destination();
  if (!to) return fail(to.error());
  const bool asks_compression = options_.compression && request_.method != "HEAD" &&
                                !request_.headers.has("Accept-Encoding") &&
                                !request_.headers.has("Range");
  for (;;) {
    bool retry = false;
    result<http::response> got = attempt(*to, asks_compression, retry);
    if (retry) {
      pool_.count_retry();
      continue;
    }
    if (got && asks_compression) undo_compression(*got);
    return got;
  }
}

/// What it does not know stays as it is.
void client_call::undo_compression(http::response& r) const {
  const std::string_view coding = r.headers.get("Content-Encoding");
  if (!http::equal_fold(coding, "gzip") && !http::equal_fold(coding, "zstd")) return;
  if (r.body.source() == nullptr) return;
  result<http::body> plain =
      http::decode_body(std::move(r.body), coding, options_.decompressed_bytes_max);
  if (!plain) return;
  r.body = std::move(*plain);
  r.headers.erase("Content-Encoding");
  r.headers.erase("Content-Length");
  r.uncompressed = true;
}

result<http::response> client_call::attempt(const destination& to, bool asks_compression,
                                            bool& retry) {
  if (trace_ != nullptr && trace_->get_conn) trace_->get_conn(to.host_port);
  if (error ended = ctx_.err()) return fail(std::move(ended));
  result<client_pool::acquired> got = pool_.acquire(ctx_, to, deadline_);
  if (!got) return fail(got.error());
  if (trace_ != nullptr && trace_->got_conn) {
    http::got_conn_info info = got->info;
    info.local = got->conn->wire().local_addr();
    info.remote = got->conn->wire().remote_addr();
    trace_->got_conn(info);
  }
  const std::string cookies = options_.cookies ? options_.cookies->cookies_for(request_.url) : "";
  const std::string proxy_password =
      to.proxy && !to.tls && !to.proxy->user.empty() ? basic_authorization(to.proxy->user) : "";
  if (had_body_ && !replay_ && request_.body.source() != nullptr)
    replay_ = request_.body.source()->again();
  if (options_.propagate) http::inject_call(ctx_, deadline_, request_.headers);
  exchange x{.request = request_,
             .ctx = ctx_,
             .options = options_,
             .deadline = deadline_,
             .trace = trace_,
             .through_proxy = to.proxy && !to.tls,
             .proxy_authorization = proxy_password,
             .cookies = cookies,
             .asks_compression = asks_compression,
             .reused = got->info.reused};
  result<http::response> answer = got->conn->round_trip(x);
  if (answer || !may_repeat(x.failure, got->info.reused)) return answer;
  if (had_body_) request_.body = http::body(std::move(replay_));
  retry = true;
  return answer;
}

/// Go's shouldRetryRequest.
bool client_call::may_repeat(failure_kind how, bool reused) const {
  if (how == failure_kind::final || !reused || ctx_.err()) return false;
  if (had_body_ && !replay_) return false;
  return how == failure_kind::nothing_written || is_idempotent(request_);
}

result<bool> client_call::redirected(http::response& r) {
  if (!is_redirect(r.status)) return false;
  const std::string_view where = r.headers.get("Location");
  if (where.empty()) return false;
  const bool same_method = r.status == 307 || r.status == 308;
  if (same_method && had_body_ && !replay_) return false;
  result<http::url> to = request_.url.resolve(where);
  if (!to) return fail(error::wrap("http: the Location of the response is no URL", to.error()));
  if (made_.size() >= options_.limits.redirects_max)
    return fail(
        error("stopped after " + std::to_string(options_.limits.redirects_max) + " redirects"));
  const bool as_get = !same_method && request_.method != "GET" && request_.method != "HEAD";
  http::request before = std::move(request_);
  request_ = http::request();
  request_.method = as_get ? "GET" : before.method;
  request_.headers = before.headers;
  request_.set_context(ctx_);
  if (!as_get && had_body_) {
    request_.trailers = before.trailers;
    request_.body = http::body(std::move(replay_));
  } else {
    had_body_ = false;
    replay_.reset();
  }
  if (as_get)
    for (const std::string_view name : {"Content-Type", "Content-Length", "Content-Encoding",
                                        "Content-Language", "Content-Location", "Expect"})
      request_.headers.erase(name);
  if (!same_origin(before.url, *to)) {
    for (const std::string_view name : {"Authorization", "Www-Authenticate", "Cookie", "Cookie2",
                                        "Proxy-Authorization", "Proxy-Authenticate"})
      request_.headers.erase(name);
  } else if (before.host != "") {
    request_.host = before.host;  // it was chosen for this origin
  }
  request_.headers.erase("Referer");
  if (!(before.url.scheme == "https" && to->scheme == "http")) {
    http::url referer = before.url;
    referer.user.clear();
    referer.fragment.clear();
    request_.headers.set("Referer", referer.string());
  }
  made_.push_back(before.url);
  request_.url = std::move(*to);
  if (options_.redirect) {
    if (const result<void> may = options_.redirect(request_, made_); !may) {
      request_.url = std::move(before.url);
      request_.method = std::move(before.method);
      if (may.error().is(http::use_last_response)) return false;
      return fail(may.error());
    }
  }
  if (r.body.length() <= static_cast<int64_t>(redirect_bytes_max))
    (void)r.body.read_all(redirect_bytes_max);
  return true;
}

}  // namespace weft::rt
