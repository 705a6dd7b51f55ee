// SPDX-License-Identifier: Apache-2.0
// Taking connections, giving them back, and who comes next.
#include "weft/http/internal/client_pool.hpp"

#include <algorithm>

#include "weft/sched/go.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sync/select.hpp"

namespace weft::rt {

namespace {

const error too_many_idle("http: enough idle connections are kept");
const error pool_shut("http: the client is gone");
const error keep_alive_off("http: keep_alive is off");
const error lost_at_once("http: the server has ended the new connection");
const error dead_when_put("http: the server has closed the connection");

}  // namespace

void client_conn::readable() {
  const std::shared_ptr<client_pool> kept = pool;  // this may be gone before woken() has returned
  kept->woken(*this);
}

client_pool::~client_pool() = default;

pool_host& client_pool::host_of(const destination& to) {
  const auto known = hosts_.find(to.key);
  if (known != hosts_.end()) return *known->second;
  if (hosts_.size() >= sweep_at_) sweep();
  return *hosts_.emplace(to.key, std::make_unique<pool_host>()).first->second;
}

/// Forgets where no connection leads and nobody waits, so that a walk through the whole web does
/// not leave a name of each host behind.
void client_pool::sweep() {
  std::erase_if(hosts_, [](const auto& entry) {
    const pool_host& host = *entry.second;
    return host.conns == 0 && host.idle_queue.empty() && host.dial_queue.empty();
  });
  sweep_at_ = std::max(hosts_.size() * 2, sweep_first);
}

/// False: there is something to read, or an end.
bool client_pool::arm(client_conn& conn) {
  // The first answer may be of an event that came for bytes which were read already; then the
  // stream looks.
  stream& wire = *conn.wire().stream();
  return wire.watch_readable(conn) || wire.watch_readable(conn);
}

/// False: its watcher's goroutine is about to find it, and closes it.
bool client_pool::disarm(client_conn& conn) {
  if (!conn.wire().stream()->unwatch()) {
    conn.pooled.left_to_watcher = true;
    return false;
  }
  if (conn.pooled.overtaken == 0) conn.pooled.armed.reset();
  return true;
}

/// For a next request. False: as disarm(). An event of bytes that were read long ago may start the
/// watcher's goroutine, and whoever comes before it finds a connection in good order.
bool client_pool::taken_out(client_conn& conn) {
  if (disarm(conn)) return true;
  if (conn.wire().stream()->has_input()) return false;
  conn.pooled.left_to_watcher = false;
  ++conn.pooled.overtaken;
  return true;
}

/// Takes it off the lists; the caller holds a reference.
void client_pool::remove_idle(client_conn& conn) {
  std::vector<std::shared_ptr<client_conn>>& all = conn.pooled.host->idle;
  // Searched from the young end, where conns are taken.
  for (size_t i = all.size(); i-- > 0;) {
    if (all[i].get() != &conn) continue;
    all.erase(all.begin() + static_cast<std::ptrdiff_t>(i));
    break;
  }
  by_age_.erase(conn.pooled.by_age);
  conn.pooled.idle = false;
  --stats_.idle_now;
}

/// The youngest that lives; null: none. What is too old goes to `dead`.
std::shared_ptr<client_conn> client_pool::take_idle(pool_host& host, http::got_conn_info& info,
                                                    conns& dead) {
  for (const std::shared_ptr<client_conn>& conn : host.shared) {
    if (!conn->reserve()) continue;
    ++conn->pooled.requests;
    info.reused = true;
    return conn;
  }
  const net::time_point now = weft::now();
  for (size_t at = host.idle.size(); at-- > 0;) {
    std::shared_ptr<client_conn> conn = host.idle[at];
    remove_idle(*conn);
    if (!taken_out(*conn)) continue;
    const std::chrono::nanoseconds idle = now - conn->pooled.idle_since;
    // The timer may be late: nothing this old is trusted.
    if (options_.timeouts.idle_conn.count() > 0 && idle >= options_.timeouts.idle_conn) {
      dead.push_back(std::move(conn));
      continue;
    }
    info.reused = true;
    info.was_idle = true;
    info.idle_time = idle;
    return conn;
  }
  return nullptr;
}

void client_pool::leave_queues(wanted_conn& w) {
  pool_host& host = host_of(w.to);
  if (w.queued_for_dial) {
    w.queued_for_dial = false;
    --stats_.waiting_now;
    host.dial_queue.erase(w.in_dial_queue);
  }
  if (w.queued_for_idle) {
    w.queued_for_idle = false;
    host.idle_queue.erase(w.in_idle_queue);
  }
}

/// `w` must be kept alive by the caller: leaving the queues drops their references.
void client_pool::serve(wanted_conn& w, std::shared_ptr<client_conn> conn, error why) {
  leave_queues(w);
  w.done = true;
  if (conn) ++stats_.in_use_now;
  w.conn = std::move(conn);
  w.why = std::move(why);
  (void)w.ready.try_send({});
}

result<client_pool::acquired> client_pool::acquire(const context& ctx, const destination& to,
                                                   net::time_point deadline) {
  acquired out;
  conns dead;
  std::shared_ptr<wanted_conn> w;
  bool dials = false;
  {
    const std::lock_guard<mutex> held(lock_);
    pool_host& host = host_of(to);
    out.conn = take_idle(host, out.info, dead);
    if (out.conn) {
      ++stats_.in_use_now;
      ++stats_.reuses;
    } else {
      w = std::make_shared<wanted_conn>();
      w->to = to;
      w->ctx = ctx;
      w->in_idle_queue = host.idle_queue.insert(host.idle_queue.end(), w);
      w->queued_for_idle = true;
      dials = options_.limits.conns_per_host_max == 0 ||
              host.conns < options_.limits.conns_per_host_max;
      if (dials) {
        ++host.conns;
        ++stats_.dialing_now;
      } else {
        w->in_dial_queue = host.dial_queue.insert(host.dial_queue.end(), w);
        w->queued_for_dial = true;
        ++stats_.waiting_now;
      }
    }
  }
  close_all(dead);
  if (out.conn) return out;
  if (dials) start_dial(w);

  error why;
  if (deadline == net::time_point{}) {
    select(on_recv(w->ready, [](auto) {}), on_done(ctx, [&] { why = ctx.err(); }));
  } else {
    timer limit(deadline - weft::now());
    select(on_recv(w->ready, [](auto) {}), on_done(ctx, [&] { why = ctx.err(); }),
           on_recv(limit.c(), [&](auto) {
             why = error::wrap("http: the request's timeout, while waiting for a connection",
                               deadline_exceeded);
           }));
    limit.stop();
  }
  std::shared_ptr<client_conn> too_late;
  {
    const std::lock_guard<mutex> held(lock_);
    if (!why) {
      if (!w->conn) return fail(w->why);
      out.conn = std::move(w->conn);
      out.info = w->info;
      if (out.info.reused) ++stats_.reuses;
      return out;
    }
    leave_queues(*w);
    w->done = true;
    too_late = std::move(w->conn);
  }
  if (too_late && too_late->multiplexed())
    given_back(*too_late);
  else if (too_late)
    (void)put_idle(too_late);
  return fail(std::move(why));
}

void client_pool::start_dial(std::shared_ptr<wanted_conn> w) {
  weft::go({.name = "http dial"},
           [self = shared_from_this(), w = std::move(w)] { self->dial_for(w); });
}

void client_pool::dial_for(const std::shared_ptr<wanted_conn>& w) {
  // Whoever asked may leave: somebody else will want it. Its values stay, for the trace.
  result<std::shared_ptr<client_conn>> made =
      dial_client_conn(without_cancel(w->ctx), w->to, options_, shared_from_this());
  bool spare = false;
  bool unwanted = false;
  {
    const std::lock_guard<mutex> held(lock_);
    pool_host& host = host_of(w->to);
    ++stats_.dials;
    --stats_.dialing_now;
    if (made) {
      (*made)->pooled.host = &host;
      if ((*made)->multiplexed()) {
        unwanted = !share(*made, *w);
      } else if (w->done) {
        spare = true;
        ++stats_.in_use_now;
      } else {
        serve(*w, *made, {});
      }
    } else {
      ++stats_.dials_failed;
      if (!w->done) serve(*w, nullptr, made.error());
      one_less(host);
    }
  }
  if (spare) (void)put_idle(*made);
  if (unwanted) (*made)->wind_up();
}

/// A new multiplexed connection: for `w`, and for whoever else waits. False: nobody needs it.
bool client_pool::share(const std::shared_ptr<client_conn>& conn, wanted_conn& w) {
  pool_host& host = *conn->pooled.host;
  // A burst of requests has begun several dials, and one connection does for all.
  if (shut_ || (w.done && !host.shared.empty())) {
    one_less(host);
    return false;
  }
  if (!w.done) {
    if (!conn->reserve()) {
      serve(w, nullptr, lost_at_once);
      one_less(host);
      return false;
    }
    ++conn->pooled.requests;
    serve(w, conn, {});
  }
  host.shared.push_back(conn);
  serve_by(host, conn);
  return true;
}

void client_pool::serve_by(pool_host& host, const std::shared_ptr<client_conn>& conn) {
  while (!host.idle_queue.empty() && conn->reserve()) {
    const std::shared_ptr<wanted_conn> next = host.idle_queue.front();
    next->info.reused = true;
    ++conn->pooled.requests;
    serve(*next, conn, {});
  }
}

/// Under the lock: the host is held by what runs over the connection, too.
void client_pool::leave_host(client_conn& conn) {
  if (!conn.pooled.lost || conn.pooled.requests != 0 || conn.pooled.host == nullptr) return;
  one_less(*std::exchange(conn.pooled.host, nullptr));
}

void client_pool::given_back(client_conn& conn) {
  conn.unreserve();
  const std::lock_guard<mutex> held(lock_);
  --stats_.in_use_now;
  --conn.pooled.requests;
  if (!conn.pooled.lost && !shut_) serve_by(*conn.pooled.host, conn.shared_from_this());
  leave_host(conn);
}

void client_pool::lost(client_conn& conn) {
  const std::lock_guard<mutex> held(lock_);
  if (conn.pooled.host == nullptr || conn.pooled.lost) return;  // not even shared yet, or told
  auto& all = conn.pooled.host->shared;
  const auto at = std::ranges::find(all, &conn, [](const auto& c) { return c.get(); });
  if (at == all.end()) return;
  conn.pooled.lost = true;
  leave_host(conn);
  all.erase(at);  // perhaps the last reference but the caller's
}

/// A place under the limit is free: the next one who still waits for a dial gets it.
void client_pool::one_less(pool_host& host) {
  if (host.dial_queue.empty()) {
    --host.conns;
    return;
  }
  std::shared_ptr<wanted_conn> next = host.dial_queue.front();
  host.dial_queue.pop_front();
  next->queued_for_dial = false;
  --stats_.waiting_now;
  ++stats_.dialing_now;
  start_dial(std::move(next));
}

error client_pool::put_idle(const std::shared_ptr<client_conn>& conn) {
  error why;
  std::shared_ptr<client_conn> oldest;
  {
    const std::lock_guard<mutex> held(lock_);
    pool_host& host = *conn->pooled.host;
    if (!host.idle_queue.empty() && options_.keep_alive && !shut_) {
      const std::shared_ptr<wanted_conn> next = host.idle_queue.front();
      next->info.reused = true;
      conn->pooled.reused = true;
      --stats_.in_use_now;
      serve(*next, conn, {});
      return {};
    }
    const size_t room = options_.limits.idle_conns_per_host_max;
    if (shut_)
      why = pool_shut;
    else if (!options_.keep_alive)
      why = keep_alive_off;
    else if (host.idle.size() >= room || options_.limits.idle_conns_max == 0)
      why = too_many_idle;
    if (!why) {
      if (by_age_.size() >= options_.limits.idle_conns_max) {
        oldest = by_age_.front()->shared_from_this();
        remove_idle(*oldest);
        if (!disarm(*oldest)) oldest.reset();
      }
      conn->pooled.reused = true;
      conn->pooled.idle_since = weft::now();
      const std::chrono::nanoseconds limit = options_.timeouts.idle_conn;
      (void)conn->wire().set_write_deadline({});
      (void)conn->wire().set_read_deadline(limit.count() > 0 ? conn->pooled.idle_since + limit
                                                             : net::time_point{});
      conn->pooled.armed = conn;
      if (arm(*conn)) {
        conn->pooled.idle = true;
        conn->pooled.by_age = by_age_.insert(by_age_.end(), conn.get());
        host.idle.push_back(conn);
        ++stats_.idle_now;
        --stats_.in_use_now;
      } else {
        if (conn->pooled.overtaken == 0) conn->pooled.armed.reset();
        why = dead_when_put;
      }
    }
  }
  if (oldest) close_all({&oldest, 1});
  if (why) {
    conn->close();
    forget(*conn);
  }
  return why;
}

void client_pool::forget(client_conn& conn) {
  const std::lock_guard<mutex> held(lock_);
  --stats_.in_use_now;
  one_less(*conn.pooled.host);
}

void client_pool::woken(client_conn& conn) {
  std::shared_ptr<client_conn> kept;
  {
    const std::lock_guard<mutex> held(lock_);
    if (conn.pooled.overtaken > 0) {
      --conn.pooled.overtaken;
      const bool more_to_come = conn.pooled.idle || conn.pooled.left_to_watcher;
      if (conn.pooled.overtaken == 0 && !more_to_come) kept = std::move(conn.pooled.armed);
      return;
    }
    // It may have been taken off the lists already, by who came too late to disarm it.
    if (conn.pooled.idle) {
      if (arm(conn)) return;  // told for nothing
      remove_idle(conn);
    }
    kept = std::move(conn.pooled.armed);
  }
  conn.close();
  const std::lock_guard<mutex> held(lock_);
  one_less(*conn.pooled.host);
}

void client_pool::close_idle() {
  conns all;
  conns shared;
  {
    const std::lock_guard<mutex> held(lock_);
    for (const auto& [key, host] : hosts_) {
      for (size_t i = host->shared.size(); i-- > 0;) {
        if (!shut_ && host->shared[i]->pooled.requests != 0) continue;
        shared.push_back(std::move(host->shared[i]));
        host->shared.erase(host->shared.begin() + static_cast<std::ptrdiff_t>(i));
        shared.back()->pooled.lost = true;
        leave_host(*shared.back());
      }
      for (const std::shared_ptr<client_conn>& conn : conns(host->idle)) {
        remove_idle(*conn);
        if (disarm(*conn)) all.push_back(conn);
      }
    }
  }
  close_all(all);
  for (const std::shared_ptr<client_conn>& conn : shared) conn->wind_up();
}

/// Of what was idle and is disarmed.
void client_pool::close_all(std::span<const std::shared_ptr<client_conn>> those) {
  if (those.empty()) return;
  for (const std::shared_ptr<client_conn>& conn : those) conn->close();
  const std::lock_guard<mutex> held(lock_);
  for (const std::shared_ptr<client_conn>& conn : those) one_less(*conn->pooled.host);
}

void client_pool::shut() {
  {
    const std::lock_guard<mutex> held(lock_);
    shut_ = true;
  }
  close_idle();
}

result<net::tls_context> client_pool::tls(tls_purpose purpose) {
  const std::lock_guard<mutex> held(tls_lock_);
  net::tls_context& kept = tls_.at(static_cast<size_t>(purpose));
  if (kept) return kept;
  net::tls_config how = options_.tls;
  how.handshake_timeout = options_.timeouts.tls_handshake;
  if (purpose == tls_purpose::proxy) how.server_name.clear();
  if (how.alpn.empty() || purpose == tls_purpose::proxy) {
    how.alpn = {"http/1.1"};
    // One connection for all requests, unless each is to have its own.
    if (purpose == tls_purpose::server && options_.http2 && options_.keep_alive)
      how.alpn.insert(how.alpn.begin(), "h2");
  }
  result<net::tls_context> made = net::tls_context::make(std::move(how));
  if (made) kept = *made;
  return made;
}

http::client_stats client_pool::stats() {
  const std::lock_guard<mutex> held(lock_);
  return stats_;
}
void client_pool::count_request() {
  const std::lock_guard<mutex> held(lock_);
  ++stats_.requests;
}
void client_pool::count_retry() {
  const std::lock_guard<mutex> held(lock_);
  ++stats_.retries;
}

}  // namespace weft::rt
