// SPDX-License-Identifier: Apache-2.0
#include "weft/http/internal/h2_stream.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "weft/http/internal/h2_session.hpp"
#include "weft/net/errors.hpp"
#include "weft/sched/internal/section.hpp"
#include "weft/sync/timer.hpp"

namespace weft::rt {

namespace {

/// What a stream may have waiting to be sent before who writes it is stopped. Larger would only use
/// memory: the writer takes 64 KiB at a time.
constexpr size_t unsent_max = size_t{64} << 10;
/// A buffer larger than this is not kept when it is empty.
constexpr size_t kept_bytes = size_t{16} << 10;

void empty(std::string& buffer) {
  buffer.clear();
  if (buffer.capacity() > kept_bytes) std::string().swap(buffer);
}

ssize_t read_source(nghttp2_session*, int32_t, uint8_t* to, size_t bytes, uint32_t* flags,
                    nghttp2_data_source* source, void*) {
  return static_cast<h2_stream*>(source->ptr)->fill(to, bytes, flags);
}

}  // namespace

nghttp2_nv h2_stream::pair(std::string_view name, std::string_view value) noexcept {
  // The library copies, and does not write.
  const auto bytes = [](std::string_view text) {
    return const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

nghttp2_data_provider h2_stream::provider() noexcept {
  nghttp2_data_provider from{};
  from.source.ptr = this;
  from.read_callback = read_source;
  return from;
}

error h2_stream::closed_error() const {
  if (failure_) return failure_;
  const h2_stream_error what{.stream = id_, .code = code_};
  return error("stream error: stream ID " + std::to_string(id_) + "; " +
               nghttp2_http2_strerror(code_))
      .with(what);
}

void h2_stream::opened(int32_t id) {
  id_ = id;
  open_ = true;
  session_.link(*this);
}

void h2_stream::let_go() {
  if (open_ || users_ != 0) return;
  if (id_ != 0) session_.unlink(*this);
  dispose();
}

void h2_stream::release() {
  if (--users_ != 0) return;
  discard_input();
  let_go();
}

void h2_stream::discard_input() {
  discards_ = true;
  give_back(in_.size() - in_at_);
  empty(in_);
  in_at_ = 0;
}

void h2_stream::closed(uint32_t code) {
  open_ = false;
  closed_ = true;
  code_ = code;
  on_closed();
  wake();
  let_go();
}

void h2_stream::lost(const error& why) {
  failure_ = why;
  closed(NGHTTP2_INTERNAL_ERROR);
}

void h2_stream::give_back(size_t bytes) noexcept {
  if (bytes == 0 || session_.failure()) return;
  (void)nghttp2_session_consume(session_.core(), id_, bytes);
}

void h2_stream::take_data(std::string_view bytes) {
  if (discards_) {
    give_back(bytes.size());
    on_unwanted(bytes.size());
    return;
  }
  in_.append(bytes);
  changed_.signal();
}

void h2_stream::take_end() noexcept {
  in_end_ = true;
  wake();
}

bool h2_stream::wait(std::unique_lock<mutex>& hold, int64_t until_ns) {
  if (until_ns == 0) {
    changed_.wait(hold);
    return true;
  }
  const int64_t left_ns = until_ns - now_ns();
  if (left_ns <= 0) return false;
  // It only wakes; who waits looks at the clock. A closed stream has nobody who waits.
  timer alarm = after_func(std::chrono::nanoseconds(left_ns),
                           [session = session_.shared_from_this(), id = id_] {
                             const std::scoped_lock held(session->lock());
                             if (session->failure()) return;
                             void* s = nghttp2_session_get_stream_user_data(session->core(), id);
                             if (s != nullptr) static_cast<h2_stream*>(s)->wake();
                           });
  changed_.wait(hold);
  alarm.stop();
  return true;
}

result<size_t> h2_stream::read(std::span<char> to, int64_t until_ns) {
  if (to.empty()) return size_t{0};
  std::unique_lock hold(session_.lock());
  if (in_at_ == in_.size() && !in_end_ && !closed_) before_first_wait();
  while (in_at_ == in_.size()) {
    if (in_end_) return size_t{0};
    if (closed_) return fail(closed_error());
    if (!wait(hold, until_ns)) return fail(net::err_timeout);
  }
  const size_t bytes = std::min(to.size(), in_.size() - in_at_);
  std::memcpy(to.data(), in_.data() + in_at_, bytes);
  in_at_ += bytes;
  if (in_at_ == in_.size()) {
    empty(in_);
    in_at_ = 0;
  }
  give_back(bytes);
  session_.flush();
  return bytes;
}

result<void> h2_stream::send(std::string& collected, std::string_view content, bool last,
                             int64_t until_ns) {
  std::unique_lock hold(session_.lock());
  if (closed_) return fail(closed_error());
  if (unsent() == 0) {
    content_.clear();
    content_at_ = 0;
    content_.swap(collected);
  } else {
    content_.append(collected);
    collected.clear();
  }
  direct_ = content;
  out_end_ = last;
  if (!head_submitted_) {
    head_submitted_ = true;
    const http::header* const trailers = last ? trailers_to_send() : nullptr;
    const bool nothing = last && unsent() == 0 && content.empty() && trailers == nullptr;
    if (nothing) end_taken_ = true;
    if (const int failed = submit_head(nothing); failed != 0) {
      direct_ = {};
      return fail(error(std::string("http: ") + nghttp2_strerror(failed)));
    }
  } else if (deferred_) {
    deferred_ = false;
    (void)nghttp2_session_resume_data(session_.core(), id_);
  }
  session_.flush();
  while (!closed_ && (!direct_.empty() || (!last && unsent() > unsent_max))) {
    if (wait(hold, until_ns)) continue;
    direct_ = {};
    return fail(net::err_timeout);
  }
  const bool sent = direct_.empty();
  direct_ = {};
  if (closed_ && !(sent && last)) return fail(closed_error());
  return {};
}

void h2_stream::head_went_out() noexcept {
  head_sent_ = true;
  wake();
}

void h2_stream::reset_after_sending(uint32_t code, int64_t until_ns) {
  {
    std::unique_lock hold(session_.lock());
    while (!closed_ && head_submitted_ && (!head_sent_ || unsent() != 0))
      if (!wait(hold, until_ns)) break;
  }
  reset(code);
}

void h2_stream::reset(uint32_t code) {
  const std::scoped_lock hold(session_.lock());
  if (closed_ || session_.failure()) return;
  (void)nghttp2_submit_rst_stream(session_.core(), NGHTTP2_FLAG_NONE, id_, code);
  session_.flush();
}

ssize_t h2_stream::fill(uint8_t* to, size_t bytes, uint32_t* flags) {
  size_t at = 0;
  if (unsent() != 0) {
    at = std::min(bytes, unsent());
    std::memcpy(to, content_.data() + content_at_, at);
    content_at_ += at;
  }
  if (at < bytes && !direct_.empty()) {
    const size_t more = std::min(bytes - at, direct_.size());
    std::memcpy(to + at, direct_.data(), more);
    direct_.remove_prefix(more);
    at += more;
  }
  const bool all = unsent() == 0 && direct_.empty();
  if (all) {
    empty(content_);
    content_at_ = 0;
  }
  if (!out_end_ || all) changed_.signal();
  if (all && out_end_) {
    end_taken_ = true;
    wake();
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (const http::header* const trailers = trailers_to_send(); trailers != nullptr) {
      std::vector<nghttp2_nv> fields;
      for (const http::header::field f : *trailers) fields.push_back(pair(f.name, f.value));
      *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      (void)nghttp2_submit_trailer(session_.core(), id_, fields.data(), fields.size());
    }
    return static_cast<ssize_t>(at);
  }
  if (at == 0) {
    deferred_ = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  return static_cast<ssize_t>(at);
}

}  // namespace weft::rt
