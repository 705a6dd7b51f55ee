// SPDX-License-Identifier: Apache-2.0
// One stream of an HTTP/2 connection, either end of it: what has come and was not read yet, what is
// to be sent and was not yet, and the goroutine that waits for either.
//
// It belongs to two: to the library, from the first frame until the stream is closed, and to its
// user (the server's handler, the client's request and response). It goes when both have let go.
// Everything is under the session's lock, unless it says otherwise.
//
// Flow control follows the reader: what was read is given back to the peer's window, so what waits
// here is never more than one window.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "weft/base/error.hpp"
#include "weft/http/header.hpp"
#include "weft/sync/cond.hpp"
#include "weft/sync/mutex.hpp"

namespace weft::rt {

class h2_session;

class h2_stream {
 public:
  h2_stream(const h2_stream&) = delete;
  h2_stream& operator=(const h2_stream&) = delete;

  // For users. These take the lock, and may park.

  /// At least one byte; 0 at the end. `until_ns`, on now_ns()'s clock, 0: none.
  result<size_t> read(std::span<char> to, int64_t until_ns);
  /// Sends the head if it was not, `collected` (which is emptied), and `content`, from where it is:
  /// parks until that has gone out, or too much of the collected has not.
  result<void> send(std::string& collected, std::string_view content, bool last, int64_t until_ns);
  /// RST_STREAM, unless it is closed.
  void reset(uint32_t code);
  /// The same, once what was sent so far has gone out (the library drops it otherwise).
  void reset_after_sending(uint32_t code, int64_t until_ns);

  // For the session.

  [[nodiscard]] int32_t id() const noexcept { return id_; }
  void take_data(std::string_view bytes);
  void take_end() noexcept;
  void head_went_out() noexcept;
  /// The library has no such stream any more. False: this object is gone.
  void closed(uint32_t code);
  /// The same, since the connection has ended.
  void lost(const error& why);
  void wake() noexcept { changed_.broadcast(); }
  ssize_t fill(uint8_t* to, size_t bytes, uint32_t* flags);

 protected:
  explicit h2_stream(h2_session& of) noexcept : session_(of) {}
  virtual ~h2_stream() = default;

  /// The library knows it by this number, and has it as user data. There is no user yet.
  void opened(int32_t id);
  void hold() noexcept { ++users_; }
  /// A user has let go.
  void release();
  /// Nobody will read what comes.
  void discard_input();
  /// Submits the head to the library: without content if `empty`. Under the lock.
  virtual int submit_head(bool empty) = 0;
  /// Closed before it came to its end: whoever waits for it is to know. Under the lock.
  virtual void on_closed() = 0;
  /// Nobody has it: destroy it. Under the lock.
  virtual void dispose() = 0;
  /// Fields to send after the content; null: none.
  [[nodiscard]] virtual const http::header* trailers_to_send() = 0;
  /// Data came, and there is no user. Under the lock.
  virtual void on_unwanted(size_t bytes) = 0;
  /// Before a read waits for the first bytes. Under the lock.
  virtual void before_first_wait() {}

  /// Fields as the library wants them. The texts must stay until it has copied them.
  [[nodiscard]] static nghttp2_nv pair(std::string_view name, std::string_view value) noexcept;
  [[nodiscard]] nghttp2_data_provider provider() noexcept;
  [[nodiscard]] error closed_error() const;
  /// False: the time is up. 0: no limit.
  [[nodiscard]] bool wait(std::unique_lock<mutex>& hold, int64_t until_ns);

  h2_session& session_;
  int32_t id_ = 0;
  cond changed_;

  // From the peer.
  std::string in_;
  size_t in_at_ = 0;
  bool in_end_ = false;

  // To the peer: first content_, then direct_, which is somebody's who waits.
  std::string content_;
  size_t content_at_ = 0;
  std::string_view direct_;
  bool out_end_ = false;    // nothing will follow
  bool end_taken_ = false;  // the library has taken all of it
  bool deferred_ = false;   // the library waits for us
  bool head_submitted_ = false;
  bool head_sent_ = false;

  bool open_ = false;      // the library has it
  int users_ = 0;          // those who have it on the other side
  bool discards_ = false;  // what comes is thrown away
  bool closed_ = false;
  uint32_t code_ = 0;
  error failure_;  // of the connection

 private:
  friend class h2_session;
  void give_back(size_t bytes) noexcept;
  [[nodiscard]] size_t unsent() const noexcept { return content_.size() - content_at_; }
  void let_go();

  h2_stream* next_ = nullptr;
  h2_stream* previous_ = nullptr;
};

/// What a stream that was reset says: `stream error: stream ID 7; CANCEL`.
struct h2_stream_error {
  int32_t stream = 0;
  uint32_t code = 0;
};

}  // namespace weft::rt
