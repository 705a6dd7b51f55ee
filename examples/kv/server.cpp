// SPDX-License-Identifier: Apache-2.0
// Accepting, serving, ending.
//
// A client's goroutine is a straight line: wait until there is something to read, borrow buffers,
// read once, run every complete command of what came, write all replies at once, give the buffers
// back. So a batch costs one read and one write however many commands it holds.
//
// The end: accepting stops, and every connection gets a read deadline that each batch puts off: a
// client is served until it has been silent for drain_silence. So what was sent before the end is
// answered, on its way or not. (Shutting down the receiving sides instead would lose requests that
// are still in the client's kernel.)
#include "server.hpp"

#include <chrono>
#include <cstdio>
#include <mutex>

#include "commands.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sync/select.hpp"
#include "work_area.hpp"

namespace kv {

namespace {

using namespace std::chrono_literals;

// Beyond this replies are sent before the batch is done: a batch of 16 KiB can ask for gigabytes.
inline constexpr size_t out_bytes_max = 64 * 1024;
// How long requests that were sent before the end may take.
inline constexpr auto drain_time = 10s;
// Longer than a round trip in one data centre; shorter ends idle clients sooner.
inline constexpr auto drain_silence = 100ms;
// For replies and messages that are still to be sent when a client's goroutine ends.
inline constexpr auto last_words_time = 1s;

work_area_pool& areas() {
  static work_area_pool pool;
  return pool;
}

}  // namespace

session::session(server& s, store& d, weft::net::conn c, uint64_t number)
    : srv(s),
      data(d),
      connection(std::move(c)),
      id(number),
      address(connection.remote_addr().string()),
      connected_ms(unix_ms()),
      active_ms(connected_ms),
      now_ms(connected_ms) {}

bool session::flush() {
  srv.stats.commands.fetch_add(commands, std::memory_order_relaxed);
  commands = 0;
  if (out.size() == 0) return true;
  if (subscriptions != nullptr) {
    subscriptions->send(std::move(out.text()));
    out.text().clear();
    return true;
  }
  const bool sent = connection.write(out.text()).has_value();
  out.text().clear();
  return sent;
}

server::server(server_options how)
    : options_(std::move(how)), started_ms_(unix_ms()), clients_max_(options_.clients_max) {
  limits_.bulk_bytes_max = options_.bulk_bytes_max;
}

weft::result<void> server::listen() {
  auto tcp = weft::net::listen("tcp", weft::net::join_host_port(options_.bind, options_.port));
  if (!tcp) return weft::fail(tcp.error());
  tcp_ = std::move(*tcp);
  if (options_.unix_path.empty()) return {};
  auto local = weft::net::listen("unix", options_.unix_path);
  if (!local) return weft::fail(local.error());
  local_ = std::move(*local);
  return {};
}

void server::run(const weft::context& ctx) {
  stopping_ = ctx;
  weft::wait_group background;
  background.go({.name = "kv expiry"}, [this, &ctx] { data_.run_expiry(ctx); });
  background.go({.name = "kv accept"}, [this] { accept_clients(tcp_); });
  if (local_) background.go({.name = "kv accept unix"}, [this] { accept_clients(local_); });
  (void)ctx.done().recv();
  (void)tcp_.close();
  if (local_) (void)local_.close();
  background.wait();
  drain();
}

void server::accept_clients(const weft::net::listener& from) {
  for (;;) {
    weft::result<weft::net::conn> got = from.accept();
    if (!got) {
      if (got.error().is(weft::net::closed)) return;
      // Out of descriptors, most likely: the client stays in the queue until some are free.
      std::fprintf(stderr, "weft-kv: %s\n", got.error().message().c_str());
      weft::sleep_for(50ms);
      continue;
    }
    stats.connections.fetch_add(1, std::memory_order_relaxed);
    const uint64_t id = next_id_.fetch_add(1, std::memory_order_relaxed);
    // add() before the goroutine, so that drain() cannot miss it.
    clients_done_.go({.name = "kv client"},
                     [this, c = std::move(*got), id]() mutable { serve(std::move(c), id); });
  }
}

bool server::enter(session& s) {
  const std::scoped_lock hold(clients_lock_);
  if (draining_.load(std::memory_order_relaxed)) return false;
  if (static_cast<int64_t>(clients_.size()) >= clients_max_.load(std::memory_order_relaxed)) {
    stats.refused.fetch_add(1, std::memory_order_relaxed);
    s.out.error("ERR max number of clients reached");
    return false;
  }
  clients_.emplace(s.id, &s);
  return true;
}

void server::leave(session& s) {
  const std::scoped_lock hold(clients_lock_);
  clients_.erase(s.id);
}

void server::serve(weft::net::conn c, uint64_t id) {
  session s(*this, data_, std::move(c), id);
  const bool entered = enter(s);
  if (entered) serve_commands(s);
  // Last words to a client that reads nothing must not keep us.
  (void)s.connection.set_write_deadline(weft::now() + last_words_time);
  (void)s.flush();
  if (s.subscriptions != nullptr) {
    channels_.forget(*s.subscriptions);
    s.subscriptions.reset();
  }
  // Until here drain() can close the connection under us.
  if (entered) leave(s);
  (void)s.connection.close();
}

void server::serve_commands(session& s) {
  request_parser parser(limits_);
  std::unique_ptr<work_area> area;
  while (!s.closing) {
    if (area == nullptr) {
      // Silent: no buffers are held here.
      if (!s.connection.wait_readable()) return;
      area = areas().take();
      s.out.text().swap(area->out);
    }
    const weft::result<size_t> got = s.connection.read(area->in.room(parser.bytes_wanted()));
    if (!got || *got == 0) break;
    area->in.received(*got);
    s.now_ms = unix_ms();
    s.active_ms.store(s.now_ms, std::memory_order_relaxed);
    while (!s.closing) {
      size_t consumed = 0;
      const parse_status status = parser.next(area->in.data(), consumed);
      if (status == parse_status::command) {
        execute(s, parser.arguments());
      } else if (status == parse_status::error) {
        s.out.error(parser.error_text());
        s.closing = true;
      }
      area->in.consume(consumed);
      if (status == parse_status::need_more) break;
      if (s.out.size() > out_bytes_max && !s.flush()) s.closing = true;
    }
    if (!s.flush()) break;
    if (draining_.load(std::memory_order_seq_cst))
      (void)s.connection.set_read_deadline(weft::now() + drain_silence);
    if (area->in.empty()) {
      parser.shrink();
      s.out.text().swap(area->out);
      areas().give_back(std::move(area));
    } else if (parser.bytes_wanted() == 0) {
      area->in.shrink();
    }
  }
}

void server::drain() {
  {
    const std::scoped_lock hold(clients_lock_);
    // The flag first: who clears its deadline after ours (hangup_watch) sees the flag then.
    draining_.store(true, std::memory_order_seq_cst);
    for (const auto& [id, s] : clients_)
      (void)s->connection.set_read_deadline(weft::now() + drain_silence);
  }
  const weft::chan<int> finished = weft::make_chan<int>();
  weft::go([this, finished] {
    clients_done_.wait();
    finished.close();
  });
  bool late = false;
  weft::select(weft::on_recv(finished), weft::after(drain_time, [&] { late = true; }));
  if (!late) return;
  {
    const std::scoped_lock hold(clients_lock_);
    for (const auto& [id, s] : clients_) (void)s->connection.close();
  }
  (void)finished.recv();
}

size_t server::client_count() {
  const std::scoped_lock hold(clients_lock_);
  return clients_.size();
}

std::string server::describe_clients(uint64_t only_id) {
  const int64_t now = unix_ms();
  std::string out;
  const std::scoped_lock hold(clients_lock_);
  for (const auto& [id, s] : clients_) {
    if (only_id != 0 && id != only_id) continue;
    out += "id=" + std::to_string(id) + " addr=" + s->address +
           " laddr=" + s->connection.local_addr().string() +
           " fd=" + std::to_string(s->connection.native_handle()) + " name=" + s->name +
           " age=" + std::to_string((now - s->connected_ms) / 1000) +
           " idle=" + std::to_string((now - s->active_ms.load(std::memory_order_relaxed)) / 1000) +
           " db=0 resp=2\n";
  }
  return out;
}

void server::set_name(session& s, std::string_view name) {
  const std::scoped_lock hold(clients_lock_);
  s.name = name;
}

std::string server::name_of(session& s) {
  const std::scoped_lock hold(clients_lock_);
  return s.name;
}

std::vector<std::pair<std::string, std::string>> server::configuration() {
  return {{"port", std::to_string(options_.port)},
          {"bind", options_.bind},
          {"unixsocket", options_.unix_path},
          {"maxclients", std::to_string(clients_max_.load(std::memory_order_relaxed))},
          {"proto-max-bulk-len", std::to_string(options_.bulk_bytes_max)},
          {"databases", "1"},
          {"save", ""},
          {"appendonly", "no"},
          {"maxmemory", "0"},
          {"timeout", "0"}};
}

bool server::configure(std::string_view name, std::string_view text) {
  int64_t number = 0;
  if (name != "maxclients" || !parse_int64(text, number) || number < 1 || number > 1000000)
    return false;
  clients_max_.store(number, std::memory_order_relaxed);
  return true;
}

}  // namespace kv
