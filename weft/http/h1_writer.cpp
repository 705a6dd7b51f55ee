// SPDX-License-Identifier: Apache-2.0
// Answers of HTTP/1.
#include "weft/http/internal/h1_writer.hpp"

#include <array>
#include <charconv>
#include <chrono>

#include "weft/base/panic.hpp"
#include "weft/http/internal/answer_rules.hpp"
#include "weft/http/internal/h1_body.hpp"
#include "weft/http/internal/server_state.hpp"
#include "weft/http/status.hpp"

namespace weft::rt {

namespace {

/// Content up to this is copied behind the head, more is sent from where it is.
constexpr size_t copied_max = 16384;

void append_number(std::string& to, uint64_t number) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  to.append(digits.data(), static_cast<size_t>(end - digits.data()));
}

}  // namespace

bool h1_writer::may_have_content() const noexcept { return !never_has_content(status_); }

void h1_writer::write_head(int status) {
  if (status < 100 || status > 999) panic("http: write_head of status " + std::to_string(status));
  if (hijacked_) {
    conn_.state().log("http: write_head on a hijacked connection");
    return;
  }
  if (status < 200 && status != 101) {
    if (status_ == 0) send_informational(status);
    return;
  }
  if (status_ != 0) {
    conn_.state().log("http: a second write_head(" + std::to_string(status) + ") after " +
                      std::to_string(status_));
    return;
  }
  status_ = status;
  if (const auto text = work_.headers.find("Content-Length")) {
    uint64_t length = 0;
    if (h1::parse_length(*text, length)) {
      declared_ = static_cast<int64_t>(length);
    } else {
      conn_.state().log("http: a handler's Content-Length is no number: " + std::string(*text));
      work_.headers.erase("Content-Length");
    }
  }
}

result<size_t> h1_writer::write(std::string_view content) {
  if (hijacked_) return fail(http::not_hijackable);
  if (status_ == 0) write_head(200);
  if (content.empty()) return size_t{0};
  if (!may_have_content()) return fail(http::body_not_allowed);
  if (declared_ >= 0 && written_ + content.size() > static_cast<uint64_t>(declared_))
    return fail(http::content_length_exceeded);
  written_ += content.size();
  if (to_head_) {
    // A little is kept to tell what its type would be.
    if (work_.content.size() < 512) work_.content.append(content.substr(0, 512));
    return content.size();
  }
  if (failed_) return fail(failed_);
  if (work_.content.size() + content.size() <= collected_max) {
    work_.content.append(content);
    return content.size();
  }
  if (result<void> sent = send(content, false); !sent) return fail(sent.error());
  return content.size();
}

result<int64_t> h1_writer::write_file(int file, uint64_t offset, size_t bytes) {
  if (hijacked_ || status_ == 0 || to_head_ || declared_ < 0 || !may_have_content()) return -1;
  if (written_ + bytes > static_cast<uint64_t>(declared_))
    return fail(http::content_length_exceeded);
  if (failed_) return fail(failed_);
  if (!head_sent_ || !work_.content.empty())
    if (result<void> sent = send({}, false); !sent) return fail(sent.error());
  if (!own_write_deadline_) conn_.set_answer_deadline();
  const result<int64_t> sent = conn_.connection().stream()->send_file(file, offset, bytes);
  if (!sent) {
    failed_ = sent.error();
    conn_.end_after_this();
  } else if (*sent > 0) {
    written_ += static_cast<uint64_t>(*sent);
  }
  return sent;
}

result<void> h1_writer::flush() {
  if (hijacked_) return fail(http::not_hijackable);
  if (status_ == 0) write_head(200);
  if (failed_) return fail(failed_);
  if (to_head_ && written_ == 0 && declared_ < 0) return {};
  return send({}, false);
}

void h1_writer::add_field(std::string_view name, std::string_view value) {
  work_.out.append(name).append(": ").append(value).append("\r\n");
}

void h1_writer::add_date() {
  using namespace std::chrono;
  const int64_t second = duration_cast<seconds>(system_clock::now().time_since_epoch()).count();
  if (second != work_.date_second) {
    work_.date_second = second;
    work_.date = format_http_date(second);
  }
  add_field("Date", work_.date.view());
}

void h1_writer::make_head(bool whole) {
  const http::header& fields = work_.headers;
  std::string& out = work_.out;
  out.clear();
  out.append("HTTP/1.1 ");
  append_number(out, static_cast<uint64_t>(status_));
  out.append(" ").append(http::status_text(status_)).append("\r\n");

  framing_ = framing::none;
  bool own_length = false;
  if (may_have_content()) {
    if (declared_ >= 0) {
      framing_ = framing::length;
      own_length = true;
    } else if (whole) {
      framing_ = framing::length;
      // To HEAD: what GET would have said, if the handler has written it.
      if (!to_head_ || written_ > 0) {
        out.append("Content-Length: ");
        append_number(out, written_);
        out.append("\r\n");
      }
    } else if (http_1_0_) {
      framing_ = framing::until_close;
      conn_.end_after_this();
    } else {
      framing_ = framing::chunked;
      out.append("Transfer-Encoding: chunked\r\n");
    }
  } else if (status_ == 304) {
    own_length = true;
  }

  bool has_date = false, has_type = false, has_server = false, says_close = false;
  bool upgrades = false;
  for (const http::header::field f : fields) {
    switch (f.name.size()) {
      case 4:
        if (http::equal_fold(f.name, "Date")) has_date = true;
        break;
      case 6:
        if (http::equal_fold(f.name, "Server")) has_server = true;
        break;
      case 10:
        if (http::equal_fold(f.name, "Connection")) {
          if (http::equal_fold(f.value, "close")) says_close = true;
          if (status_ == 101) upgrades = true;
          if (!upgrades) continue;
        }
        break;
      case 12:
        if (http::equal_fold(f.name, "Content-Type")) has_type = true;
        break;
      case 14:
        if (http::equal_fold(f.name, "Content-Length") && !own_length) continue;
        break;
      case 17:
        if (http::equal_fold(f.name, "Transfer-Encoding")) continue;
        break;
      default:
        break;
    }
    add_field(f.name, f.value);
  }
  if (!has_type && written_ > 0 && may_have_content() && !fields.has("Content-Encoding"))
    add_field("Content-Type", content_type_of(work_.content));
  if (!has_date && conn_.state().options.date) add_date();
  if (!has_server && !conn_.state().options.server_name.empty())
    add_field("Server", conn_.state().options.server_name);
  if (framing_ == framing::chunked && !work_.trailers.empty() && !fields.has("Trailer")) {
    std::string names;
    for (const http::header::field f : work_.trailers)
      names.append(names.empty() ? "" : ", ").append(f.name);
    add_field("Trailer", names);
  }
  if (says_close || conn_.state().closing()) conn_.end_after_this();
  if (!conn_.keeps())
    out.append("Connection: close\r\n");
  else if (http_1_0_)
    out.append("Connection: keep-alive\r\n");
  out.append("\r\n");
}

void h1_writer::send_informational(int status) {
  if (http_1_0_) return;
  std::string text = "HTTP/1.1 ";
  append_number(text, static_cast<uint64_t>(status));
  text.append(" ").append(http::status_text(status)).append("\r\n");
  if (status == 100)
    expects_continue_ = false;
  else
    for (const http::header::field f : work_.headers)
      text.append(f.name).append(": ").append(f.value).append("\r\n");
  text.append("\r\n");
  (void)put(text, {}, {}, {});
}

result<void> h1_writer::permit_body() {
  if (!expects_continue_) return {};
  expects_continue_ = false;
  // After a final status the permission is no longer wanted.
  if (status_ != 0) return {};
  return put("HTTP/1.1 100 Continue\r\n\r\n", {}, {}, {});
}

result<void> h1_writer::put(std::string_view a, std::string_view b, std::string_view c,
                            std::string_view d) {
  if (failed_) return fail(failed_);
  if (!own_write_deadline_) conn_.set_answer_deadline();
  result<size_t> sent;
  if (b.empty() && c.empty() && d.empty()) {
    sent = conn_.connection().write(a);
  } else {
    const std::array<std::string_view, 4> parts{a, b, c, d};
    sent = conn_.connection().writev(parts);
  }
  if (sent) return {};
  failed_ = sent.error();
  conn_.end_after_this();
  return fail(failed_);
}

result<void> h1_writer::send(std::string_view content, bool last) {
  const bool first = !head_sent_;
  std::string& out = work_.out;
  if (first) {
    // The type of content that was not collected, too.
    if (work_.content.empty() && !content.empty() && !work_.headers.has("Content-Type") &&
        !work_.headers.has("Content-Encoding"))
      work_.headers.add("Content-Type", content_type_of(content));
    make_head(last);
    head_sent_ = true;
  } else {
    out.clear();
  }
  if (to_head_) work_.content.clear();
  const size_t bytes = work_.content.size() + content.size();
  const bool chunked = framing_ == framing::chunked && !to_head_;
  if (chunked && bytes > 0) out.append(h1::make_chunk_head(bytes).view());
  std::string_view tail;
  std::string ending;
  if (chunked) {
    if (bytes > 0) ending.append(h1::chunk_end);
    if (last) {
      ending.append(h1::last_chunk);
      for (const http::header::field f : work_.trailers)
        ending.append(f.name).append(": ").append(f.value).append("\r\n");
      ending.append("\r\n");
    }
    tail = ending;
  }
  result<void> sent;
  if (bytes + tail.size() <= copied_max) {
    out.append(work_.content).append(content).append(tail);
    if (!out.empty()) sent = put(out, {}, {}, {});
  } else {
    sent = put(out, work_.content, content, tail);
  }
  work_.content.clear();
  return sent;
}

void h1_writer::finish() {
  if (hijacked_) return;
  if (status_ == 0) write_head(200);
  if (failed_) return;
  // A promise that was not kept: the client must not take the next answer for the rest of this one.
  if (declared_ >= 0 && written_ < static_cast<uint64_t>(declared_) && !to_head_ &&
      may_have_content()) {
    conn_.end_after_this();
    conn_.state().log("http: a handler wrote " + std::to_string(written_) + " bytes of " +
                      std::to_string(declared_) + " that it had declared");
  }
  if (head_sent_ && work_.content.empty() && framing_ != framing::chunked) return;
  (void)send({}, true);
}

result<http::hijacked> h1_writer::hijack() {
  if (hijacked_ || head_sent_ || status_ != 0) return fail(http::not_hijackable);
  hijacked_ = true;
  http::hijacked out{conn_.connection(), std::string(work_.in.view())};
  conn_.hijack();
  return out;
}

result<void> h1_writer::set_read_deadline(net::time_point when) {
  return conn_.set_own_deadline(when, true);
}

result<void> h1_writer::set_write_deadline(net::time_point when) {
  own_write_deadline_ = true;
  return conn_.set_own_deadline(when, false);
}

void h1_writer::start_over() {
  work_.headers.clear();
  work_.trailers.clear();
  work_.content.clear();
  status_ = 0;
  declared_ = -1;
  written_ = 0;
}

}  // namespace weft::rt
