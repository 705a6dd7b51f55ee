// SPDX-License-Identifier: Apache-2.0
// Lookups of names. One goroutine per name in flight runs the system's resolver on a thread that it
// blocks; whoever wants the name waits for that goroutine's channel or for its own context.
//
// A flight is in the table from the first wish until its answer. One whose waiters have all left
// before it got one of the lookups_max turns is taken out and ends; one that the system is working
// on stays, so that impatient callers who ask again and again do not hold a thread each.
//
// Rejected: getaddrinfo_a (threads of its own, without a limit, and its notification is another
// thread), a DNS client of our own (it would have to know nsswitch, hosts, mDNS, VPN's rules).
#include "weft/net/lookup.hpp"

#include <netdb.h>
#include <sys/socket.h>

#include <cstring>
#include <map>
#include <memory>
#include <string>

#include "weft/base/atomic.hpp"
#include "weft/net/errors.hpp"
#include "weft/net/internal/lookup.hpp"
#include "weft/net/internal/sys.hpp"
#include "weft/sched/go.hpp"
#include "weft/sync/mutex.hpp"
#include "weft/sync/semaphore.hpp"

namespace weft::rt {

namespace {

using addresses = std::vector<net::address>;

// getaddrinfo loads modules and keeps answers on the stack. 1 MiB is address space only.
constexpr size_t lookup_stack_bytes = size_t{1} << 20;

struct flight {
  explicit flight(std::string of) : name(std::move(of)) {}
  const std::string name;
  /// Closed when `answer` is there, which nobody changes then.
  chan<std::monostate> done = make_chan<std::monostate>();
  result<addresses> answer;
  /// Goroutines in lookup_host() with this name. Under table.lock.
  int waiters = 0;
  /// The system has been asked. Under table.lock.
  bool begun = false;
  /// Ends the wait for a turn.
  context_and_cancel turn = with_cancel(background());
};

struct flight_table {
  mutex lock;
  std::map<std::string, std::shared_ptr<flight>, std::less<>> by_name;
  semaphore turns{net::lookups_max};
  /// Set by tests, read by each lookup as it begins.
  atomic<lookup_function> replaced{nullptr};
};

/// Never destroyed: a lookup may go on when the program ends.
flight_table& table() {
  static auto* const made = new flight_table;
  return *made;
}

__attribute__((noinline)) int ask_system(const std::string& host, addrinfo** list) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;  // else each address comes three times
  return blocking([&] { return ::getaddrinfo(host.c_str(), nullptr, &hints, list); });
}

result<addresses> system_lookup(const std::string& host) {
  addrinfo* list = nullptr;
  const int status = ask_system(host, &list);
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(list, &::freeaddrinfo);
  if (status != 0) {
    const bool unknown = status == EAI_NONAME || status == EAI_NODATA;
    return fail(
        error("lookup " + host + ": " +
              (unknown ? std::string("no such host") : std::string(::gai_strerror(status)))));
  }
  addresses out;
  for (const addrinfo* at = list; at != nullptr; at = at->ai_next) {
    sockaddr_storage native{};
    if (at->ai_addrlen > sizeof native) continue;
    std::memcpy(&native, at->ai_addr, at->ai_addrlen);
    net::address found = sys::from_native(native, at->ai_addrlen);
    if (found.kind != net::family::none) out.push_back(std::move(found));
  }
  return out;
}

/// The goroutine of a flight.
void fly(const std::shared_ptr<flight>& self) {
  flight_table& all = table();
  if (!all.turns.acquire(self->turn.ctx)) return;  // nobody waits, and it is out of the table
  bool wanted = false;
  {
    const std::lock_guard hold(all.lock);
    // Its last waiter may have left while the turn was coming.
    wanted = self->begun = !self->turn.ctx.err();
  }
  if (wanted) {
    const lookup_function f = all.replaced.load(acquire);  // partner: set_lookup_function()
    self->answer = f != nullptr ? f(self->name) : system_lookup(self->name);
    {
      const std::lock_guard hold(all.lock);
      all.by_name.erase(self->name);
    }
    self->done.close();
  }
  all.turns.release();
}

std::shared_ptr<flight> join_flight(std::string_view name) {
  flight_table& all = table();
  const std::lock_guard hold(all.lock);
  auto at = all.by_name.find(name);
  if (at == all.by_name.end()) {
    at = all.by_name.emplace(std::string(name), std::make_shared<flight>(std::string(name))).first;
    go({.name = "lookup", .stack = lookup_stack_bytes}, [self = at->second] { fly(self); });
  }
  ++at->second->waiters;
  return at->second;
}

void leave_flight(flight& from) {
  flight_table& all = table();
  const std::lock_guard hold(all.lock);
  if (--from.waiters != 0 || from.begun) return;
  from.turn.cancel();
  all.by_name.erase(from.name);
}

}  // namespace

void set_lookup_function(lookup_function f) noexcept {
  table().replaced.store(f, release);  // partner: fly()
}

size_t lookups_in_flight() {
  const std::lock_guard hold(table().lock);
  return table().by_name.size();
}

}  // namespace weft::rt

namespace weft::net {

result<std::vector<address>> lookup_host(const context& ctx, std::string_view name) {
  const std::string text(name);
  address numeric;
  if (rt::parse_numeric(text, numeric)) return std::vector<address>{numeric};
  const auto ended = [&] {
    const error why = ctx.err();
    return fail(error::wrap("lookup " + text, why.timeout() ? err_timeout : why));
  };
  if (text.empty()) return fail(error("lookup : no such host"));
  if (ctx.err()) return ended();
  const std::shared_ptr<rt::flight> shared = rt::join_flight(text);
  const bool answered = select(on_recv(shared->done), on_done(ctx)) == 0;
  rt::leave_flight(*shared);
  if (!answered) return ended();
  return shared->answer;
}

}  // namespace weft::net
