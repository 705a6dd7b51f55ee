// SPDX-License-Identifier: Apache-2.0
// Dialing: each address a non-blocking connect that waits for writability; two families race (happy
// eyeballs). Time limits are the socket's write deadline; a canceled context sets one in the past.
#include "weft/net/dial.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <span>
#include <vector>

#include "weft/net/internal/net_fd.hpp"
#include "weft/net/internal/resolve.hpp"
#include "weft/net/internal/sys.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/heap_object.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sync/select.hpp"

namespace weft::net {

namespace {

namespace sys = rt::sys;

// RFC 8305 recommends 250 ms, Go waits 300.
constexpr std::chrono::nanoseconds default_fallback_delay = std::chrono::milliseconds(300);
// An address gets at least this much of the time, though later ones then get none (Go's number).
constexpr int64_t share_min_ns = 2'000'000'000;

int64_t nanoseconds_of(time_point when) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(when.time_since_epoch()).count();
}

/// What the attempts of one dial have in common.
struct dialing {
  context ctx;
  const char* network = "";
  int64_t deadline_ns = 0;  // 0: none
  address from;             // kind none: the system chooses
  keep_alive_options keep_alive;
};

/// A context that has ended explains a failure better than the deadline it was carried out with.
error explain(const dialing& how, error why) {
  const error ended = how.ctx.err();
  if (!ended) return why;
  return ended.timeout() ? err_timeout : ended;
}

/// One attempt that may last until `deadline_ns`.
result<conn> dial_one(const dialing& how, const address& to, int64_t deadline_ns) {
  const char* call = "";
  const auto failed = [&](error why) {
    return fail(rt::make_op_error("dial", how.network, how.from.string(), to.string(), call,
                                  std::move(why)));
  };
  const int domain = to.kind == family::ipv4   ? AF_INET
                     : to.kind == family::ipv6 ? AF_INET6
                                               : AF_UNIX;
  const int fd = sys::make_socket(domain, SOCK_STREAM);
  if (fd < 0) {
    call = "socket";
    return failed(sys::errno_error(-fd));
  }
  auto made = std::allocate_shared<rt::net_fd>(rt::heap_allocator<rt::net_fd>(), fd, how.network);
  if (how.from.kind != family::none) {
    sockaddr_storage native;
    const uint32_t bytes = sys::to_native(how.from, native);
    if (const int bad = sys::bind_to(fd, native, bytes); bad != 0) {
      call = "bind";
      return failed(sys::errno_error(-bad));
    }
  }
  if (domain != AF_UNIX) rt::set_tcp_options(fd, how.keep_alive);
  if (const int bad = made->start_connect(to); bad != 0) {
    call = "connect";
    return failed(sys::errno_error(bad));
  }
  if (const int bad = made->open(); bad != 0) {
    call = "epoll_ctl";
    return failed(sys::errno_error(bad));
  }
  if (deadline_ns != 0) (void)made->set_deadline(deadline_ns, false, true);
  // Whoever cancels makes the wait end: 1 ns is in the past.
  auto stop = after_func(how.ctx, [made] { (void)made->set_deadline(1, false, true); });
  error why = made->finish_connect();
  // Not prevented: it has run, or is about to spoil this socket's deadline.
  if (!stop() && !why) why = err_timeout;
  if (why) return failed(explain(how, std::move(why)));
  if (deadline_ns != 0) (void)made->set_deadline(0, false, true);
  return conn(std::move(made));
}

bool connected_to_itself(const conn& c) {
  return c.local_addr().kind != family::local && c.local_addr() == c.remote_addr();
}

/// When the attempt must end that has `left` addresses before it, itself included: each gets an
/// equal share of what remains. `now_ns` is before how.deadline_ns.
int64_t share_of(const dialing& how, int64_t now_ns, size_t left) {
  if (how.deadline_ns == 0) return 0;
  const int64_t remains = how.deadline_ns - now_ns;
  const int64_t share = std::max(remains / static_cast<int64_t>(left), share_min_ns);
  return share < remains ? now_ns + share : how.deadline_ns;
}

/// Tries the addresses in order. Fails with the first one's error.
result<conn> dial_serial(const dialing& how, std::span<const address> to) {
  result<conn> first_failure;
  for (size_t i = 0; i < to.size(); ++i) {
    const int64_t now_ns = nanoseconds_of(now());
    if (i != 0 && (how.ctx.err() || (how.deadline_ns != 0 && now_ns >= how.deadline_ns))) break;
    const int64_t until = share_of(how, now_ns, to.size() - i);
    result<conn> got = dial_one(how, to[i], until);
    // A port of the ephemeral range without a listener: the kernel may give our socket that very
    // port and connect it to itself (simultaneous open).
    for (int again = 0; got && connected_to_itself(*got) && again < 2; ++again) {
      (void)got->close();
      got = dial_one(how, to[i], until);
    }
    if (got) return got;
    if (i == 0) first_failure = std::move(got);
  }
  return first_failure;
}

/// Both families: the second one starts when the delay has passed or the first has failed. Whoever
/// is first to connect wins; the other attempt is canceled and, if it connects all the same,
/// closed.
result<conn> dial_parallel(const dialing& of, std::span<const address> primaries,
                           std::span<const address> fallbacks, std::chrono::nanoseconds delay) {
  const context_and_cancel race = with_cancel(of.ctx);
  dialing how = of;
  how.ctx = race.ctx;
  struct outcome {
    bool primary;
    result<conn> got;
  };
  // Room for both: the loser goes on when nobody listens any more.
  const chan<outcome> outcomes = make_chan<outcome>(2);
  const auto start = [&](bool primary, std::span<const address> to) {
    go([=, how = how, to = std::vector(to.begin(), to.end())] {
      result<conn> got = dial_serial(how, to);
      // Too late: another has won, or the dial has ended.
      if (const error ended = how.ctx.err(); got && ended)
        got = fail(rt::make_op_error("dial", how.network, how.from.string(), to.front().string(),
                                     "", explain(how, ended)));
      outcomes.send({primary, std::move(got)});
    });
  };
  start(true, primaries);
  error primary_failure;
  error fallback_failure;
  bool fallback_started = false;
  const auto receive = [&](std::optional<outcome> end) -> std::optional<conn> {
    if (!end) return std::nullopt;  // never: nobody closes it
    if (end->got) return std::move(*end->got);
    (end->primary ? primary_failure : fallback_failure) = std::move(end->got.error());
    return std::nullopt;
  };
  std::optional<conn> winner;
  select(on_recv(outcomes, [&](std::optional<outcome> end) { winner = receive(std::move(end)); }),
         after(delay, [] {}));
  while (!winner && !(primary_failure && fallback_failure)) {
    if (!fallback_started) start(false, fallbacks);
    fallback_started = true;
    winner = receive(outcomes.recv());
  }
  if (winner) return std::move(*winner);
  return fail(std::move(primary_failure));
}

result<conn> dial_all(const context& ctx, std::string_view network, std::string_view where,
                      const dial_options& options) {
  const auto refuse = [&](error why) {
    return fail(rt::make_op_error("dial", network, "", std::string(where), "", std::move(why)));
  };
  dialing how;
  how.ctx = ctx;
  how.keep_alive = options.keep_alive;
  context lookup_ctx = ctx;
  cancel_func lookup_end;
  if (options.timeout.count() > 0) {
    const time_point limit = now() + options.timeout;
    how.deadline_ns = nanoseconds_of(limit);
    context_and_cancel made = with_deadline(ctx, limit);
    lookup_ctx = std::move(made.ctx);
    lookup_end = std::move(made.cancel);
  }
  if (const error ended = ctx.err()) return refuse(explain(how, ended));
  if (const auto limit = ctx.deadline()) {
    const int64_t at = std::max<int64_t>(nanoseconds_of(*limit), 1);
    how.deadline_ns = how.deadline_ns == 0 ? at : std::min(how.deadline_ns, at);
  }
  const result<rt::resolved> what =
      rt::resolve(lookup_ctx, network, where, rt::resolve_purpose::dial);
  if (!what) return refuse(what.error());
  how.network = what->network;
  if (!options.local_address.empty()) {
    const auto own =
        rt::resolve(lookup_ctx, network, options.local_address, rt::resolve_purpose::listen);
    if (!own) return refuse(own.error());
    how.from = own->addresses.front();
  }
  // The system's order within each family.
  const family preferred = what->addresses.front().kind;
  std::vector<address> primaries;
  std::vector<address> fallbacks;
  for (const address& a : what->addresses)
    (a.kind == preferred ? primaries : fallbacks).push_back(a);
  if (fallbacks.empty() || options.fallback_delay.count() < 0)
    return dial_serial(how, what->addresses);
  return dial_parallel(
      how, primaries, fallbacks,
      options.fallback_delay.count() > 0 ? options.fallback_delay : default_fallback_delay);
}

}  // namespace

result<conn> dial(std::string_view network, std::string_view where, dial_options options) {
  return dial_all(background(), network, where, options);
}

result<conn> dial(const context& ctx, std::string_view network, std::string_view where,
                  dial_options options) {
  return dial_all(ctx, network, where, options);
}

}  // namespace weft::net
