// SPDX-License-Identifier: Apache-2.0
// The signal handler, its socket, and the goroutine that turns bytes into cancellations.
#include "weft/net/notify.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "weft/base/atomic.hpp"
#include "weft/base/panic.hpp"
#include "weft/net/internal/net_fd.hpp"
#include "weft/net/internal/sys.hpp"
#include "weft/sched/go.hpp"
#include "weft/sync/mutex.hpp"

namespace weft::net {

namespace {

struct registration {
  std::vector<int> signals;
  cancel_cause_func cancel;
};

struct registry {
  weft::mutex lock;
  std::map<uint64_t, registration> all;
  struct handled {
    int users = 0;
    struct sigaction before{};
  };
  std::map<int, handled> signals;
  uint64_t next_id = 1;
  /// The goroutine's end of the socket; null until the first notification.
  std::unique_ptr<rt::net_fd> reader;
};
registry& the_registry() {
  // Never destroyed: its goroutine and the handler outlive main().
  static registry& made = *new registry;
  return made;
}

/// The handler's end of the socket; written once before the first handler is installed.
rt::atomic<int> handler_fd{-1};

__attribute__((noinline)) void on_signal(int number) {
  const int saved = errno;
  const auto byte = static_cast<unsigned char>(number);
  // Full: so many are pending that one more says nothing new.
  (void)!::write(handler_fd.load(rt::relaxed), &byte, 1);
  errno = saved;
}

/// The text of Go's os.Signal.
std::string signal_text(int number) {
  switch (number) {
    case SIGINT:
      return "interrupt";
    case SIGTERM:
      return "terminated";
    case SIGHUP:
      return "hangup";
    case SIGQUIT:
      return "quit";
    default:
      break;
  }
  const char* name = ::sigabbrev_np(number);
  return name != nullptr ? "SIG" + std::string(name) : "signal " + std::to_string(number);
}

void deliver(int number) {
  registry& r = the_registry();
  const std::scoped_lock hold(r.lock);
  const error why(signal_text(number) + " signal received");
  for (auto& [id, who] : r.all)
    for (const int wanted : who.signals)
      if (wanted == number) who.cancel(why);
}

void read_signals(rt::net_fd& from) {
  unsigned char numbers[64];
  for (;;) {
    const result<size_t> got = from.read(numbers, sizeof numbers);
    if (!got) continue;
    for (size_t i = 0; i < *got; ++i) deliver(numbers[i]);
  }
}

void start(registry& r) {
  if (r.reader != nullptr) return;
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
    panic("notify_context: no descriptor for signals: " + rt::sys::errno_error(errno).message());
  auto reader = std::make_unique<rt::net_fd>(pair[0], "unix");
  if (const int number = reader->open(); number != 0)
    panic("notify_context: cannot watch for signals: " + rt::sys::errno_error(number).message());
  handler_fd.store(pair[1], rt::relaxed);
  r.reader = std::move(reader);
  weft::go({.name = "os/signal"}, [from = r.reader.get()] { read_signals(*from); });
}

void check(int number) {
  const bool fault = number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL;
  if (number < 1 || number >= NSIG || number == SIGKILL || number == SIGSTOP || fault)
    panic("notify_context: signal " + std::to_string(number) + " cannot be waited for (1.." +
          std::to_string(NSIG - 1) + " but SIGKILL, SIGSTOP and faults)");
}

void use(registry& r, int number) {
  registry::handled& h = r.signals[number];
  if (h.users++ != 0) return;
  struct sigaction action{};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART | SA_ONSTACK;
  sigfillset(&action.sa_mask);
  (void)::sigaction(number, &action, &h.before);
}

void unuse(registry& r, int number) noexcept {
  registry::handled& h = r.signals[number];
  if (--h.users == 0) (void)::sigaction(number, &h.before, nullptr);
}

}  // namespace

notified_context notify_context(const context& parent, std::initializer_list<int> signals) {
  for (const int number : signals) check(number);
  auto [ctx, cancel] = with_cancel_cause(parent);
  registry& r = the_registry();
  const std::scoped_lock hold(r.lock);
  start(r);
  const uint64_t id = r.next_id++;
  r.all.try_emplace(id, registration{signals, std::move(cancel)});
  for (const int number : signals) use(r, number);
  return {ctx, std::make_unique<notify_stop>(id)};
}

void notify_stop::operator()() noexcept {
  if (id_ == 0) return;
  registry& r = the_registry();
  cancel_cause_func cancel;
  {
    const std::scoped_lock hold(r.lock);
    const auto at = r.all.find(id_);
    id_ = 0;
    if (at == r.all.end()) return;
    for (const int number : at->second.signals) unuse(r, number);
    cancel = std::move(at->second.cancel);
    r.all.erase(at);
  }
  cancel(canceled);
}

}  // namespace weft::net
