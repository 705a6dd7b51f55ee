// SPDX-License-Identifier: Apache-2.0
#include "weft/http/internal/h2_session.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>

#include "weft/net/errors.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/internal/section.hpp"
#include "weft/sched/runtime.hpp"

namespace weft::rt {

namespace {

/// What is read at once: a frame of the usual largest size.
constexpr size_t read_bytes = size_t{16} << 10;
/// What is written at once. Larger would make one system call of more, and other streams wait.
constexpr size_t write_bytes = size_t{64} << 10;
constexpr size_t kept_bytes = size_t{16} << 10;
/// What is sent to a client that has not said anything yet, since it has upgraded: curl keeps what
/// comes behind 101 in a buffer of 32 KiB, and one frame may come on top of this.
constexpr size_t early_bytes_max = size_t{8} << 10;
/// How long the peer gets to read why the connection ends: a close with unread bytes would reset
/// it, and GOAWAY would be lost. As HTTP/1's (h1_conn.cpp).
constexpr int64_t linger_ns = 500'000'000;
constexpr size_t linger_bytes_max = size_t{1} << 20;

const error peer_ended("http: the peer has ended the connection");
const error wound_up("http: the connection has been wound up");

}  // namespace

/// nghttp2 calls these, inside of calls that we make under lock_.
struct h2_session::glue {
  static h2_session& of(void* user) { return *static_cast<h2_session*>(user); }
  static h2_stream* find(nghttp2_session* core, int32_t id) {
    return static_cast<h2_stream*>(nghttp2_session_get_stream_user_data(core, id));
  }

  static int begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    return of(user).on_begin_headers(*frame);
  }
  static int header(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                    size_t name_bytes, const uint8_t* value, size_t value_bytes, uint8_t,
                    void* user) {
    return of(user).on_header(*frame, {reinterpret_cast<const char*>(name), name_bytes},
                              {reinterpret_cast<const char*>(value), value_bytes});
  }
  static int frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    return of(user).on_frame(*frame);
  }
  static int invalid_frame(nghttp2_session*, const nghttp2_frame* frame, int, void* user) {
    of(user).on_invalid_frame(*frame);
    return 0;
  }
  static int frame_sent(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    of(user).on_frame_sent(*frame);
    return 0;
  }
  static int data(nghttp2_session* core, uint8_t, int32_t id, const uint8_t* bytes, size_t count,
                  void*) {
    if (h2_stream* const s = find(core, id); s != nullptr) {
      s->take_data({reinterpret_cast<const char*>(bytes), count});
    } else {
      (void)nghttp2_session_consume(core, id, count);
    }
    return 0;
  }
  static int stream_close(nghttp2_session* core, int32_t id, uint32_t code, void*) {
    if (h2_stream* const s = find(core, id); s != nullptr) s->closed(code);
    return 0;
  }
};

nghttp2_session_callbacks* h2_session::callbacks() {
  static nghttp2_session_callbacks* const all = [] {
    nghttp2_session_callbacks* made = nullptr;
    nghttp2_session_callbacks_new(&made);
    nghttp2_session_callbacks_set_on_begin_headers_callback(made, glue::begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(made, glue::header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(made, glue::frame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(made, glue::invalid_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(made, glue::frame_sent);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, glue::data);
    nghttp2_session_callbacks_set_on_stream_close_callback(made, glue::stream_close);
    return made;
  }();
  return all;
}

h2_session::~h2_session() { nghttp2_session_del(core_); }

void h2_session::link(h2_stream& s) noexcept {
  s.next_ = streams_;
  s.previous_ = nullptr;
  if (streams_ != nullptr) streams_->previous_ = &s;
  streams_ = &s;
  ++stream_count_;
}

void h2_session::unlink(h2_stream& s) noexcept {
  (s.previous_ != nullptr ? s.previous_->next_ : streams_) = s.next_;
  if (s.next_ != nullptr) s.next_->previous_ = s.previous_;
  --stream_count_;
}

void h2_session::terminate(uint32_t code) noexcept {
  (void)nghttp2_session_terminate_session(core_, code);
}

// --- reading ---

void h2_session::begin(std::string_view read_ahead) {
  self_ = shared_from_this();
  if (!read_ahead.empty()) {
    take_in(read_ahead);
  } else {
    const std::scoped_lock hold(lock_);
    flush();
  }
  serve(false);
}

void h2_session::readable() { serve(true); }

void h2_session::set_patience() {
  int64_t limit_ns = 0;
  {
    const std::scoped_lock hold(lock_);
    if (hung_up_) return;
    limit_ns = patience_ns();
  }
  if (limit_ns <= 0) {
    if (read_until_ == 0) return;
    read_until_ = 0;
  } else {
    // It may end up to a quarter late: then it need not be set for each read.
    const int64_t wanted = now_ns() + limit_ns;
    const int64_t slack = limit_ns / 4;
    if (read_until_ >= wanted && read_until_ <= wanted + slack) return;
    read_until_ = wanted + slack;
  }
  (void)stream().set_deadline(read_until_, true, false);
}

/// `woken`: there is something to read, or the deadline has passed. A new one would hide that.
void h2_session::serve(bool woken) {
  const std::shared_ptr<h2_session> keep = self_;
  std::array<char, read_bytes> bytes;
  for (;;) {
    if (!woken) {
      set_patience();
      if (stream().watch_readable(*this)) return;
    }
    woken = false;
    const result<size_t> got = stream().read(bytes.data(), bytes.size());
    if (got && *got != 0) {
      take_in({bytes.data(), *got});
      continue;
    }
    if (!got && got.error().timeout()) {
      std::unique_lock hold(lock_);
      if (!hung_up_ && peer_is_silent()) {
        read_until_ = -1;
        flush();
        const bool end_now = finished() && !writing_;
        hold.unlock();
        if (end_now) hang_up();
        continue;
      }
    }
    return end(got ? peer_ended : got.error());
  }
}

void h2_session::take_in(std::string_view bytes) {
  bool end_now = false;
  {
    const std::scoped_lock hold(lock_);
    if (hung_up_) {
      lingered_bytes_ += bytes.size();
      // The deadline does the rest.
      if (lingered_bytes_ > linger_bytes_max) (void)stream().set_deadline(1, true, false);
      return;
    }
    spoken_to_ = true;
    if (feed(bytes) && nghttp2_session_get_outbound_queue_size(core_) > outgoing_frames_max())
      terminate(NGHTTP2_ENHANCE_YOUR_CALM);
    flush();
    end_now = finished() && !writing_;
  }
  received();
  if (end_now) hang_up();
}

bool h2_session::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    size_t part = std::min(plain_left_, bytes.size());
    plain_left_ -= part;
    if (part == 0) {
      part = std::min(head_.size() - head_bytes_, bytes.size());
      std::memcpy(head_.data() + head_bytes_, bytes.data(), part);
      head_bytes_ += part;
      if (head_bytes_ == head_.size()) {
        head_bytes_ = 0;
        const auto at = [this](size_t i) { return static_cast<uint32_t>(head_[i]); };
        const frame_head head{.bytes = at(0) << 16 | at(1) << 8 | at(2),
                              .type = head_[3],
                              .flags = head_[4],
                              .stream = static_cast<int32_t>((at(5) & 0x7f) << 24 | at(6) << 16 |
                                                             at(7) << 8 | at(8))};
        on_begin_frame(head);
        const size_t payload = std::min<size_t>(head.bytes, bytes.size() - part);
        plain_left_ = head.bytes - payload;
        part += payload;
      }
    }
    const ssize_t used =
        nghttp2_session_mem_recv(core_, reinterpret_cast<const uint8_t*>(bytes.data()), part);
    if (used < 0) {
      // A bad preface; a flood of frames that want an answer.
      terminate(used == NGHTTP2_ERR_FLOODED ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR);
      return false;
    }
    bytes.remove_prefix(part);
  }
  return true;
}

void h2_session::hang_up() {
  {
    const std::scoped_lock hold(lock_);
    if (hung_up_) return;
    hung_up_ = true;
  }
  (void)stream().shut_down(SHUT_WR);
  (void)stream().set_deadline(now_ns() + linger_ns, true, false);
}

void h2_session::end(error why) {
  std::shared_ptr<h2_session> last;
  {
    const std::scoped_lock hold(lock_);
    failure_ = hung_up_ ? wound_up : std::move(why);
    for_each_stream([&](h2_stream& s) {
      if (s.open_) s.lost(failure_);
    });
    over();
    last = std::move(self_);
  }
  (void)stream().close();
  ended();
}

// --- writing ---

void h2_session::flush() {
  if (writing_ || failure_ || nghttp2_session_want_write(core_) == 0) return;
  // Null while the last owner destroys it: shutdown() may still find it in its list.
  std::shared_ptr<h2_session> self = weak_from_this().lock();
  if (self == nullptr) return;
  writing_ = true;
  go([self = std::move(self)] { self->write_out(); });
}

bool h2_session::collect() {
  out_.clear();
  while (out_.size() < write_bytes) {
    if (!spoken_to_ && early_bytes_ > early_bytes_max) break;
    const uint8_t* bytes = nullptr;
    const ssize_t count = nghttp2_session_mem_send(core_, &bytes);
    if (count <= 0) break;
    out_.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(count));
    if (!spoken_to_) early_bytes_ += static_cast<size_t>(count);
  }
  return !out_.empty();
}

void h2_session::write_out() {
  // Others that are about to make output do it now: it becomes one write.
  yield();
  std::unique_lock hold(lock_);
  while (!failure_ && collect()) {
    const int64_t limit_ns = write_limit_ns();
    hold.unlock();
    if (limit_ns > 0) {
      // As in set_patience().
      const int64_t wanted = now_ns() + limit_ns;
      if (write_until_ < wanted) {
        write_until_ = wanted + limit_ns / 4;
        (void)stream().set_deadline(write_until_, false, true);
      }
    }
    const result<size_t> sent = stream().write(out_.data(), out_.size());
    // The reader sees the end and tells all.
    if (!sent) (void)stream().close();
    hold.lock();
    if (!sent) break;
  }
  if (out_.capacity() > kept_bytes || stream_count_ == 0) std::string().swap(out_);
  writing_ = false;
  if (failure_) return;
  all_written();
  const bool end_now = finished();
  hold.unlock();
  if (end_now) hang_up();
}

}  // namespace weft::rt
