// SPDX-License-Identifier: Apache-2.0
// A server's connection while it speaks HTTP/1. It deletes itself at its end.
//
//   idle      no byte of a request was read. Nearly always no goroutine and no buffers: netpoll has
//             this object as its watcher
//   busy      bytes came: a goroutine with an h1_work serves what is there, and goes
//   poked     shutdown() found it idle: whoever waits for bytes finds a deadline in the past
//
// Only the goroutine that serves touches the object, but for phase_, by which shutdown() finds out
// whether it is idle, and the stream, which close() closes. It turns busy with the first bytes and
// not with the wake-up: netpoll may wake for nothing, and whoever reads then in vain must be found.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <string>

#include "weft/base/atomic.hpp"
#include "weft/http/internal/h1_framing.hpp"
#include "weft/http/internal/h1_work.hpp"
#include "weft/http/internal/server_state.hpp"
#include "weft/net/conn.hpp"
#include "weft/net/internal/stream.hpp"
#include "weft/sched/heap_object.hpp"
#include "weft/tls/tls.hpp"

namespace weft::rt {

class h1_writer;
class h1_request_body;
class hangup_watch;
class h2_conn;

class h1_conn final : public server_connection,
                      public read_watcher,
                      public http_origin,
                      public heap_object {
 public:
  static void start(std::shared_ptr<server_state> server, net::conn made);

  // http_origin
  context request_context() override;
  const net::address& remote() const noexcept override { return stream().remote(); }
  const net::address& local() const noexcept override { return stream().local(); }
  bool secure() const noexcept override { return net::is_tls(conn_); }

  // server_connection
  void wind_up() noexcept override;
  net::conn wire() const override { return conn_; }

  // read_watcher
  void readable() override;

  // For the writer and the body of the request that is served.
  [[nodiscard]] const net::conn& connection() const noexcept { return conn_; }
  [[nodiscard]] server_state& state() const noexcept { return server(); }
  /// Reads more into the buffer: bytes, 0 at the end. Sends nothing and sets no deadline.
  [[nodiscard]] result<size_t> fill(h1_work& work);
  /// The connection cannot be used after this answer.
  void end_after_this() noexcept { keep_ = false; }
  [[nodiscard]] bool keeps() const noexcept { return keep_; }
  void set_body_deadline();
  void set_answer_deadline();
  result<void> set_own_deadline(net::time_point when, bool read);
  /// The body has been read: from now on a client that leaves is noticed.
  void body_is_over();
  void hijack();

 private:
  enum class phase : uint32_t { busy, idle, poked };
  enum class outcome : uint8_t {
    next,    // more bytes are there already
    rest,    // wait for the next request
    end,     // close
    linger,  // close, but let the client read what was said
    gone,    // hijacked, or handed over
  };

  h1_conn(std::shared_ptr<server_state> server, net::conn made) noexcept;
  ~h1_conn() override;
  [[nodiscard]] rt::stream& stream() const noexcept { return *conn_.stream(); }
  void serve();
  /// True: it waits without us, and this object is not ours any more.
  [[nodiscard]] bool go_idle();
  [[nodiscard]] bool poked() const noexcept;
  void turn_busy();
  void forget_poke();
  /// While the server closes: a request that came at the last moment is not lost. True: there is
  /// none, and this object is gone. Nothing is armed.
  [[nodiscard]] bool leave_if_silent();
  [[nodiscard]] outcome serve_one(h1_work& work);
  [[nodiscard]] outcome read_head(h1_work& work);
  /// Over TLS, before the first request: shakes hands. gone: HTTP/2 was agreed upon; end: no
  /// agreement; rest: HTTP/1 it is; next: nothing to do.
  [[nodiscard]] outcome shake_hands();
  /// If the client speaks HTTP/2 from the start: gone; more bytes are wanted: rest; else next.
  [[nodiscard]] outcome match_h2(h1_work& work);
  /// `Upgrade: h2c`: gone; next: the request is answered here.
  [[nodiscard]] outcome upgrade_to_h2(h1_work& work, const h1::request_framing& framing);
  [[nodiscard]] outcome answer(h1_work& work, const h1::request_framing& framing);
  void run_handler(h1_writer& writer, http::request& request);
  void log_panic(std::exception_ptr what, h1_writer& writer);
  [[nodiscard]] outcome refuse(h1_work& work, const h1::refusal& why);
  [[nodiscard]] bool drain(h1_request_body& body);
  void linger();
  void end_context() noexcept;
  void limit_read(std::chrono::nanoseconds limit);

  net::conn conn_;
  atomic<uint32_t> phase_{static_cast<uint32_t>(phase::busy)};
  bool keep_ : 1 = true;
  bool fresh_ : 1 = true;    // nothing was read yet
  bool spoken_ : 1 = false;  // a request was read
  bool shaken_ : 1 = false;  // hands, over TLS
  bool body_over_ : 1 = false;
  /// Deadlines that are set, on now_ns()'s clock; 0: none; -1: not known. A deadline is left alone
  /// while it is a little later than it has to be: setting one is a timer.
  int64_t read_until_ = 0;
  int64_t write_until_ = 0;
  /// Of the request that is served, once somebody asked for its context.
  std::unique_ptr<hangup_watch> watch_;
  /// Who goes on with the connection, and the bytes that it did not read itself.
  struct successor {
    std::shared_ptr<h2_conn> conn;
    std::string read_ahead;
  };
  std::unique_ptr<successor> successor_;
};
// Most of them wait, and are all that a server has of their connection besides its descriptor. The
// heap's next larger class has 160 bytes.
static_assert(sizeof(h1_conn) <= 128);

}  // namespace weft::rt
