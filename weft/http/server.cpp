// SPDX-License-Identifier: Apache-2.0
// Listeners, the list of connections, and how a server ends.
#include "weft/http/server.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "weft/base/panic.hpp"
#include "weft/http/internal/h1_conn.hpp"
#include "weft/http/internal/server_state.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sched/throw_trace.hpp"
#include "weft/sync/select.hpp"
#include "weft/tls/tls.hpp"

namespace weft::http {

const error server_closed("http: server closed");

server::server(server_options options)
    : state_(std::make_shared<rt::server_state>(std::move(options))) {}

result<void> server::serve(net::listener on) const { return state_->serve(std::move(on)); }

result<void> server::listen_and_serve(std::string_view where) const {
  constexpr std::string_view unix_prefix = "unix:";
  const bool local = where.starts_with(unix_prefix);
  result<net::listener> on =
      local ? net::listen("unix", where.substr(unix_prefix.size())) : net::listen("tcp", where);
  if (!on) return fail(on.error());
  return serve(std::move(*on));
}

result<void> server::listen_and_serve_tls(std::string_view where, net::tls_config with) const {
  if (with.alpn.empty()) {
    if (options().http2) with.alpn.emplace_back("h2");
    if (options().http1) with.alpn.emplace_back("http/1.1");
  }
  result<net::listener> on = net::listen_tls("tcp", where, with);
  if (!on) return fail(on.error());
  return serve(std::move(*on));
}

// Whoever serves returns when these begin, and the handle may go with it: they keep the state.
result<void> server::shutdown(const context& ctx) const {
  const std::shared_ptr<rt::server_state> kept = state_;
  return kept->shutdown(ctx);
}
void server::close() const {
  const std::shared_ptr<rt::server_state> kept = state_;
  kept->close();
}
void server::on_shutdown(std::function<void()> f) const { state_->on_shutdown(std::move(f)); }
const server_options& server::options() const noexcept { return state_->options; }

server_stats server::stats() const { return state_->stats(); }

}  // namespace weft::http

namespace weft::rt {

server_connection::server_connection(std::shared_ptr<server_state> of) noexcept
    : server_(std::move(of)) {}

server_connection::~server_connection() { WEFT_ASSERT(!listed_); }

void server_connection::join_list(server_connection* instead_of) noexcept {
  server_->join(*this, instead_of);
}

void server_connection::leave_list() noexcept {
  if (listed_) server_->leave(*this);
}

server_state::server_state(http::server_options given)
    : options(std::move(given)), works([] { return std::make_unique<h1_work>(); }) {
  if (options.limits.connections_max > 0) places_ = make_chan<bool>(options.limits.connections_max);
}

http::server_stats server_state::stats() const {
  http::server_stats out{.connections = count.connections.load(relaxed),
                         .connections_now = count.connections_now.load(relaxed),
                         .requests_now = count.requests_now.load(relaxed),
                         .bad_requests = count.bad_requests.load(relaxed),
                         .panics = count.panics.load(relaxed)};
  using doing = server_connection::doing;
  const std::scoped_lock hold(lock_);
  // Under the lock: what leaves the list adds what it has counted.
  out.requests = count.requests.load(relaxed);
  for (const server_connection* c = first_; c != nullptr; c = c->next_) {
    const auto what = static_cast<doing>(c->doing_.load(relaxed));
    if (what == doing::waiting) ++out.idle_now;
    if (what == doing::serving) ++out.requests_now;
    out.requests += c->served();
  }
  return out;
}

void server_state::log(std::string_view line) const {
  if (options.log) {
    options.log(line);
  } else {
    // One call: lines of several goroutines are not mixed.
    const std::string whole = std::string(line) + '\n';
    blocking([&] { std::fwrite(whole.data(), 1, whole.size(), stderr); });
  }
}

void server_state::log_panic(std::exception_ptr what, const net::address& client) {
  count.panics.fetch_add(1, relaxed);
  std::string text;
  std::string stack;
  blocking([&] { stack = thrown_at(what); });  // the first one reads debug information
  try {
    std::rethrow_exception(std::move(what));
  } catch (const std::exception& e) {
    text = e.what();
  } catch (...) {
    text = "an exception that is no std::exception";
  }
  log("http: panic serving " + client.string() + ": " + text + (stack.empty() ? "" : "\n" + stack));
}

void server_state::join(server_connection& c, server_connection* instead_of) noexcept {
  const std::scoped_lock hold(lock_);
  c.listed_ = true;
  if (instead_of != nullptr && instead_of->listed_) {
    // The same connection: its place, and no counting.
    c.next_ = instead_of->next_;
    c.previous_ = instead_of->previous_;
    (c.previous_ != nullptr ? c.previous_->next_ : first_) = &c;
    if (c.next_ != nullptr) c.next_->previous_ = &c;
    instead_of->listed_ = false;
    c.served_.store(instead_of->served(), relaxed);
    return;
  }
  count.connections.fetch_add(1, relaxed);
  count.connections_now.fetch_add(1, relaxed);
  c.next_ = first_;
  if (first_ != nullptr) first_->previous_ = &c;
  first_ = &c;
  ++listed_;
}

void server_state::leave(server_connection& c) noexcept {
  count.connections_now.fetch_sub(1, relaxed);
  chan<bool> drained;
  {
    const std::scoped_lock hold(lock_);
    (c.previous_ != nullptr ? c.previous_->next_ : first_) = c.next_;
    if (c.next_ != nullptr) c.next_->previous_ = c.previous_;
    c.listed_ = false;
    count.requests.fetch_add(c.served(), relaxed);
    if (--listed_ == 0) drained = std::exchange(drained_, chan<bool>());
  }
  if (drained) drained.close();
  if (places_) (void)places_.try_recv();
}

void server_state::pass_list() noexcept { const std::scoped_lock hold(lock_); }

bool server_state::add(const net::listener& on) {
  const std::scoped_lock hold(lock_);
  if (closing()) return false;
  listeners_.push_back(on);
  return true;
}

void server_state::remove(const net::listener& on) {
  const std::scoped_lock hold(lock_);
  std::erase(listeners_, on);
}

void server_state::close_listeners() noexcept {
  std::vector<net::listener> all;
  {
    const std::scoped_lock hold(lock_);
    all.swap(listeners_);
  }
  for (const net::listener& on : all) (void)on.close();
}

result<void> server_state::serve(net::listener on) {
  if (!add(on)) {
    (void)on.close();
    return fail(http::server_closed);
  }
  using namespace std::chrono_literals;
  constexpr auto pause_first = 5ms;
  constexpr auto pause_max = 1000ms;
  auto pause = pause_first;
  for (;;) {
    // A place first: who cannot be served stays in the kernel's queue.
    if (places_) places_.send(true);
    result<net::conn> got = on.accept();
    if (got) {
      pause = pause_first;
      accepted(std::move(*got));
      continue;
    }
    if (places_) (void)places_.try_recv();
    if (closing()) {
      remove(on);
      return fail(http::server_closed);
    }
    // Out of descriptors or memory: connections end, and then it goes on.
    const error& why = got.error();
    const auto is = [&](int number) {
      return why.is(std::error_code(number, std::system_category())) ||
             why.is(std::error_code(number, std::generic_category()));
    };
    if (!is(EMFILE) && !is(ENFILE) && !is(ENOBUFS) && !is(ENOMEM)) {
      remove(on);
      (void)on.close();
      return fail(why);
    }
    log("http: accept: " + why.message() + "; trying again in " + std::to_string(pause / 1ms) +
        " ms");
    sleep_for(pause);
    pause = std::min(2 * pause, decltype(pause)(pause_max));
  }
}

void server_state::accepted(net::conn made) {
  // It deletes itself.
  h1_conn::start(shared_from_this(), std::move(made));
}

result<void> server_state::shutdown(const context& ctx) {
  const bool first = closing_.exchange(1, seq_cst) == 0;
  close_listeners();
  std::vector<std::function<void()>> hooks;
  chan<bool> drained;
  {
    const std::scoped_lock hold(lock_);
    if (first) hooks.swap(hooks_);
    if (listed_ != 0) {
      if (!drained_) drained_ = make_chan<bool>();
      drained = drained_;
      for (server_connection* c = first_; c != nullptr; c = c->next_) c->wind_up();
    }
  }
  for (auto& hook : hooks) go(std::move(hook));
  if (!drained) return {};
  error why;
  select(on_recv(drained, [](std::optional<bool>) {}), on_done(ctx, [&] { why = ctx.err(); }));
  if (why) return fail(error::wrap("http: shutdown", why));
  return {};
}

void server_state::close() {
  closing_.store(1, seq_cst);
  close_listeners();
  std::vector<net::conn> all;
  {
    const std::scoped_lock hold(lock_);
    for (server_connection* c = first_; c != nullptr; c = c->next_) all.push_back(c->wire());
  }
  // Without the lock: TLS says goodbye, and waits a little for who does not listen.
  for (const net::conn& wire : all) (void)wire.close();
}

void server_state::on_shutdown(std::function<void()> f) {
  const std::scoped_lock hold(lock_);
  hooks_.push_back(std::move(f));
}

}  // namespace weft::rt
