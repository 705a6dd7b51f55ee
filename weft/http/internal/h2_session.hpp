// SPDX-License-Identifier: Apache-2.0
// A connection of HTTP/2, either end of it: libnghttp2's session under a lock, one who reads, one
// who writes, and the streams that goroutines wait on.
//
// The library does no input or output: it is given bytes and gives bytes. It is not safe for
// threads, so everything of it happens under lock_, its callbacks too.
//
//   reading   netpoll has the session as its watcher. When bytes come, a goroutine is started,
//   hands
//             them in, and goes when there are no more: a silent connection holds no goroutine,
//             however many streams it has.
//   writing   whoever makes output calls flush(): unless there is a writer already, it starts one,
//             a goroutine that goes when nothing is left. It lets others run first, so that the
//             answers of many handlers become one system call.
//   streams   handlers and callers wait on their stream's condition. See h2_stream.hpp.
//
// Invariants:
//  1. Nothing of the library is called without lock_. Otherwise its state is torn.
//  2. lock_ is not held across a read or write of the connection. Otherwise a slow peer stops all
//     streams' handlers, which may have something better to do.
//  3. self_ is set from begin() until the reader has seen the end. Otherwise the watcher's
//  goroutine
//     would find nothing.
#pragma once

#include <nghttp2/nghttp2.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "weft/http/internal/h2_stream.hpp"
#include "weft/net/conn.hpp"
#include "weft/net/internal/stream.hpp"
#include "weft/sync/mutex.hpp"

namespace weft::rt {

/// RFC 9113, 4.1.
struct frame_head {
  uint32_t bytes = 0;
  uint8_t type = 0;
  uint8_t flags = 0;
  int32_t stream = 0;
};

class h2_session : public read_watcher, public std::enable_shared_from_this<h2_session> {
 public:
  h2_session(const h2_session&) = delete;
  h2_session& operator=(const h2_session&) = delete;
  virtual ~h2_session();

  [[nodiscard]] mutex& lock() noexcept { return lock_; }
  [[nodiscard]] nghttp2_session* core() const noexcept { return core_; }
  [[nodiscard]] const net::conn& connection() const noexcept { return conn_; }
  [[nodiscard]] rt::stream& stream() const noexcept { return *conn_.stream(); }
  /// Under lock_: there may be something to send.
  void flush();
  /// Under lock_: the connection ends with GOAWAY and this code.
  void terminate(uint32_t code) noexcept;
  /// Under lock_: after this no stream is added. Why the connection ended; false while it lives.
  [[nodiscard]] const error& failure() const noexcept { return failure_; }

  // Under lock_, called by streams.
  void link(h2_stream& s) noexcept;
  void unlink(h2_stream& s) noexcept;

  // read_watcher
  void readable() override;

 protected:
  /// `preface_bytes` come before the first frame.
  h2_session(net::conn over, size_t preface_bytes) noexcept
      : conn_(std::move(over)), plain_left_(preface_bytes) {}
  /// nghttp2's callbacks, for session_new.
  static nghttp2_session_callbacks* callbacks();
  /// core_ is there, and what was submitted to it goes out. `read_ahead` has been read already.
  void begin(std::string_view read_ahead);

  // What the two ends do differently. Under lock_, but for received(). The int functions return 0
  // or one of nghttp2's errors.
  /// A frame begins: before the library sees it, and also if it will ignore it without a word.
  virtual void on_begin_frame(const frame_head& head) = 0;
  virtual int on_begin_headers(const nghttp2_frame& frame) = 0;
  virtual int on_header(const nghttp2_frame& frame, std::string_view name,
                        std::string_view value) = 0;
  virtual int on_frame(const nghttp2_frame& frame) = 0;
  virtual void on_frame_sent(const nghttp2_frame& frame) = 0;
  virtual void on_invalid_frame(const nghttp2_frame& frame) = 0;
  /// Bytes were handed in, and the lock is free again.
  virtual void received() = 0;
  /// How long the peer may be silent from now on; 0: for ever.
  [[nodiscard]] virtual int64_t patience_ns() = 0;
  /// It was silent for that long. What is to be done is submitted; false: cut the connection.
  [[nodiscard]] virtual bool peer_is_silent() = 0;
  /// How long one write may take; 0: for ever.
  [[nodiscard]] virtual int64_t write_limit_ns() = 0;
  /// The writer has nothing left.
  virtual void all_written() {}
  /// More frames than this wait for a peer that does not read: the connection ends.
  [[nodiscard]] virtual size_t outgoing_frames_max() = 0;
  /// The connection is over: failure() says why. All streams have been told.
  virtual void over() {}
  /// The same, and the lock is free.
  virtual void ended() {}

  template <class F>
  void for_each_stream(F f) {
    for (h2_stream* s = streams_; s != nullptr;) {
      // It may go, but not its neighbour.
      h2_stream* const next = s->next_;
      f(*s);
      s = next;
    }
  }

  mutex lock_;
  nghttp2_session* core_ = nullptr;
  /// Of streams that nghttp2 or a user has.
  h2_stream* streams_ = nullptr;
  size_t stream_count_ = 0;

 private:
  struct glue;  // h2_session.cpp: the callbacks
  void serve(bool woken);
  void take_in(std::string_view bytes);
  /// Gives bytes to the library, frame by frame. False: it gives up.
  [[nodiscard]] bool feed(std::string_view bytes);
  void write_out();
  [[nodiscard]] bool collect();
  void hang_up();
  void end(error why);
  /// Under lock_: nothing is to be read or written any more.
  [[nodiscard]] bool finished() const noexcept {
    return nghttp2_session_want_read(core_) == 0 && nghttp2_session_want_write(core_) == 0;
  }
  void set_patience();

  net::conn conn_;
  std::shared_ptr<h2_session> self_;
  error failure_;           // under lock_
  bool writing_ = false;    // under lock_: a writer runs, and will look again
  bool hung_up_ = false;    // under lock_: our side of the connection has ended
  bool spoken_to_ = false;  // under lock_: the peer has sent something
  size_t early_bytes_ = 0;  // under lock_: sent before that
  size_t lingered_bytes_ = 0;
  // Where feed() is, under lock_.
  size_t plain_left_ = 0;  // bytes of the preface or a payload that are still to come
  std::array<uint8_t, 9> head_{};
  size_t head_bytes_ = 0;
  /// Deadlines that are set; -1: not known. The reader's, the writer's.
  int64_t read_until_ = -1;
  int64_t write_until_ = -1;
  std::string out_;  // the writer's
};

}  // namespace weft::rt
