// SPDX-License-Identifier: Apache-2.0
// serve_content().
#include "weft/http/content.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <vector>

#include "weft/http/internal/conditions.hpp"
#include "weft/http/internal/file_taker.hpp"
#include "weft/http/internal/http_date.hpp"
#include "weft/http/internal/random_bytes.hpp"
#include "weft/sync/pool.hpp"

namespace weft::http {

namespace {

// What is read at a time: large enough that a system call per piece does not show, small enough
// that ten thousand downloads do not need gigabytes.
inline constexpr size_t piece_bytes = size_t{64} << 10;
// Less is read and sent together with the head: one packet instead of two.
inline constexpr uint64_t direct_bytes_min = uint64_t{32} << 10;
// Sent without reading at a time, so that the time allowed for an answer is looked at.
inline constexpr uint64_t direct_bytes_max = uint64_t{8} << 20;

struct piece {
  char bytes[piece_bytes];
};
pool<piece>& pieces() {
  // Not value-initialized: nobody reads what was not read into it.
  static pool<piece> all([] { return std::unique_ptr<piece>(new piece); });
  return all;
}

/// Sends without reading, as far as that goes: removes from `part` what was sent. False: the client
/// has left.
bool send_directly(response_writer& w, const content& what, rt::byte_range& part) {
  const int file = what.descriptor();
  auto* const to = file >= 0 ? dynamic_cast<rt::file_taker*>(&w) : nullptr;
  while (to != nullptr && part.bytes >= direct_bytes_min) {
    const auto wanted = static_cast<size_t>(std::min(part.bytes, direct_bytes_max));
    const result<int64_t> sent = to->write_file(file, part.begin, wanted);
    if (!sent) return false;
    if (*sent <= 0) break;
    part.begin += static_cast<uint64_t>(*sent);
    part.bytes -= static_cast<uint64_t>(*sent);
  }
  return true;
}

/// Sends a stretch of the content. False: it has ended early, or the client has left.
bool send(response_writer& w, content& what, rt::byte_range part) {
  if (!send_directly(w, what, part)) return false;
  if (part.bytes == 0) return true;
  const auto buffer = pieces().borrow();
  while (part.bytes > 0) {
    const auto wanted = static_cast<size_t>(std::min<uint64_t>(part.bytes, piece_bytes));
    const result<size_t> got = what.read_at({buffer->bytes, wanted}, part.begin);
    if (!got || *got == 0) return false;
    if (!w.write({buffer->bytes, *got})) return false;
    part.begin += *got;
    part.bytes -= *got;
  }
  return true;
}

std::string range_text(rt::byte_range part, uint64_t size) {
  return "bytes " + std::to_string(part.begin) + "-" + std::to_string(part.begin + part.bytes - 1) +
         "/" + std::to_string(size);
}

/// Part heads of a multipart/byteranges answer.
struct multipart {
  std::string boundary;
  std::vector<std::string> heads;
  std::string end;
  uint64_t bytes = 0;
};

multipart plan_multipart(const std::vector<rt::byte_range>& parts, uint64_t size,
                         std::string_view type) {
  multipart out;
  out.boundary = rt::random_hex(32);
  for (const rt::byte_range& part : parts) {
    std::string head = out.heads.empty() ? "--" : "\r\n--";
    head.append(out.boundary).append("\r\nContent-Range: ").append(range_text(part, size));
    head.append("\r\nContent-Type: ").append(type).append("\r\n\r\n");
    out.bytes += head.size() + part.bytes;
    out.heads.push_back(std::move(head));
  }
  out.end = "\r\n--" + out.boundary + "--\r\n";
  out.bytes += out.end.size();
  return out;
}

/// Conditions that make an answer without content; true if it was given.
bool answer_conditions(response_writer& w, const request& r, const rt::validators& now) {
  switch (rt::check_conditions(r, now)) {
    case rt::condition::proceed:
      return false;
    case rt::condition::not_modified:
      w.headers().erase("Content-Type");
      w.headers().erase("Content-Length");
      w.headers().erase("Content-Encoding");
      w.write_head(304);
      return true;
    case rt::condition::failed:
      reply_error(w, 412, "412 precondition failed");
      return true;
  }
  return false;
}

void reply_unsatisfiable(response_writer& w, uint64_t size) {
  header& fields = w.headers();
  for (const std::string_view of_content : {"Content-Length", "Etag", "Last-Modified"})
    fields.erase(of_content);
  fields.set("Content-Range", "bytes */" + std::to_string(size));
  fields.set("Content-Type", "text/plain; charset=utf-8");
  w.write_head(416);
  (void)w.write("416 range not satisfiable\n");
}

void send_parts(response_writer& w, const std::vector<rt::byte_range>& parts, content& what) {
  const uint64_t size = what.size();
  bool whole = true;
  if (parts.size() == 1) {
    w.headers().set("Content-Range", range_text(parts.front(), size));
    w.headers().set("Content-Length", std::to_string(parts.front().bytes));
    w.write_head(206);
    whole = send(w, what, parts.front());
  } else {
    const multipart plan = plan_multipart(parts, size, w.headers().get("Content-Type"));
    w.headers().set("Content-Type", "multipart/byteranges; boundary=" + plan.boundary);
    w.headers().set("Content-Length", std::to_string(plan.bytes));
    w.write_head(206);
    for (size_t i = 0; whole && i < parts.size(); ++i)
      whole = w.write(plan.heads[i]).has_value() && send(w, what, parts[i]);
    if (whole) whole = w.write(plan.end).has_value();
  }
  if (!whole) throw abort_handler();
}

}  // namespace

result<size_t> text_content::read_at(std::span<char> to, uint64_t offset) {
  if (offset >= text_.size()) return size_t{0};
  const size_t count = std::min(to.size(), text_.size() - static_cast<size_t>(offset));
  std::memcpy(to.data(), text_.data() + offset, count);
  return count;
}

void serve_content(response_writer& w, request& r, const content_info& info, content& what) {
  const bool head_only = r.method == "HEAD";
  if (!head_only && r.method != "GET") {
    w.headers().set("Allow", "GET, HEAD");
    reply_error(w, 405, "405 method not allowed");
    return;
  }
  header& fields = w.headers();
  const std::string etag(fields.get("Etag"));
  if (info.modified_s >= 0) {
    // A time in the future would be refused by caches (RFC 9110 8.8.2.1).
    const int64_t now = std::chrono::duration_cast<std::chrono::seconds>(
                            std::chrono::system_clock::now().time_since_epoch())
                            .count();
    fields.set("Last-Modified", rt::format_http_date(std::min(info.modified_s, now)).view());
  }
  const rt::validators now{.etag = etag, .modified_s = info.modified_s};
  if (answer_conditions(w, r, now)) return;
  if (!fields.has("Content-Type")) fields.set("Content-Type", content_type_of(info.name));
  const uint64_t size = what.size();
  std::vector<rt::byte_range> parts;
  rt::range_verdict verdict = rt::range_verdict::whole;
  // Ranges are of what is sent: of encoded content we do not know them.
  if (!fields.has("Content-Encoding")) {
    fields.set("Accept-Ranges", "bytes");
    if (const auto range = r.headers.find("Range");
        range && !head_only && rt::check_if_range(r, now))
      verdict = rt::parse_ranges(*range, size, parts);
  }
  if (verdict == rt::range_verdict::unsatisfiable) {
    reply_unsatisfiable(w, size);
    return;
  }
  if (verdict == rt::range_verdict::parts) {
    send_parts(w, parts, what);
    return;
  }
  fields.set("Content-Length", std::to_string(size));
  w.write_head(w.status() == 0 ? 200 : w.status());
  if (!head_only && !send(w, what, {0, size})) throw abort_handler();
}

}  // namespace weft::http
