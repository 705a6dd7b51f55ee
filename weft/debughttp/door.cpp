// SPDX-License-Identifier: Apache-2.0
// The door that weft::run opens: it listens, knows who calls, and is no reason for the process to
// live (docs/adr/0027-debug-door.md).
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "weft/base/atomic.hpp"
#include "weft/base/defer.hpp"
#include "weft/base/os/os.hpp"
#include "weft/base/race.hpp"
#include "weft/debughttp/debughttp.hpp"
#include "weft/debughttp/internal/guard.hpp"
#include "weft/debughttp/internal/place.hpp"
#include "weft/http/server.hpp"
#include "weft/net/internal/stream.hpp"
#include "weft/net/listener.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/internal/debug_door.hpp"
#include "weft/sched/internal/quiet_wait.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sync/context.hpp"
#include "weft/sync/mutex.hpp"
#include "weft/sync/wait_group.hpp"

namespace weft::debughttp {

namespace {

/// How long the end of a program waits for requests that were cut off.
constexpr std::chrono::milliseconds close_max{200};

/// Strangers who are told so at the same time; others are cut off without a word.
constexpr uint32_t strangers_max = 16;
rt::atomic<uint32_t> strangers{0};

/// Says why, and waits a second for the stranger to read it: closing a socket with a question in it
/// that nobody read would take the answer back.
void refuse(std::shared_ptr<rt::stream> stranger) {
  if (strangers.fetch_add(1, rt::relaxed) >= strangers_max) {
    strangers.fetch_sub(1, rt::relaxed);
    (void)stranger->close();
    return;
  }
  go([c = net::conn(std::move(stranger))] {
    (void)c.set_deadline(now() + std::chrono::seconds(1));
    (void)c.write(
        "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Length: 44\r\nConnection: close\r\n\r\n"
        "403 forbidden: not the user of this process\n");
    (void)c.close_write();
    char unread[512];
    for (auto got = c.read(unread); got && *got != 0;) got = c.read(unread);
    (void)c.close();
    strangers.fetch_sub(1, rt::relaxed);
  });
}

/// Accepts like the listener that it wraps, but waits where no deadlock check counts it, and turns
/// other users' processes away.
class door_acceptor final : public rt::acceptor {
 public:
  explicit door_acceptor(std::shared_ptr<rt::acceptor> over) noexcept : over_(std::move(over)) {}
  // A listener's count of references is the runtime's own: ThreadSanitizer does not see it.
  ~door_acceptor() override { rt::race_acquire(this); }

  result<std::shared_ptr<rt::stream>> accept() override {
    const defer used([this] { rt::race_release(this); });
    for (;;) {
      if (!watch_.wait(over_->native())) return fail(net::closed);
      // Somebody is there. If they have gone again this waits in netpoll for the next one: then the
      // process looks alive until somebody calls.
      result<std::shared_ptr<rt::stream>> got = over_->accept();
      if (!got || over_->local().kind != net::family::local) return got;
      if (is_own_peer((*got)->native())) return got;
      refuse(std::move(*got));
    }
  }
  result<void> close() override {
    const defer used([this] { rt::race_release(this); });
    watch_.cancel();
    return over_->close();
  }
  result<void> set_deadline(int64_t when_ns, bool read, bool write) override {
    return over_->set_deadline(when_ns, read, write);
  }
  int native() const noexcept override { return over_->native(); }
  const net::address& local() const noexcept override { return over_->local(); }

 private:
  std::shared_ptr<rt::acceptor> over_;
  rt::quiet_watch watch_;
};

/// Removed when the process ends by exit(), too; a signal leaves it to the next process.
char socket_path[128] = {};

void remove_socket() {
  if (socket_path[0] != '\0') (void)::unlink(socket_path);
}

/// An open door.
struct door {
  http::server server;
  net::listener on;
  wait_group serving;
};

struct doors {
  mutex lock;
  // Under the lock.
  std::unique_ptr<door> open;
  std::string address;
  std::optional<net::tls_config> tls;
};
doors& all() {
  static doors made;
  return made;
}

http::server_options options_for(http::handler h) {
  http::server_options o;
  o.handler = std::move(h);
  o.http2 = o.h2c = false;
  o.limits.header_bytes_max = size_t{16} << 10;
  o.limits.body_bytes_max = uint64_t{1} << 20;  // of symbol's questions
  o.limits.connections_max = 64;
  return o;
}

result<net::listener> listen_at(const place& at) {
  if (!at.local) return net::listen("tcp", at.where);
  if (const auto free = clear_path(at.path); !free) return fail(free.error());
  auto on = net::listen("unix", at.path);
  if (on && !at.path.starts_with('@')) {
    (void)::chmod(at.path.c_str(), 0600);
    if (at.path.size() < sizeof socket_path) at.path.copy(socket_path, at.path.size());
    static const bool at_exit = std::atexit(remove_socket) == 0;
    (void)at_exit;
  }
  return on;
}

/// On a goroutine of the runtime's own.
void serve_door(void* argument) {
  auto* d = static_cast<door*>(argument);
  rt::race_acquire(d);  // partner: start()
  (void)d->server.serve(std::move(d->on));
  d->serving.done();
}

std::string start(const place& at, std::string_view token,
                  const std::optional<net::tls_config>& tls) {
  auto on = listen_at(at);
  if (!on) return std::string(on.error().message());
  guard_rules rules{.token = std::string(token), .check_host = !at.local, .host = at.host};
  const std::string shown = at.local ? "unix:" + at.path : on->addr().string();
  net::listener quiet(std::make_shared<door_acceptor>(on->acceptor()));
  if (tls && !at.local) {
    const auto context = net::tls_context::make(*tls);
    if (!context) return std::string(context.error().message());
    rules.check_host = rules.check_host && tls->client_auth < net::tls_client_auth::require_any;
    quiet = net::tls_listener(std::move(quiet), *context);
  }
  auto made = std::make_unique<door>(
      http::server(options_for(guarded(handler(), std::move(rules)))), std::move(quiet));
  made->serving.add(1);
  rt::race_release(made.get());  // partner: serve_door()
  const char* why = rt::try_start_system_goroutine(serve_door, made.get(), "debughttp");
  if (why != nullptr) return why;
  doors& d = all();
  const std::scoped_lock hold(d.lock);
  d.open = std::move(made);
  d.address = shown;
  return {};
}

/// The default place is nobody's wish: without it the program runs as well.
std::string start_default(std::string_view token) {
  const auto at = default_place();
  const std::string why = at ? start(*at, token, std::nullopt) : std::string(at.error().message());
  if (why.empty()) return {};
  const std::string line = "weft: no debug socket: " + why + " (WEFT_DEBUG_ADDR=off: none)\n";
  rt::os::write_all(2, line.data(), line.size());
  return {};
}

bool is_fit(std::string_view token) noexcept {
  for (const char c : token)
    if (c <= ' ' || c > '~') return false;
  return true;
}

std::string open_door(std::string_view address, std::string_view token) {
  if (!is_fit(token)) return "the token must be printable ASCII without blanks";
  if (address.empty()) return start_default(token);
  std::optional<net::tls_config> tls;
  {
    doors& d = all();
    const std::scoped_lock hold(d.lock);
    tls = d.tls;
  }
  const bool certified = tls && (tls->client_auth == net::tls_client_auth::require_and_verify);
  const auto at = parse_place(address, !token.empty() || certified);
  return at ? start(*at, token, tls) : std::string(at.error().message());
}

void close_door() noexcept {
  doors& d = all();
  std::unique_ptr<door> was;
  {
    const std::scoped_lock hold(d.lock);
    was = std::move(d.open);
    d.address.clear();
  }
  if (was == nullptr) return;
  was->server.close();
  was->serving.wait();
  // Answers in progress have been cut off. Who goes on while the process ends would meet objects
  // that static destructors have destroyed; but nobody holds up the end for long.
  auto [ctx, cancel] = with_timeout(background(), close_max);
  (void)was->server.shutdown(ctx);
  remove_socket();
  socket_path[0] = '\0';
}

constexpr rt::debug_door the_door{open_door, close_door};
const bool registered = [] {
  rt::register_debug_door(the_door);
  return true;
}();

}  // namespace

std::string address() {
  doors& d = all();
  const std::scoped_lock hold(d.lock);
  return d.address;
}

void use_tls(net::tls_config with) {
  doors& d = all();
  const std::scoped_lock hold(d.lock);
  d.tls = std::move(with);
}

}  // namespace weft::debughttp

/// Programs that link the layer and name nothing of it have this object all the same: the layer's
/// link flags ask for the symbol.
extern "C" WEFT_API const bool* const weft_debughttp_door = &weft::debughttp::registered;
