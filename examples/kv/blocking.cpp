// SPDX-License-Identifier: Apache-2.0
// Waiting for lists.
//
// The waiter is registered under all its keys while their shards are locked, so no push falls
// between looking and waiting. Whoever claims the waiter decides its end: a push hands it an
// element through its channel; the goroutine itself claims it when the time is up or the client has
// gone. So an element is given to exactly one client, and never to one that is known to be gone.
#include "blocking.hpp"

#include <chrono>
#include <cmath>

#include "server.hpp"
#include "weft/sched/go.hpp"
#include "weft/sync/select.hpp"

namespace kv {

namespace {

void reply_pair(session& s, std::string_view key, std::string_view element) {
  s.out.array(2);
  s.out.bulk(key);
  s.out.bulk(element);
}

/// Zero: for ever. Redis's texts.
bool read_timeout(session& s, std::string_view text, std::chrono::nanoseconds& out) {
  long double seconds = 0;
  // Beyond a century nobody can tell it from for ever, and nanoseconds still hold it.
  constexpr long double most = 100.0L * 366 * 86400;
  if (!parse_float(text, seconds) || std::isinf(seconds)) {
    s.out.error("ERR timeout is not a float or out of range");
    return false;
  }
  if (seconds < 0) {
    s.out.error("ERR timeout is negative");
    return false;
  }
  if (seconds > most) seconds = most;
  out = std::chrono::nanoseconds(static_cast<int64_t>(std::ceil(seconds * 1000) * 1e6L));
  return true;
}

enum class at_once : uint8_t { replied, must_wait };

at_once try_pop(session& s, arguments keys, list_end end,
                const std::shared_ptr<list_waiter>& waiter) {
  const locked_keys locked(s.data, keys, s.now_ms);
  for (const std::string_view name : keys) {
    entry* e = locked.find(name);
    if (e == nullptr) continue;
    list_value* list = typed<list_value>(s, e);
    if (list == nullptr) return at_once::replied;  // WRONGTYPE
    if (end == list_end::left) {
      reply_pair(s, name, list->front());
      list->pop_front();
    } else {
      reply_pair(s, name, list->back());
      list->pop_back();
    }
    if (list->empty()) locked.home(name).erase(e);
    return at_once::replied;
  }
  for (const std::string_view name : keys) locked.home(name).add_waiter(name, waiter);
  return at_once::must_wait;
}

/// Watches for the client's end while its goroutine waits for something else.
class hangup_watch {
 public:
  explicit hangup_watch(weft::net::conn c) : connection_(std::move(c)) {
    weft::go({.name = "kv hangup"}, [c = connection_, gone = gone_, ended = ended_] {
      if (c.wait_hangup()) gone.close();
      ended.close();
    });
  }
  ~hangup_watch() {
    // A deadline in the past ends its wait; then the reader's turn is ours again.
    (void)connection_.set_read_deadline(weft::net::time_point(std::chrono::nanoseconds(1)));
    (void)ended_.recv();
    (void)connection_.set_read_deadline({});
  }
  hangup_watch(const hangup_watch&) = delete;
  hangup_watch& operator=(const hangup_watch&) = delete;
  [[nodiscard]] const weft::chan<int>& gone() const noexcept { return gone_; }

 private:
  weft::net::conn connection_;
  weft::chan<int> gone_ = weft::make_chan<int>();
  weft::chan<int> ended_ = weft::make_chan<int>();
};

void give_back(session& s, const handed& gift, list_end end) {
  const locked_key key(s.data, gift.key, unix_ms());
  entry* e = key.find();
  if (e == nullptr) {
    e = key.insert();
    e->data = std::make_unique<list_value>();
  }
  auto* list = std::get_if<std::unique_ptr<list_value>>(&e->data);
  if (list == nullptr) return;  // the key became something else meanwhile
  if (end == list_end::left)
    (*list)->push_front(gift.element);
  else
    (*list)->push_back(gift.element);
  key.home().serve_waiters(e);
}

}  // namespace

void blocking_pop(session& s, arguments a, list_end end) {
  std::chrono::nanoseconds timeout{};
  if (!read_timeout(s, a.back(), timeout)) return;
  const arguments keys = a.subspan(1, a.size() - 2);
  const auto waiter = std::make_shared<list_waiter>(end);
  if (try_pop(s, keys, end, waiter) == at_once::replied) return;
  // Replies to earlier commands of the batch must not wait with us.
  bool alive = s.flush();
  std::optional<handed> gift;
  if (alive) {
    const hangup_watch watch(s.connection);
    const auto take = [&](std::optional<handed> got) { gift = std::move(got); };
    const auto leave = [&] { alive = false; };
    if (timeout.count() == 0)
      weft::select(weft::on_recv(waiter->result, take), weft::on_recv(watch.gone(), leave),
                   weft::on_done(s.srv.stopping(), leave));
    else
      weft::select(weft::on_recv(waiter->result, take), weft::on_recv(watch.gone(), leave),
                   weft::on_done(s.srv.stopping(), leave), weft::after(timeout, [] {}));
  }
  // Not ours to claim any more: a push is handing an element over just now.
  if (!gift && !waiter->claim()) gift = waiter->result.recv();
  s.now_ms = unix_ms();
  {
    const locked_keys locked(s.data, keys, s.now_ms);
    for (const std::string_view name : keys) locked.home(name).remove_waiter(name, waiter.get());
  }
  if (!alive) {
    if (gift) give_back(s, *gift, end);
    s.closing = true;
  } else if (gift) {
    reply_pair(s, gift->key, gift->element);
  } else {
    s.out.nil_array();
  }
}

}  // namespace kv
