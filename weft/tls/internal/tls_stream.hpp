// SPDX-License-Identifier: Apache-2.0
// TLS over another stream.
//
//   read()  -> SSL_read  -> in_  <- below.read()       plain <- records <- bytes
//   write() -> SSL_write -> out_ -> below.write()
//
// The SSL object does not know of sockets: its BIO takes from in_ and appends to out_, and says
// "retry" when in_ is empty. So no call of OpenSSL waits for anything.
//
// Invariants:
//  1. The SSL object, in_ and out_ are used under lock_ only, which is never held across a wait on
//     the stream below. Otherwise a reader that waits for its peer would keep writers out.
//  2. Bytes leave out_ and are sent under send_turn_: records arrive in the order they were made.
//  3. At most one goroutine waits in below.read(): it has read_turn_, or handshake_turn_ before the
//     handshake is done. in_ is empty then.
//  4. No call that may park stands between a call of OpenSSL and reading its errors, which are kept
//     per thread.
//  5. An idle connection has no buffers: in_ and out_ are given back when they are empty, OpenSSL
//     gives back its own (SSL_MODE_RELEASE_BUFFERS). Before the handshake there is no SSL object.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "weft/base/atomic.hpp"
#include "weft/base/race.hpp"
#include "weft/net/internal/stream.hpp"
#include "weft/sync/context.hpp"
#include "weft/sync/mutex.hpp"
#include "weft/tls/internal/core.hpp"
#include "weft/tls/state.hpp"

namespace weft::rt {

/// Bytes between the SSL object and the stream below: what its BIO reads and writes.
struct cipher_bytes {
  std::unique_ptr<unsigned char[]> in;
  size_t in_at = 0;
  size_t in_end = 0;
  std::vector<unsigned char> out;
};

class tls_stream final : public stream, public std::enable_shared_from_this<tls_stream> {
 public:
  tls_stream(std::shared_ptr<stream> below, std::shared_ptr<tls_core> core, tls_role role,
             std::string server_name);
  ~tls_stream() override;

  [[nodiscard]] result<void> handshake(const context& ctx);
  [[nodiscard]] bool handshaken() const noexcept { return handshaken_.load(acquire) != 0; }
  /// After the handshake.
  [[nodiscard]] net::tls_connection_state state();

  [[nodiscard]] result<size_t> read(void* to, size_t bytes) override;
  [[nodiscard]] result<size_t> write(const void* from, size_t bytes) override;
  [[nodiscard]] result<size_t> write_vector(std::span<iovec> parts) override;
  [[nodiscard]] result<void> wait_readable() override;
  [[nodiscard]] bool wait_hangup() override { return below_->wait_hangup(); }
  [[nodiscard]] bool watch_readable(read_watcher& watcher) override;
  [[nodiscard]] bool watch_hangup(read_watcher& watcher) override {
    return below_->watch_hangup(watcher);
  }
  [[nodiscard]] bool unwatch() override;
  [[nodiscard]] bool hung_up() override { return below_->hung_up(); }
  [[nodiscard]] bool has_input() override;
  [[nodiscard]] result<void> close() override;
  [[nodiscard]] result<void> shut_down(int how) override;
  [[nodiscard]] result<void> set_deadline(int64_t when_ns, bool read, bool write) override;
  [[nodiscard]] result<void> set_option(int level, int option, int value) override {
    return below_->set_option(level, option, value);
  }
  [[nodiscard]] int native() const noexcept override { return below_->native(); }
  [[nodiscard]] const net::address& local() const noexcept override { return below_->local(); }
  [[nodiscard]] const net::address& remote() const noexcept override { return below_->remote(); }

  // --- for OpenSSL's callbacks, under lock_ ---
  [[nodiscard]] const tls_material& material() const noexcept { return *material_; }
  [[nodiscard]] const std::string& server_name() const noexcept { return server_name_; }
  void keep_session(session_ptr session) { new_sessions_.push_back(std::move(session)); }
  void refuse_certificate(error why) {
    if (!refusal_) refusal_ = std::move(why);
  }
  cipher_bytes bytes_;

 private:
  /// What a call of OpenSSL came to.
  struct step {
    enum class outcome : uint8_t { done, wants_bytes, ended, failed } what = outcome::done;
    size_t bytes = 0;
    error why;
  };
  enum class patience : uint8_t { waits, only_if_free };

  /// Handles are counted where ThreadSanitizer does not look: what was done here happens before the
  /// end of the stream.
  class in_use {
   public:
    explicit in_use(const tls_stream& of) : of_(of) {}
    ~in_use() { race_release(&of_); }
    in_use(const in_use&) = delete;
    in_use& operator=(const in_use&) = delete;

   private:
    const tls_stream& of_;
  };

  [[nodiscard]] error run_handshake(const context& ctx);
  [[nodiscard]] error prepare();
  [[nodiscard]] error shake();
  [[nodiscard]] error explain(const context& ctx, error why);
  /// Calls OpenSSL and says what came of it. Errors of OpenSSL's are in our words.
  template <class F>
  [[nodiscard]] step call(F&& f);
  [[nodiscard]] step classify_locked(int returned);
  void store_sessions(std::vector<session_ptr> sessions);
  [[nodiscard]] error send_pending(patience how);
  /// Waits for bytes and puts them into in_, which is empty. False: the end. Under read_turn_ or
  /// handshake_turn_.
  [[nodiscard]] result<bool> fill();
  /// Is there something for a reader? Does not wait. Under read_turn_.
  [[nodiscard]] bool peek();
  /// What a read that met no bytes means. Under read_turn_.
  void note(const step& s);
  [[nodiscard]] result<size_t> write_some(const unsigned char* from, size_t bytes);
  [[nodiscard]] error failure(const char* op, error why) const;
  void apply_deadlines_locked();
  [[nodiscard]] error say_end();

  /// In the watcher's place below: bytes that are of no use to the reader (tickets, keys) are taken
  /// without telling.
  class scout final : public read_watcher {
   public:
    explicit scout(tls_stream& owner) : owner_(owner) {}
    void readable() override { owner_.scouted(); }

   private:
    tls_stream& owner_;
  };
  void scouted();
  [[nodiscard]] bool scout_ahead(bool bytes_below);
  [[nodiscard]] bool scout_about();
  void keep_for_scout(tls_stream* self);
  void let_go_for_scout();
  enum class watch_state : uint32_t { none, armed, taken };

  const std::shared_ptr<stream> below_;
  const std::shared_ptr<tls_core> core_;
  const tls_role role_;
  const std::string server_name_;

  mutex handshake_turn_;
  error handshake_error_;  // under handshake_turn_
  /// 1: done. Written under handshake_turn_; release: partner is the load in handshaken().
  atomic<uint32_t> handshaken_{0};
  atomic<uint32_t> closed_{0};

  mutex read_turn_;
  /// Every later read's result. Under read_turn_.
  error read_error_;
  bool read_ended_ = false;
  /// The peer sends faster than we read. Under read_turn_ or handshake_turn_.
  bool plenty_ = false;
  mutex write_turn_;
  mutex send_turn_;
  /// Part of a record may be gone: nothing can be sent any more. Under send_turn_.
  error send_error_;

  /// Protects the SSL object and what it uses: bytes_, new_sessions_, refusal_, broken_.
  mutex lock_;
  std::shared_ptr<const tls_material> material_;
  ssl_ptr ssl_;
  std::vector<session_ptr> new_sessions_;
  error refusal_;
  bool broken_ = false;    // no more calls, not even to say goodbye
  bool said_end_ = false;  // close_notify

  mutex deadlines_;
  // All under deadlines_, on now_ns()'s clock; 0: none.
  int64_t user_read_ns_ = 0;
  int64_t user_write_ns_ = 0;
  int64_t handshake_ns_ = 0;
  bool handshake_canceled_ = false;

  scout scout_{*this};
  /// While the scout is armed below: nobody else need hold the stream then. Set before arming;
  /// taken by the scout, or by who takes the scout out.
  std::shared_ptr<tls_stream> scout_keeps_;
  atomic<uint32_t> scout_kept_{0};
  /// Whom to tell. Written before `armed`; seq_cst: partner is the other one of unwatch() and
  /// scout_about(). `taken`: by unwatch(), until the scout is back.
  read_watcher* watcher_ = nullptr;
  atomic<watch_state> watch_{watch_state::none};
};

/// The BIO over `bytes`, which outlives it.
[[nodiscard]] bio_ptr make_bio(cipher_bytes& bytes);
/// The stream of a connection that callbacks are called for.
[[nodiscard]] tls_stream& stream_of(const SSL* ssl);
void set_stream(SSL* ssl, tls_stream* to);

}  // namespace weft::rt
