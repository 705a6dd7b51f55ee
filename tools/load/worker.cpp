// SPDX-License-Identifier: Apache-2.0
// What a connection does.
//
// Timeouts cost next to nothing: a deadline is set on the connection once, not for each request.
// It fires for a request that began later than it was set for; then it is set anew, for the one
// that waits now. So it is exact, and set once per timeout.
#include "worker.hpp"

#include <algorithm>
#include <mutex>

#include "weft/net/errors.hpp"
#include "weft/sched/runtime.hpp"

namespace load {

namespace {

using namespace std::chrono_literals;

// Room for a read. Most responses fit; larger ones take several reads.
inline constexpr size_t buffer_bytes = 16 * 1024;
// Sleeps are cut into such pieces, so that the end of the run is noticed.
inline constexpr ns nap_max = 100ms;
// Between attempts to reach a server that refuses; doubled from the first to the second.
inline constexpr ns pause_first = 10ms;
inline constexpr ns pause_max = 500ms;

time_point to_time(int64_t count) { return time_point(ns(count)); }

}  // namespace

worker::worker(shared_state& shared, size_t number)
    : shared_(shared), log_(shared.log.stripe_of(number)), links_(shared.what.origins.size()) {}

const target* worker::next_target() {
  const plan& what = shared_.what;
  if (what.order.size() == 1) return &what.targets.front();
  const uint64_t turn = shared_.turn.fetch_add(1, std::memory_order_relaxed);
  return &what.targets[what.order[turn % what.order.size()]];
}

std::optional<worker::slot> worker::next_closed(time_point now) {
  if (now >= to_time(shared_.end_ns.load(std::memory_order_relaxed))) return std::nullopt;
  const bool counted = now >= shared_.measured;
  if (counted && shared_.how.requests != 0 &&
      shared_.begun.fetch_add(1, std::memory_order_relaxed) >= shared_.how.requests)
    return std::nullopt;
  return slot{.due = now, .target = next_target(), .counted = counted};
}

std::optional<worker::slot> worker::next_open() {
  const options& how = shared_.how;
  const uint64_t number = shared_.next.fetch_add(1, std::memory_order_relaxed);
  const double offset = static_cast<double>(number) * 1e9 / how.rate;
  if (offset > 1e18) return std::nullopt;
  slot s{.due = shared_.begin + ns(static_cast<int64_t>(offset)), .target = next_target()};
  s.counted = s.due >= shared_.measured;
  if (s.counted && how.requests != 0 &&
      shared_.begun.fetch_add(1, std::memory_order_relaxed) >= how.requests)
    return std::nullopt;
  now_ = weft::now();
  const bool early = now_ < s.due;
  for (;;) {
    if (s.due >= to_time(shared_.end_ns.load(std::memory_order_relaxed))) return std::nullopt;
    if (now_ >= s.due) break;
    weft::sleep_until(std::min(s.due, now_ + nap_max));
    now_ = weft::now();
  }
  const time_point end = to_time(shared_.end_ns.load(std::memory_order_relaxed));
  s.unsent = now_ >= end;
  if (early && s.counted)
    log_.with([&](tally& t) { t.lag.record(static_cast<uint64_t>((now_ - s.due).count())); });
  return s;
}

void worker::run() {
  now_ = weft::now();
  if (shared_.how.pipeline > 1)
    run_pipelined();
  else
    run_one_by_one();
  for (link& l : links_) close(l);
}

void worker::run_one_by_one() {
  for (;;) {
    const std::optional<slot> s = shared_.how.rate > 0 ? next_open() : next_closed(now_);
    if (!s) return;
    if (s->unsent)
      record(*s, {failure::unsent, "all connections were busy when it was due, until the end"});
    else
      serve(*s);
  }
}

void worker::serve(const slot& s) {
  link& l = links_[s.target->origin];
  const time_point sent = now_;
  for (int attempt = 0;; ++attempt) {
    std::optional<trouble> why;
    if (!l.open) why = connect(l, s.target->origin, s.counted);
    const bool reused = l.used;
    if (!why) why = ask(l, *s.target, sent);
    if (!why) {
      pause_ = ns(0);
      record(s, now_, s.target->request.size(), received_);
      l.used = true;
      if (!reader_.keep_alive()) close(l);
      return;
    }
    close(l);
    // A kept connection that the server has closed meanwhile is nobody's fault.
    if (attempt == 0 && reused && received_ == 0 &&
        !shared_.abandoned.load(std::memory_order_relaxed) && shared_.what.repeatable &&
        (why->what == failure::write || why->what == failure::closed ||
         why->what == failure::read)) {
      log_.with([](tally& t) { ++t.reconnects; });
      continue;
    }
    now_ = weft::now();
    record(s, *why);
    if (shared_.how.rate == 0 && why->what == failure::connect) pause_after_failure();
    return;
  }
}

std::optional<worker::trouble> worker::ask(link& l, const target& t, time_point sent) {
  received_ = 0;
  if (auto why = send(l, t.request, sent)) return why;
  reader_.begin(shared_.what.head_only);
  return answer(l, sent);
}

/// Reads until the response in progress is whole; takes the clock's reading then.
std::optional<worker::trouble> worker::answer(link& l, time_point sent) {
  for (;;) {
    if (l.begin == l.end) {
      if (auto why = receive(l, sent)) return why;
      if (l.begin == l.end) {  // the stream's end
        if (reader_.end() == response_reader::verdict::done) break;
        return trouble{failure::closed, received_ == 0
                                            ? "the server closed the connection without an answer"
                                            : "the server closed the connection in an answer"};
      }
    }
    size_t used = 0;
    const auto verdict =
        reader_.feed(std::string_view(l.buffer.data() + l.begin, l.end - l.begin), used);
    l.begin += used;
    received_ += used;
    if (verdict == response_reader::verdict::bad)
      return trouble{failure::malformed, reader_.complaint()};
    if (verdict == response_reader::verdict::done) break;
    if (l.begin != l.end) {  // part of a head or a line: more is needed behind it
      if (auto why = receive(l, sent)) return why;
    }
  }
  now_ = weft::now();
  return std::nullopt;
}

std::optional<worker::trouble> worker::send(link& l, std::string_view bytes, time_point sent) {
  // The write side: fires between one and two timeouts after the request began.
  const ns timeout = shared_.how.timeout;
  if (l.write_armed < sent + timeout) {
    l.write_armed = sent + 2 * timeout;
    (void)l.conn.set_write_deadline(l.write_armed);
  }
  const weft::result<size_t> put = l.conn.write(bytes);
  if (put) return std::nullopt;
  return trouble{put.error().timeout() ? failure::timeout : failure::write, put.error().message()};
}

/// Appends what comes to the buffer; nothing at the end of the stream.
std::optional<worker::trouble> worker::receive(link& l, time_point sent) {
  if (l.begin == l.end) {
    l.begin = l.end = 0;
  } else if (l.buffer.size() - l.end < buffer_bytes / 4) {
    l.buffer.erase(0, l.begin);
    l.end -= l.begin;
    l.begin = 0;
  }
  if (l.buffer.size() - l.end < buffer_bytes / 4) l.buffer.resize(l.end + buffer_bytes);
  const time_point limit = sent + shared_.how.timeout;
  if (l.read_armed <= sent) {
    l.read_armed = limit;
    (void)l.conn.set_read_deadline(limit);
  }
  for (;;) {
    const weft::result<size_t> got =
        l.conn.read(std::span<char>(l.buffer.data() + l.end, l.buffer.size() - l.end));
    if (got) {
      const size_t before = l.end;
      l.end += *got;
      if (*got == 0 && before != l.begin)
        return trouble{failure::closed, "the server closed the connection in an answer"};
      return std::nullopt;
    }
    if (!got.error().timeout()) return trouble{failure::read, got.error().message()};
    if (weft::now() >= limit) return trouble{failure::timeout, "no answer within the timeout"};
    l.read_armed = limit;
    (void)l.conn.set_read_deadline(limit);
  }
}

std::optional<worker::trouble> worker::connect(link& l, size_t origin, bool counted) {
  received_ = 0;
  const time_point before = weft::now();
  weft::result<weft::net::conn> made =
      connect_to(shared_.ctx, shared_.what.origins[origin], shared_.how, shared_.tls);
  if (!made)
    return trouble{made.error().timeout() ? failure::timeout : failure::connect,
                   made.error().message()};
  const time_point after = weft::now();
  if (counted)
    log_.with(
        [&](tally& t) { t.connecting.record(static_cast<uint64_t>((after - before).count())); });
  const std::lock_guard hold(closing_);
  // Released by abandon() before it looks at our links.
  if (shared_.abandoned.load(std::memory_order_acquire))
    return trouble{failure::connect, "the run was ended"};
  l.conn = std::move(*made);
  l.open = true;
  l.used = false;
  l.begin = l.end = 0;
  l.read_armed = l.write_armed = time_point{};
  if (l.buffer.empty()) l.buffer.resize(buffer_bytes);
  return std::nullopt;
}

void worker::close(link& l) {
  if (!l.open) return;
  l.open = false;
  const std::lock_guard hold(closing_);
  (void)l.conn.close();
  l.conn = {};
}

void worker::abandon() {
  const std::lock_guard hold(closing_);
  for (const link& l : links_)
    if (l.conn) (void)l.conn.close();
}

void worker::pause_after_failure() {
  pause_ = pause_ == ns(0) ? pause_first : std::min(2 * pause_, pause_max);
  const time_point until = now_ + pause_;
  while (now_ < until && now_ < to_time(shared_.end_ns.load(std::memory_order_relaxed))) {
    weft::sleep_until(std::min(until, now_ + nap_max));
    now_ = weft::now();
  }
}

void worker::run_pipelined() {
  link& l = links_.front();
  std::deque<slot> flying;
  std::string out;
  for (;;) {
    out.clear();
    while (flying.size() < shared_.how.pipeline) {
      const std::optional<slot> s = next_closed(now_);
      if (!s) break;
      out.append(s->target->request);
      flying.push_back(*s);
    }
    if (flying.empty()) return;
    std::optional<trouble> why;
    if (!l.open) why = connect(l, 0, flying.front().counted);
    if (!why && !out.empty()) why = send(l, out, flying.front().due);
    // Everything that has arrived, at least one response.
    for (bool first = true; !why && !flying.empty() && (first || l.begin != l.end); first = false) {
      received_ = 0;
      reader_.begin(shared_.what.head_only);
      why = answer(l, flying.front().due);
      if (why) break;
      pause_ = ns(0);
      record(flying.front(), now_, flying.front().target->request.size(), received_);
      flying.pop_front();
      if (!reader_.keep_alive() && !flying.empty())
        why = trouble{failure::closed, "the server ended the connection with requests in flight"};
      else if (!reader_.keep_alive())
        close(l);
      if (!l.open) break;
    }
    if (!why) continue;
    close(l);
    now_ = weft::now();
    for (const slot& s : flying) record(s, *why);
    flying.clear();
    if (why->what == failure::connect) pause_after_failure();
  }
}

void worker::record(const slot& s, time_point finished, size_t sent_bytes, size_t received_bytes) {
  if (!s.counted) return;
  const bool late = finished > to_time(shared_.end_ns.load(std::memory_order_relaxed));
  const int status = reader_.status();
  log_.with([&](tally& t) {
    t.latency.record(static_cast<uint64_t>((finished - s.due).count()));
    ++t.responses;
    t.late += late ? 1 : 0;
    t.bytes_out += sent_bytes;
    t.bytes_in += received_bytes;
    ++t.statuses[static_cast<size_t>(status)];
  });
}

void worker::record(const slot& s, const trouble& why) {
  // Connections that we closed ourselves say nothing of the server.
  const bool ours =
      why.what != failure::unsent && shared_.abandoned.load(std::memory_order_relaxed);
  if (!s.counted || ours) return;
  const auto kind = static_cast<size_t>(why.what);
  const time_point until =
      why.what == failure::unsent ? to_time(shared_.end_ns.load(std::memory_order_relaxed)) : now_;
  log_.with([&](tally& t) {
    if (why.what == failure::unsent || why.what == failure::timeout)
      t.latency.record(static_cast<uint64_t>((until - s.due).count()));
    ++t.failures[kind];
    if (t.samples[kind].empty()) t.samples[kind] = why.text;
  });
}

}  // namespace load
