// SPDX-License-Identifier: Apache-2.0
// Connections in memory: two halves, one for each direction, each a ring between a reader and a
// writer.
//
// A half has one lock and room for one waiter on each side: whoever waits holds its side's turn.
// Everything that may end a wait (data, room, an end that closes, a deadline) changes the half
// under the lock and takes the waiter out; the waiter looks again at everything when it runs. So a
// wake-up too many does no harm, and deterministic mode makes some.
//
// Without a buffer the writer shows its bytes to the reader (`shown`) and waits until they are
// taken.
//
// A watcher waits in a reader's place: taken out like one, and a goroutine is started for it.
#include "weft/net/pipe.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "weft/base/futex_mutex.hpp"
#include "weft/base/race.hpp"
#include "weft/net/internal/net_fd.hpp"
#include "weft/net/internal/stream.hpp"
#include "weft/net/internal/sys.hpp"
#include "weft/sched/internal/section.hpp"
#include "weft/sched/internal/timer_node.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sync/chan.hpp"
#include "weft/sync/mutex.hpp"
#include "weft/sync/select.hpp"

namespace weft::rt {

namespace {

inline constexpr int64_t deadline_passed = -1;
inline constexpr int64_t backlog = 128;

struct pipe_half;

/// One of the two who use a half. All but `turn` is under the half's lock.
struct pipe_side {
  pipe_half* half = nullptr;
  mutex turn;
  goroutine* waiter = nullptr;
  read_watcher* watcher = nullptr;
  int64_t deadline = 0;  // 0: none; deadline_passed; else when
  timer_node timer;
  bool closed = false;  // its conn is
  bool shut = false;    // it has ended this direction
};

struct pipe_half {
  futex_mutex lock{lock_rank::sync};
  pipe_side reader;
  pipe_side writer;
  std::unique_ptr<char[]> ring;
  size_t capacity;
  size_t begin = 0;
  size_t count = 0;
  const char* shown = nullptr;
  size_t shown_bytes = 0;

  explicit pipe_half(size_t bytes) : ring(bytes != 0 ? new char[bytes] : nullptr), capacity(bytes) {
    for (pipe_side* side : {&reader, &writer}) {
      side->half = this;
      side->timer.argument = side;
      side->timer.fire = fire;
    }
  }
  static void fire(timer_node* node, int64_t now) noexcept;
};

struct woken {
  goroutine* gp = nullptr;
  read_watcher* watcher = nullptr;
};

/// Under the lock: whom to wake after it.
[[nodiscard]] woken take_waiter(pipe_side& side) noexcept {
  return {std::exchange(side.waiter, nullptr), std::exchange(side.watcher, nullptr)};
}

void run_watcher(void* watcher) {
  race_acquire(watcher);  // partner: watch()
  static_cast<read_watcher*>(watcher)->readable();
}

void wake(const woken& who) noexcept {
  if (who.gp != nullptr) ready(who.gp);
  if (who.watcher != nullptr) start_goroutine(run_watcher, who.watcher, "");
}

void pipe_half::fire(timer_node* node, int64_t now) noexcept {
  auto& side = *static_cast<pipe_side*>(node->argument);
  woken who;
  {
    const lock_scope hold(side.half->lock);
    if (side.deadline <= 0 || side.deadline > now) return;  // changed since
    side.deadline = deadline_passed;
    who = take_waiter(side);
  }
  wake(who);
}

bool unlock_half(goroutine*, void* half) noexcept WEFT_UNCHECKED {
  static_cast<pipe_half*>(half)->lock.unlock();
  return true;
}

/// In a section, under the lock, which is free afterwards: until something has changed.
void wait_for_change(pipe_half& half, pipe_side& side) noexcept WEFT_UNCHECKED {
  if (sim_enabled && sim_strikes(sim_fault::readiness)) {
    half.lock.unlock();
    return;
  }
  side.waiter = current();
  park(unlock_half, &half, wait_reason::io_wait, &half);
}

/// Of `bytes` that could be moved: all, or as many as the seed wants.
size_t moved_at_once(size_t bytes) noexcept {
  if (bytes < 2 || !sim_enabled || !sim_strikes(sim_fault::short_io)) return bytes;
  return 1 + sim_draw(static_cast<uint32_t>(std::min<size_t>(bytes, UINT32_MAX)));
}

enum class verdict : uint8_t { wait, done, closed, timeout, broken };

/// What came of an attempt, when nothing prevents it.
verdict prevented(const pipe_side& side) noexcept {
  if (side.closed) return verdict::closed;
  return side.deadline == deadline_passed ? verdict::timeout : verdict::done;
}

verdict try_read(pipe_half& half, char* to, size_t bytes, size_t& done) noexcept {
  if (const verdict bad = prevented(half.reader); bad != verdict::done) return bad;
  if (half.reader.shut) return verdict::done;
  if (half.count != 0) {
    done = moved_at_once(std::min(bytes, half.count));
    const size_t first = std::min(done, half.capacity - half.begin);
    std::memcpy(to, half.ring.get() + half.begin, first);
    std::memcpy(to + first, half.ring.get(), done - first);
    half.begin = (half.begin + done) % half.capacity;
    half.count -= done;
    return verdict::done;
  }
  if (half.shown_bytes != 0) {
    done = moved_at_once(std::min(bytes, half.shown_bytes));
    std::memcpy(to, half.shown, done);
    half.shown += done;
    half.shown_bytes -= done;
    return verdict::done;
  }
  return half.writer.closed || half.writer.shut ? verdict::done : verdict::wait;
}

/// Moves what goes into the ring.
verdict try_write(pipe_half& half, const char* from, size_t bytes, size_t& done) noexcept {
  if (const verdict bad = prevented(half.writer); bad != verdict::done) return bad;
  if (half.writer.shut || half.reader.closed || half.reader.shut) return verdict::broken;
  if (half.count == half.capacity) return verdict::wait;
  done = moved_at_once(std::min(bytes, half.capacity - half.count));
  const size_t end = (half.begin + half.count) % half.capacity;
  const size_t first = std::min(done, half.capacity - end);
  std::memcpy(half.ring.get() + end, from, first);
  std::memcpy(half.ring.get(), from + first, done - first);
  half.count += done;
  return verdict::done;
}

/// Without a ring: shows the bytes first, and has written when none is left.
verdict try_show(pipe_half& half, const char* from, size_t bytes, bool& shows,
                 bool& moved) noexcept {
  verdict out = prevented(half.writer);
  if (out == verdict::done && (half.writer.shut || half.reader.closed || half.reader.shut))
    out = verdict::broken;
  if (out == verdict::done && !shows) {
    half.shown = from;
    half.shown_bytes = bytes;
    shows = moved = true;
  }
  if (out == verdict::done && half.shown_bytes != 0) return verdict::wait;
  half.shown_bytes = 0;
  return out;
}

std::unexpected<error> pipe_failure(const char* op, error cause) {
  return fail(make_op_error(op, "pipe", "", "", "", std::move(cause)));
}

std::unexpected<error> pipe_failure(const char* op, verdict why) {
  return pipe_failure(op, why == verdict::closed    ? net::closed
                          : why == verdict::timeout ? net::err_timeout
                                                    : sys::errno_error(EPIPE));
}

/// Reads and writes are attempts under the lock until one does not have to wait. One that `moved`
/// something wakes the other side.
template <class Attempt>
verdict attempt_until_done(pipe_half& half, pipe_side& side, pipe_side& other,
                           Attempt attempt) noexcept WEFT_UNCHECKED {
  for (;;) {  // ends when the peer, a deadline or a close lets it
    const section s(may_park);
    half.lock.lock();
    bool moved = false;
    const verdict result = attempt(moved);
    const woken who = moved ? take_waiter(other) : woken{};
    if (result == verdict::wait) {
      // With the lock held: nothing may change between the look and the wait.
      if (who.gp != nullptr) ready(who.gp);
      if (who.watcher != nullptr) {
        half.lock.unlock();
        wake({nullptr, who.watcher});
        continue;
      }
      wait_for_change(half, side);
      continue;
    }
    half.lock.unlock();
    wake(who);
    return result;
  }
}

/// Both directions.
struct pipe_state {
  pipe_half there;
  pipe_half back;
  explicit pipe_state(size_t bytes) : there(bytes), back(bytes) {}
};

class pipe_end final : public stream {
 public:
  pipe_end(std::shared_ptr<pipe_state> state, bool first)
      : state_(std::move(state)),
        in_(first ? state_->back : state_->there),
        out_(first ? state_->there : state_->back) {}
  ~pipe_end() override { (void)end(); }

  result<size_t> read(void* to, size_t bytes) override;
  result<size_t> write(const void* from, size_t bytes) override;
  result<size_t> write_vector(std::span<iovec> parts) override;
  result<void> wait_readable() override;
  bool wait_hangup() override;
  bool watch_readable(read_watcher& watcher) override;
  bool watch_hangup(read_watcher& watcher) override;
  bool unwatch() override;
  bool hung_up() override;
  bool has_input() override;
  result<void> close() override {
    if (!end()) return pipe_failure("close", net::closed);
    return {};
  }
  result<void> shut_down(int how) override;
  result<void> set_deadline(int64_t when_ns, bool read, bool write) override;
  result<void> set_option(int, int, int) override {
    if (is_closed()) return pipe_failure("set", net::closed);
    return {};
  }
  [[nodiscard]] int native() const noexcept override { return -1; }
  [[nodiscard]] const net::address& local() const noexcept override { return nowhere_; }
  [[nodiscard]] const net::address& remote() const noexcept override { return nowhere_; }

 private:
  /// False: it was closed before.
  bool end() noexcept;
  [[nodiscard]] bool is_closed() noexcept {
    const section s;
    const lock_scope hold(in_.lock);
    return in_.reader.closed;
  }
  /// Under the lock.
  [[nodiscard]] bool peer_has_ended() const noexcept {
    return in_.writer.closed || in_.writer.shut;
  }
  [[nodiscard]] verdict write_some(const char* from, size_t bytes) noexcept;

  std::shared_ptr<pipe_state> state_;
  pipe_half& in_;
  pipe_half& out_;
  net::address nowhere_;
};

result<size_t> pipe_end::read(void* to, size_t bytes) {
  const std::lock_guard turn(in_.reader.turn);
  size_t done = 0;
  const verdict v = attempt_until_done(in_, in_.reader, in_.writer, [&](bool& moved) noexcept {
    if (bytes == 0) return prevented(in_.reader);
    const verdict result = try_read(in_, static_cast<char*>(to), bytes, done);
    moved = done != 0;
    // Before the writer is woken: partner in write().
    if (moved && in_.capacity == 0) race_release(&in_.reader);
    return result;
  });
  if (v != verdict::done) return pipe_failure("read", v);
  race_acquire(&in_);  // partner: write()
  return done;
}

verdict pipe_end::write_some(const char* from, size_t bytes) noexcept {
  verdict v = verdict::done;
  while (v == verdict::done && bytes != 0) {
    size_t done = 0;
    if (out_.capacity != 0) {
      v = attempt_until_done(out_, out_.writer, out_.reader, [&](bool& moved) noexcept {
        const verdict result = try_write(out_, from, bytes, done);
        moved = done != 0;
        return result;
      });
    } else {
      done = moved_at_once(bytes);
      bool shows = false;
      v = attempt_until_done(out_, out_.writer, out_.reader, [&](bool& moved) noexcept {
        return try_show(out_, from, done, shows, moved);
      });
    }
    from += done;
    bytes -= done;
  }
  return v;
}

result<size_t> pipe_end::write(const void* from, size_t bytes) {
  const std::lock_guard turn(out_.writer.turn);
  race_release(&out_);
  const verdict v = bytes == 0
                        ? attempt_until_done(out_, out_.writer, out_.reader,
                                             [&](bool&) noexcept { return prevented(out_.writer); })
                        : write_some(static_cast<const char*>(from), bytes);
  if (v != verdict::done) return pipe_failure("write", v);
  // Without a buffer it returns after the read, which is therefore before what follows.
  if (out_.capacity == 0) race_acquire(&out_.reader);
  return bytes;
}

result<size_t> pipe_end::write_vector(std::span<iovec> parts) {
  const std::lock_guard turn(out_.writer.turn);
  race_release(&out_);
  size_t done = 0;
  for (const iovec& part : parts) {
    const verdict v = write_some(static_cast<const char*>(part.iov_base), part.iov_len);
    if (v != verdict::done) return pipe_failure("write", v);
    done += part.iov_len;
  }
  return done;
}

result<void> pipe_end::wait_readable() {
  const std::lock_guard turn(in_.reader.turn);
  const verdict v = attempt_until_done(in_, in_.reader, in_.writer, [&](bool&) noexcept {
    if (const verdict bad = prevented(in_.reader); bad != verdict::done) return bad;
    const bool readable = in_.count != 0 || in_.shown_bytes != 0 || in_.reader.shut ||
                          in_.writer.closed || in_.writer.shut;
    const bool too_early = sim_enabled && sim_strikes(sim_fault::readiness);
    return readable || too_early ? verdict::done : verdict::wait;
  });
  if (v != verdict::done) return pipe_failure("read", v);
  return {};
}

bool pipe_end::wait_hangup() {
  if (is_closed()) return true;
  const std::lock_guard turn(in_.reader.turn);
  return attempt_until_done(in_, in_.reader, in_.writer, [&](bool&) noexcept {
           if (const verdict bad = prevented(in_.reader); bad != verdict::done) return bad;
           return in_.writer.closed || in_.writer.shut ? verdict::done : verdict::wait;
         }) == verdict::done;
}

bool pipe_end::watch_readable(read_watcher& watcher) {
  const section s;
  const lock_scope hold(in_.lock);
  if (prevented(in_.reader) != verdict::done || in_.reader.shut || in_.count != 0 ||
      in_.shown_bytes != 0 || peer_has_ended())
    return false;
  race_release(&watcher);
  in_.reader.watcher = &watcher;
  return true;
}

bool pipe_end::watch_hangup(read_watcher& watcher) {
  const section s;
  const lock_scope hold(in_.lock);
  if (prevented(in_.reader) != verdict::done || peer_has_ended()) return false;
  race_release(&watcher);
  in_.reader.watcher = &watcher;
  return true;
}

bool pipe_end::unwatch() {
  const section s;
  const lock_scope hold(in_.lock);
  return std::exchange(in_.reader.watcher, nullptr) != nullptr;
}

bool pipe_end::has_input() {
  const section s;
  const lock_scope hold(in_.lock);
  return in_.reader.closed || in_.reader.shut || in_.count != 0 || in_.shown_bytes != 0 ||
         peer_has_ended();
}

bool pipe_end::hung_up() {
  const section s;
  const lock_scope hold(in_.lock);
  return in_.reader.closed || peer_has_ended();
}

/// Ends one side of a half. True: it was not ended before.
bool end_side(pipe_half& half, pipe_side& side) noexcept {
  woken reader;
  woken writer;
  {
    const lock_scope hold(half.lock);
    if (side.closed) return false;
    side.closed = true;
    reader = take_waiter(half.reader);
    writer = take_waiter(half.writer);
  }
  wake(reader);
  wake(writer);
  // The half may go with the last of the two ends: no timer of it may run after that.
  (void)disarm_wait(side.timer);
  return true;
}

bool pipe_end::end() noexcept {
  const section s;
  const bool first = end_side(in_, in_.reader);
  (void)end_side(out_, out_.writer);
  return first;
}

result<void> pipe_end::shut_down(int how) {
  if (is_closed()) return pipe_failure("close", net::closed);
  const section s;
  pipe_half& half = how == SHUT_RD ? in_ : out_;
  woken reader;
  woken writer;
  {
    const lock_scope hold(half.lock);
    (how == SHUT_RD ? half.reader : half.writer).shut = true;
    reader = take_waiter(half.reader);
    writer = take_waiter(half.writer);
  }
  wake(reader);
  wake(writer);
  return {};
}

void set_side_deadline(pipe_half& half, pipe_side& side, int64_t when_ns) noexcept {
  const section s;
  woken who;
  {
    const lock_scope hold(half.lock);
    if (side.closed) return;
    const bool passed = when_ns != 0 && when_ns <= now_ns();
    side.deadline = passed ? deadline_passed : when_ns;
    if (side.deadline > 0)
      rearm(side.timer, side.deadline);
    else
      (void)disarm(side.timer);  // if it fires just now, it finds another deadline
    if (passed) who = take_waiter(side);
  }
  wake(who);
}

result<void> pipe_end::set_deadline(int64_t when_ns, bool read, bool write) {
  if (is_closed()) return pipe_failure("set", net::closed);
  if (read) set_side_deadline(in_, in_.reader, when_ns);
  if (write) set_side_deadline(out_, out_.writer, when_ns);
  return {};
}

using stream_ref = std::shared_ptr<stream>;
struct signal {};

std::pair<stream_ref, stream_ref> make_ends(size_t bytes) {
  auto state = std::make_shared<pipe_state>(bytes);
  return {std::make_shared<pipe_end>(state, true), std::make_shared<pipe_end>(state, false)};
}

/// Ends that nobody has accepted wait in a channel; closing and new deadlines wake by channels,
/// too.
class memory_listener final : public acceptor {
 public:
  explicit memory_listener(size_t bytes) : bytes_(bytes) {}

  result<stream_ref> accept() override;
  /// The other end of what accept() will give.
  result<stream_ref> dial();

  result<void> close() override {
    const std::lock_guard held(lock_);
    if (closed_) return pipe_failure("close", net::closed);
    closed_ = true;
    over_.close();
    drain();
    return {};
  }
  result<void> set_deadline(int64_t when_ns, bool read, bool) override {
    const std::lock_guard held(lock_);
    if (closed_) return pipe_failure("set", net::closed);
    if (!read) return {};
    auto fresh = make_chan<signal>();
    deadline_ = when_ns;
    changed_.close();
    changed_ = std::move(fresh);
    return {};
  }

  [[nodiscard]] int native() const noexcept override { return -1; }
  [[nodiscard]] const net::address& local() const noexcept override { return nowhere_; }

 private:
  void drain() {
    while (queue_.try_recv()) {
    }
  }

  const size_t bytes_;
  chan<stream_ref> queue_ = make_chan<stream_ref>(backlog);
  chan<signal> over_ = make_chan<signal>();
  mutex lock_;
  bool closed_ = false;                         // under lock_
  int64_t deadline_ = 0;                        // under lock_
  chan<signal> changed_ = make_chan<signal>();  // closed by a new deadline; lock_
  net::address nowhere_;
};

result<stream_ref> memory_listener::accept() {
  for (;;) {  // ends with a connection, a deadline, or the listener
    int64_t deadline = 0;
    chan<signal> changed;
    {
      const std::lock_guard held(lock_);
      if (closed_) return pipe_failure("accept", net::closed);
      deadline = deadline_;
      changed = changed_;
    }
    const int64_t left = deadline == 0 ? 0 : deadline - now_ns();
    if (deadline != 0 && left <= 0) return pipe_failure("accept", net::err_timeout);
    stream_ref got;
    const auto keep = [&](std::optional<stream_ref> end) { got = std::move(*end); };
    if (deadline == 0)
      select(on_recv(queue_, keep), on_recv(over_), on_recv(changed));
    else
      select(on_recv(queue_, keep), on_recv(over_), on_recv(changed),
             after(std::chrono::nanoseconds(left), [] {}));
    if (got != nullptr) return got;
  }
}

result<stream_ref> memory_listener::dial() {
  auto [ours, theirs] = make_ends(bytes_);
  bool queued = false;
  {
    const std::lock_guard held(lock_);
    if (closed_) return pipe_failure("dial", sys::errno_error(ECONNREFUSED));
  }
  select(on_send(queue_, std::move(theirs), [&] { queued = true; }), on_recv(over_));
  const std::lock_guard held(lock_);
  if (closed_) drain();  // nobody will accept what lies there
  if (!queued || closed_) return pipe_failure("dial", sys::errno_error(ECONNREFUSED));
  return std::move(ours);
}

}  // namespace

}  // namespace weft::rt

namespace weft::net {

pipe_ends pipe(size_t buffer_bytes) {
  auto [first, second] = rt::make_ends(buffer_bytes);
  return {conn(std::move(first)), conn(std::move(second))};
}

listener listen_in_memory(size_t buffer_bytes) {
  return listener(std::make_shared<rt::memory_listener>(buffer_bytes));
}

result<conn> dial_in_memory(const listener& to) {
  auto* at = dynamic_cast<rt::memory_listener*>(to.acceptor().get());
  if (at == nullptr) return rt::pipe_failure("dial", rt::sys::errno_error(ECONNREFUSED));
  auto end = at->dial();
  if (!end) return fail(std::move(end.error()));
  return conn(std::move(*end));
}

}  // namespace weft::net
