// SPDX-License-Identifier: Apache-2.0
// Reading, writing and ending a TLS connection. The handshake: handshake.cpp.
#include "weft/tls/internal/tls_stream.hpp"

#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <mutex>

#include "weft/base/panic.hpp"
#include "weft/base/race.hpp"
#include "weft/net/errors.hpp"
#include "weft/net/internal/net_fd.hpp"
#include "weft/net/internal/sys.hpp"
#include "weft/sched/runtime.hpp"

namespace weft::rt {

using net::tls_failure;

namespace {

// The largest record of TLS 1.2 with its header (RFC 5246, 6.2.3); TLS 1.3's are smaller.
constexpr size_t record_bytes_max = 5 + 16384 + 2048;
// When the last read filled its buffer: several records with one system call.
constexpr size_t plenty_bytes = 4 * record_bytes_max;
// Plaintext that is encrypted before it is sent: four records with one system call.
constexpr size_t write_bytes_max = size_t{64} << 10;
// Small parts are gathered into records of up to this size.
constexpr size_t gather_bytes_max = size_t{16} << 10;
// What encryption adds to a record, and some.
constexpr size_t record_overhead = 64;
// A peer that does not read shall not keep a close() waiting. Go waits 5 s.
constexpr int64_t goodbye_ns = 1'000'000'000;

int64_t clock_ns() { return now().time_since_epoch().count(); }

}  // namespace

tls_stream::tls_stream(std::shared_ptr<stream> below, std::shared_ptr<tls_core> core, tls_role role,
                       std::string server_name)
    : below_(std::move(below)),
      core_(std::move(core)),
      role_(role),
      server_name_(std::move(server_name)) {}

/// The last handle has gone: as close(), but without waiting for room.
tls_stream::~tls_stream() {
  race_acquire(this);  // partner: in_use
  const openssl_scope unseen;
  if (!handshaken() || closed_.load(acquire) != 0 || broken_ || said_end_ || !bytes_.out.empty())
    return;
  ERR_clear_error();
  (void)SSL_shutdown(ssl_.get());
  ERR_clear_error();
  if (below_->native() >= 0)
    (void)sys::transmit(below_->native(), bytes_.out.data(), bytes_.out.size());
}

error tls_stream::failure(const char* op, error why) const {
  const net::address& from = below_->local();
  const char* network = from.kind == net::family::none    ? "conn"
                        : from.kind == net::family::local ? "unix"
                                                          : "tcp";
  return make_op_error(op, network, from.string(), below_->remote().string(), "", std::move(why));
}

tls_stream::step tls_stream::classify_locked(int returned) {
  step out;
  switch (SSL_get_error(ssl_.get(), returned)) {
    case SSL_ERROR_NONE:
      return out;
    case SSL_ERROR_WANT_READ:
      out.what = step::outcome::wants_bytes;
      return out;
    case SSL_ERROR_ZERO_RETURN:
      out.what = step::outcome::ended;
      return out;
    default:
      out.what = step::outcome::failed;
      broken_ = true;
      out.why = take_openssl_error();
      if (refusal_) out.why = std::move(refusal_);
      refusal_ = {};
      return out;
  }
}

template <class F>
tls_stream::step tls_stream::call(F&& f) {
  step out;
  std::vector<session_ptr> sessions;
  {
    const std::lock_guard hold(lock_);
    if (broken_) {
      out.what = step::outcome::failed;
      out.why = make_tls_error(tls_failure::protocol, "the connection has failed before");
      return out;
    }
    const openssl_scope unseen;
    ERR_clear_error();
    size_t bytes = 0;
    const int returned = f(ssl_.get(), bytes);
    out = classify_locked(returned);
    out.bytes = bytes;
    sessions.swap(new_sessions_);
  }
  if (!sessions.empty()) store_sessions(std::move(sessions));
  return out;
}

void tls_stream::store_sessions(std::vector<session_ptr> sessions) {
  for (session_ptr& s : sessions) core_->put_session(server_name_, std::move(s));
}

error tls_stream::send_pending(patience how) {
  std::unique_lock turn(send_turn_, std::defer_lock);
  if (how == patience::waits)
    turn.lock();
  else if (!turn.try_lock())
    return {};
  for (;;) {
    std::vector<unsigned char> out;
    {
      const std::lock_guard hold(lock_);
      if (bytes_.out.empty()) return {};
      out.swap(bytes_.out);
    }
    if (send_error_) return send_error_;
    if (result<size_t> put = below_->write(out.data(), out.size()); !put)
      return send_error_ = put.error();
  }
}

result<bool> tls_stream::fill() {
  bool unsent = false;
  {
    const std::lock_guard hold(lock_);
    WEFT_ASSERT(bytes_.in_at == bytes_.in_end);
    bytes_.in.reset();
    bytes_.in_at = bytes_.in_end = 0;
    unsent = !bytes_.out.empty();
  }
  // Tickets, an alert, or keys that were asked for. Not worth waiting behind a writer, who sends
  // them, too.
  if (unsent) (void)send_pending(patience::only_if_free);
  // Without a buffer, for as long as it takes.
  if (auto ready = below_->wait_readable(); !ready) return fail(ready.error());
  const size_t room = plenty_ ? plenty_bytes : record_bytes_max;
  auto buffer = std::make_unique_for_overwrite<unsigned char[]>(room);
  const result<size_t> got = below_->read(buffer.get(), room);
  if (!got) return fail(got.error());
  if (*got == 0) return false;
  plenty_ = *got == room || *got > record_bytes_max;
  const std::lock_guard hold(lock_);
  bytes_.in = std::move(buffer);
  bytes_.in_end = *got;
  return true;
}

void tls_stream::note(const step& s) {
  if (s.what == step::outcome::ended) read_ended_ = true;
  if (s.what == step::outcome::failed) read_error_ = failure("read", s.why);
}

bool tls_stream::peek() {
  if (read_error_ || read_ended_) return true;
  const step s = call([](SSL* ssl, size_t& bytes) {
    char byte = 0;
    return SSL_peek_ex(ssl, &byte, 1, &bytes);
  });
  note(s);
  return s.what != step::outcome::wants_bytes;
}

/// To the end of the handshake. Errors of the stream below are as they are.
error tls_stream::shake() {
  for (;;) {
    const step s = call([](SSL* ssl, size_t&) { return SSL_do_handshake(ssl); });
    // A server of TLS 1.3 is done with the client's last message: what it has to send are tickets,
    // which go with its first answer, or before it waits (fill()).
    const bool only_tickets = s.what == step::outcome::done && role_ == tls_role::server &&
                              SSL_version(ssl_.get()) >= TLS1_3_VERSION;
    if (only_tickets) return {};
    // An answer, or an alert that says why not.
    const error unsent = send_pending(patience::waits);
    if (s.what == step::outcome::done) return {};
    if (s.what == step::outcome::failed) return s.why;
    if (unsent) return unsent;
    const result<bool> more = fill();
    if (!more) return more.error();
    if (!*more || s.what == step::outcome::ended)
      return error::wrap("tls: the peer has left the handshake", net::unexpected_eof);
  }
}

result<size_t> tls_stream::read(void* to, size_t bytes) {
  if (bytes == 0) return size_t{0};
  const in_use used(*this);
  if (auto done = handshake(background()); !done) return fail(done.error());
  const std::lock_guard turn(read_turn_);
  auto* at = static_cast<char*>(to);
  for (;;) {
    if (read_error_) return fail(read_error_);
    if (read_ended_) return size_t{0};
    step last;  // what came after bytes that were read
    const step s = call([&](SSL* ssl, size_t& total) {
      int returned = 1;
      while (total < bytes) {
        size_t got = 0;
        returned = SSL_read_ex(ssl, at + total, bytes - total, &got);
        if (returned != 1) break;
        total += got;
      }
      if (returned == 1 || total == 0) return returned;
      last = classify_locked(returned);
      return 1;
    });
    note(s.bytes != 0 ? last : s);
    if (s.bytes != 0) return s.bytes;
    if (s.what != step::outcome::wants_bytes) {
      (void)send_pending(patience::only_if_free);  // an alert that says why
      continue;
    }
    const result<bool> more = fill();
    if (!more) return fail(more.error());
    if (!*more) read_error_ = failure("read", error::wrap("tls", net::unexpected_eof));
  }
}

result<void> tls_stream::wait_readable() {
  const in_use used(*this);
  if (!handshaken()) return below_->wait_readable();
  const std::lock_guard turn(read_turn_);
  while (!peek()) {
    const result<bool> more = fill();
    if (!more) return fail(more.error());
    if (!*more) read_error_ = failure("read", error::wrap("tls", net::unexpected_eof));
  }
  return {};
}

result<size_t> tls_stream::write_some(const unsigned char* from, size_t bytes) {
  const step s = call([&](SSL* ssl, size_t& total) {
    bytes_.out.reserve(bytes_.out.size() + bytes +
                       record_overhead * (bytes / gather_bytes_max + 1));
    int returned = 1;
    while (total < bytes && returned == 1) {
      size_t put = 0;
      returned = SSL_write_ex(ssl, from + total, bytes - total, &put);
      if (returned == 1) total += put;
    }
    return returned;
  });
  if (s.what != step::outcome::done)
    return fail(failure("write",
                        s.why ? s.why : make_tls_error(tls_failure::protocol, "cannot write now")));
  if (error why = send_pending(patience::waits)) return fail(std::move(why));
  return bytes;
}

result<size_t> tls_stream::write(const void* from, size_t bytes) {
  const in_use used(*this);
  if (auto done = handshake(background()); !done) return fail(done.error());
  const std::lock_guard turn(write_turn_);
  const auto* at = static_cast<const unsigned char*>(from);
  for (size_t done = 0; done < bytes;) {
    {
      const std::lock_guard hold(lock_);
      if (said_end_) return fail(failure("write", net::closed));
    }
    const result<size_t> put = write_some(at + done, std::min(bytes - done, write_bytes_max));
    if (!put) return put;
    done += *put;
  }
  return bytes;
}

result<size_t> tls_stream::write_vector(std::span<iovec> parts) {
  size_t total = 0;
  for (const iovec& part : parts) total += part.iov_len;
  std::vector<unsigned char> gathered;
  gathered.reserve(std::min(total, gather_bytes_max));
  const auto flush = [&]() -> result<size_t> {
    result<size_t> put = write(gathered.data(), gathered.size());
    gathered.clear();
    return put;
  };
  // Each write is a record with a cost of its own.
  for (const iovec& part : parts) {
    const auto* at = static_cast<const unsigned char*>(part.iov_base);
    if (gathered.size() + part.iov_len > gather_bytes_max && !gathered.empty())
      if (result<size_t> put = flush(); !put) return put;
    if (part.iov_len > gather_bytes_max) {
      if (result<size_t> put = write(at, part.iov_len); !put) return put;
    } else {
      gathered.insert(gathered.end(), at, at + part.iov_len);
    }
  }
  if (!gathered.empty())
    if (result<size_t> put = flush(); !put) return put;
  return total;
}

/// Makes a close_notify, once, and sends it.
error tls_stream::say_end() {
  {
    const std::lock_guard hold(lock_);
    if (broken_ || said_end_) return {};
    said_end_ = true;
    const openssl_scope unseen;
    ERR_clear_error();
    (void)SSL_shutdown(ssl_.get());
    ERR_clear_error();
  }
  return send_pending(patience::waits);
}

result<void> tls_stream::shut_down(int how) {
  const in_use used(*this);
  if (how != SHUT_RD) {
    if (auto done = handshake(background()); !done) return fail(done.error());
    const std::lock_guard turn(write_turn_);
    if (error why = say_end()) return fail(std::move(why));
  }
  if (how != SHUT_WR) return below_->shut_down(SHUT_RD);
  return {};
}

result<void> tls_stream::close() {
  const in_use used(*this);
  // A writer that waits for room is in the middle of a record: the peer will see a connection cut
  // off, which is what happens to it.
  if (closed_.exchange(1, acq_rel) == 0 && handshaken() && write_turn_.try_lock()) {
    const std::lock_guard turn(write_turn_, std::adopt_lock);
    (void)below_->set_deadline(clock_ns() + goodbye_ns, false, true);
    (void)say_end();
  }
  return below_->close();
}

void tls_stream::apply_deadlines_locked() {
  const auto earlier = [&](int64_t user_ns) {
    if (handshake_canceled_) return int64_t{1};
    if (user_ns == 0 || handshake_ns_ == 0) return std::max(user_ns, handshake_ns_);
    return std::min(user_ns, handshake_ns_);
  };
  (void)below_->set_deadline(earlier(user_read_ns_), true, false);
  (void)below_->set_deadline(earlier(user_write_ns_), false, true);
}

result<void> tls_stream::set_deadline(int64_t when_ns, bool read, bool write) {
  const in_use used(*this);
  const std::lock_guard hold(deadlines_);
  if (read) user_read_ns_ = when_ns;
  if (write) user_write_ns_ = when_ns;
  if (handshake_ns_ == 0 && !handshake_canceled_) return below_->set_deadline(when_ns, read, write);
  apply_deadlines_locked();
  return {};
}

// --- waiting without a goroutine ---

bool tls_stream::watch_readable(read_watcher& watcher) {
  const in_use used(*this);
  // One that was taken out while its scout was under way: that one is about to leave, and waits for
  // nothing. acquire: partner is scouted().
  while (watch_.load(acquire) == watch_state::taken) yield();
  bool bytes_below = false;
  for (;;) {
    // Before the handshake whatever comes is for the reader, who makes it.
    if (handshaken()) {
      if (scout_ahead(bytes_below)) return false;
      (void)send_pending(patience::only_if_free);
    }
    watcher_ = &watcher;
    watch_.store(watch_state::armed, seq_cst);
    keep_for_scout(this);
    if (below_->watch_readable(scout_)) return true;
    keep_for_scout(nullptr);
    watch_.store(watch_state::none, seq_cst);
    if (!handshaken()) return false;
    bytes_below = true;
  }
}

/// Null: it need not be kept any more. The count of the handle is not for ThreadSanitizer's eyes,
/// as conn's is not: the last one may go where nothing is seen.
void tls_stream::keep_for_scout(tls_stream* self) {
  {
    const sanitizer::unseen_accesses unseen;
    scout_keeps_ = self != nullptr ? shared_from_this() : nullptr;
  }
  // release: partners are scouted() and let_go_for_scout().
  scout_kept_.store(1, release);
}

void tls_stream::let_go_for_scout() {
  (void)scout_kept_.load(acquire);
  const sanitizer::unseen_accesses unseen;
  const std::shared_ptr<tls_stream> last = std::move(scout_keeps_);
}

/// Takes what has come in and says whether there is something for the reader. Waits for nothing,
/// provided that `bytes_below` is true only when there are some.
bool tls_stream::scout_ahead(bool bytes_below) {
  const std::lock_guard turn(read_turn_);
  // Readers are back, and may have taken those bytes. As long as it is armed they wait for the
  // turn.
  if (watch_.load(seq_cst) == watch_state::taken) return false;
  if (peek()) return true;
  if (bytes_below) {
    const result<bool> more = fill();
    if (!more) return true;  // what went wrong below, the reader finds as well
    if (!*more) read_error_ = failure("read", error::wrap("tls", net::unexpected_eof));
    if (peek()) return true;
  }
  const std::lock_guard hold(lock_);
  if (bytes_.in_at == bytes_.in_end) bytes_.in.reset();
  return false;
}

bool tls_stream::has_input() {
  const in_use used(*this);
  const bool bytes_below = below_->has_input();
  return handshaken() ? scout_ahead(bytes_below) : bytes_below;
}

bool tls_stream::unwatch() {
  const in_use used(*this);
  watch_state expected = watch_state::armed;
  if (!watch_.compare_exchange(expected, watch_state::taken, seq_cst, seq_cst))
    return expected == watch_state::none && below_->unwatch();  // watch_hangup()'s
  // If it is not there any more the scout is at work, finds `taken`, and tells nobody.
  if (below_->unwatch()) {
    let_go_for_scout();
    watch_.store(watch_state::none, release);  // partner: watch_readable()
  }
  return true;
}

void tls_stream::scouted() {
  (void)scout_kept_.load(acquire);
  std::shared_ptr<tls_stream> self = std::move(scout_keeps_);
  // release: partner is watch_readable(), which may arm from then on.
  if (scout_about()) watch_.store(watch_state::none, release);
  race_release(this);  // partner: the destructor
  const sanitizer::unseen_accesses unseen;
  self.reset();
}

/// True: it was taken out, and nothing is armed any more. `this` is kept by the caller.
bool tls_stream::scout_about() {
  for (;;) {
    if (!handshaken() || scout_ahead(true)) {
      read_watcher* const to = watcher_;
      watch_state expected = watch_state::armed;
      if (!watch_.compare_exchange(expected, watch_state::none, seq_cst, seq_cst)) return true;
      to->readable();
      return false;
    }
    if (watch_.load(seq_cst) != watch_state::armed) return true;
    keep_for_scout(this);
    if (below_->watch_readable(scout_)) {
      // seq_cst: unwatch() has seen the scout armed, or `taken` is seen here. If neither of the two
      // finds it there it runs again, and says so.
      if (watch_.load(seq_cst) == watch_state::armed || !below_->unwatch()) return false;
      let_go_for_scout();
      return true;
    }
    keep_for_scout(nullptr);
  }
}

}  // namespace weft::rt
