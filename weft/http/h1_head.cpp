// SPDX-License-Identifier: Apache-2.0
#include "weft/http/internal/h1_head.hpp"

#include <algorithm>
#include <cstring>

#include "weft/base/byte_scan.hpp"

namespace weft::rt::h1 {

namespace {

/// Methods are short; RFC 9112 has 501 for one that is longer than any a server knows.
constexpr size_t method_bytes_max = 32;
/// A field keeps the length of its name in 16 bits; nothing near it is of use.
constexpr size_t name_bytes_max = 1024;

consteval std::array<bool, 256> make_token() {
  std::array<bool, 256> of{};
  for (unsigned b = 0; b < 256; ++b) of[b] = (scan::classes[b] & scan::in_name) != 0;
  for (const char c : std::string_view{"!#$%&'*+-.^_`|~"}) of[static_cast<uint8_t>(c)] = true;
  return of;
}
constexpr std::array<bool, 256> token = make_token();

bool in_token(char c) noexcept { return token[static_cast<uint8_t>(c)]; }
bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }

/// The first byte that cannot be in a token.
[[gnu::always_inline]] inline const char* token_end(const char* p, const char* end) noexcept {
  p = scan::first_not_name(p, end);
  while (p != end && in_token(*p)) p = scan::first_not_name(p + 1, end);
  return p;
}

/// The first byte that cannot be in a value or a reason: a control character but the tab.
[[gnu::always_inline]] inline const char* text_end(const char* p, const char* end) noexcept {
  p = scan::first_control(p, end);
  while (p != end && *p == '\t') p = scan::first_control(p + 1, end);
  return p;
}

method_id find_method(std::string_view text) noexcept {
  switch (text.size()) {
    case 3:
      if (text == "GET") return method_id::get;
      if (text == "PUT") return method_id::put;
      break;
    case 4:
      if (text == "POST") return method_id::post;
      if (text == "HEAD") return method_id::head;
      break;
    case 5:
      if (text == "PATCH") return method_id::patch;
      if (text == "TRACE") return method_id::trace;
      break;
    case 6:
      if (text == "DELETE") return method_id::del;
      break;
    case 7:
      if (text == "OPTIONS") return method_id::options;
      if (text == "CONNECT") return method_id::connect;
      break;
    default:
      break;
  }
  return method_id::other;
}

/// What is wrong with the byte that ended a line too early.
const char* bad_line_byte(char c) noexcept {
  switch (c) {
    case '\n':
      return "line feed without carriage return";
    case '\r':
      return "carriage return without line feed";
    case '\0':
      return "NUL byte in the head";
    default:
      return "control character in the head";
  }
}

constexpr const char* too_many_bytes = "head too long (limit: head_bytes_max)";
constexpr const char* target_too_long = "request target too long (limit: target_bytes_max)";

}  // namespace

void head::reset() noexcept {
  size_ = 0;
  line_ = 0;
  searched_ = 0;
  part_ = part::start_line;
  method_ = method_id::other;
  status_ = 0;
  why_ = {};
  counts_ = {};
}

verdict head::refuse(int status, const char* text) noexcept {
  why_ = {status, text};
  return verdict::error;
}
head::line head::refuse_line(int status, const char* text) noexcept {
  why_ = {status, text};
  return line::refused;
}

const field* head::find(header_id id) const noexcept {
  if (const auto n = static_cast<size_t>(id); n <= header_id_framing_max && id != header_id::other)
    return counts_[n] == 0 ? nullptr : fields_ + firsts_[n];
  const field* at = std::find_if(begin(), end(), [id](const field& f) { return f.id == id; });
  return at == end() ? nullptr : at;
}

/// The line is not whole. Says so, unless it already exceeds a limit.
verdict head::more(size_t bytes, const head_limits& limits) noexcept {
  if (bytes >= limits.head_bytes_max) return refuse(431, too_many_bytes);
  searched_ = static_cast<uint32_t>(bytes);
  return verdict::need_more;
}

/// If the end of a line that was not whole may have come.
bool head::line_arrived(const char* data, size_t bytes) noexcept {
  if (searched_ <= line_) return true;
  if (bytes <= searched_) return false;
  return std::memchr(data + searched_, '\n', bytes - searched_) != nullptr;
}

bool head::grow(const head_limits& limits) {
  if (size_ >= limits.fields_max) return false;
  if (size_ < capacity_) return true;
  const uint32_t capacity = capacity_ * 2;
  auto larger = std::make_unique<field[]>(capacity);
  std::copy(begin(), end(), larger.get());
  more_fields_ = std::move(larger);
  fields_ = more_fields_.get();
  capacity_ = capacity;
  return true;
}

template <bool Request>
verdict head::parse_message(const char* data, size_t bytes, const head_limits& limits) {
  data_ = data;
  const char* const end = data + std::min<size_t>(bytes, limits.head_bytes_max);
  if (part_ == part::start_line) {
    if (!line_arrived(data, bytes)) {
      if (Request && bytes > size_t{limits.target_bytes_max} + 2 * method_bytes_max)
        return refuse(414, target_too_long);
      return more(bytes, limits);
    }
    const line read = Request ? request_line(data, end, limits) : status_line(data, end);
    if (read == line::refused) return verdict::error;
    if (read == line::incomplete) return more(bytes, limits);
    part_ = part::fields;
    searched_ = 0;
  }
  if (!line_arrived(data, bytes)) return more(bytes, limits);
  return parse_fields(data, end, limits);
}

verdict head::parse_request(const char* data, size_t bytes, const head_limits& limits) {
  return parse_message<true>(data, bytes, limits);
}

verdict head::parse_response(const char* data, size_t bytes, const head_limits& limits) {
  return parse_message<false>(data, bytes, limits);
}

verdict head::parse_trailers(const char* data, size_t bytes, const head_limits& limits) {
  data_ = data;
  part_ = part::fields;
  if (!line_arrived(data, bytes)) return more(bytes, limits);
  return parse_fields(data, data + std::min<size_t>(bytes, limits.head_bytes_max), limits);
}

/// `GET /path HTTP/1.1`, with one space between.
head::line head::request_line(const char* data, const char* end, const head_limits& limits) {
  const char* p = data;
  if (p != end && *p == '\r') {
    if (end - p < 2) return line::incomplete;
    if (p[1] != '\n') return refuse_line(400, bad_line_byte('\r'));
    p += 2;
  }
  const char* const method_end = token_end(p, end);
  if (method_end - p > static_cast<ptrdiff_t>(method_bytes_max))
    return refuse_line(501, "method too long");
  if (method_end == end) return line::incomplete;
  if (*method_end != ' ' || method_end == p) return refuse_line(400, "malformed method");
  method_text_ = {static_cast<uint32_t>(p - data), static_cast<uint32_t>(method_end - p)};

  const char* const target = method_end + 1;
  const char* const target_end = scan::first_not_target(target, end);
  if (target_end - target > static_cast<ptrdiff_t>(limits.target_bytes_max))
    return refuse_line(414, target_too_long);
  if (target_end == end) return line::incomplete;
  if (target_end == target) return refuse_line(400, "no request target");
  if (*target_end == '\r' || *target_end == '\n') return refuse_line(400, "no HTTP version");
  if (*target_end != ' ') return refuse_line(400, "byte not allowed in a request target");
  target_ = {static_cast<uint32_t>(target - data), static_cast<uint32_t>(target_end - target)};

  const char* const version = target_end + 1;
  constexpr ptrdiff_t version_bytes = 8;
  const auto there = static_cast<size_t>(std::min<ptrdiff_t>(end - version, 5));
  if (std::memcmp(version, "HTTP/", there) != 0) return refuse_line(400, "malformed HTTP version");
  if (end - version < version_bytes + 2) return line::incomplete;
  if (std::memcmp(version, "HTTP/1.", 7) != 0 || (version[7] != '1' && version[7] != '0')) {
    const bool formed = is_digit(version[5]) && version[6] == '.' && is_digit(version[7]);
    return formed && version[8] == '\r' ? refuse_line(505, "HTTP version is not 1.0 or 1.1")
                                        : refuse_line(400, "malformed HTTP version");
  }
  if (version[8] != '\r' || version[9] != '\n') {
    return refuse_line(400, version[8] == '\n' || version[8] == '\r' ? bad_line_byte(version[8])
                                                                     : "malformed HTTP version");
  }
  minor_version_ = static_cast<uint8_t>(version[7] - '0');
  method_ = find_method(text(method_text_));
  line_ = static_cast<uint32_t>(version + version_bytes + 2 - data);
  return line::whole;
}

/// `HTTP/1.1 200 OK`. The reason may be missing, and the space before it: it means nothing.
head::line head::status_line(const char* data, const char* end) {
  const auto there = static_cast<size_t>(std::min<ptrdiff_t>(end - data, 7));
  if (std::memcmp(data, "HTTP/1.", there) != 0)
    return refuse_line(400, "malformed status line, or not HTTP/1");
  constexpr ptrdiff_t fixed_bytes = 12;  // HTTP/1.1 200
  if (end - data < fixed_bytes + 1) return line::incomplete;
  if ((data[7] != '0' && data[7] != '1') || data[8] != ' ')
    return refuse_line(400, "malformed HTTP version");
  if (data[9] < '1' || data[9] > '9' || !is_digit(data[10]) || !is_digit(data[11]))
    return refuse_line(400, "malformed status");
  const char* reason = data + fixed_bytes;
  if (*reason == ' ') {
    ++reason;
  } else if (*reason != '\r') {
    return refuse_line(400, "malformed status");
  }
  const char* const reason_end = text_end(reason, end);
  if (end - reason_end < 2) return line::incomplete;
  if (reason_end[0] != '\r' || reason_end[1] != '\n')
    return refuse_line(400, bad_line_byte(*reason_end));
  minor_version_ = static_cast<uint8_t>(data[7] - '0');
  status_ = static_cast<uint16_t>((data[9] - '0') * 100 + (data[10] - '0') * 10 + (data[11] - '0'));
  reason_ = {static_cast<uint32_t>(reason - data), static_cast<uint32_t>(reason_end - reason)};
  line_ = static_cast<uint32_t>(reason_end + 2 - data);
  return line::whole;
}

/// Lines of `name: value` up to an empty one.
verdict head::parse_fields(const char* data, const char* end, const head_limits& limits) {
  const char* p = data + line_;
  const auto incomplete = [&] {
    line_ = static_cast<uint32_t>(p - data);
    return more(static_cast<size_t>(end - data), limits);
  };
  for (;;) {
    const char* const name_end = token_end(p, end);
    if (name_end == end) return incomplete();
    if (*name_end != ':' || name_end == p) {
      if (name_end != p) {
        return refuse(400, is_blank(*name_end) ? "whitespace before the colon of a header field"
                                               : "byte not allowed in a header field's name");
      }
      if (*p == '\r') {
        if (end - p < 2) return incomplete();
        if (p[1] != '\n') return refuse(400, bad_line_byte('\r'));
        line_ = static_cast<uint32_t>(p + 2 - data);
        part_ = part::whole;
        return verdict::ok;
      }
      if (is_blank(*p))
        return refuse(400, size_ == 0 ? "whitespace before a header field" : "folded header line");
      if (*p == ':') return refuse(400, "header field without a name");
      return refuse(400,
                    *p == '\n' ? bad_line_byte('\n') : "byte not allowed in a header field's name");
    }
    if (name_end - p > static_cast<ptrdiff_t>(name_bytes_max))
      return refuse(431, "name of a header field is longer than 1024 bytes");

    const char* value = name_end + 1;
    while (value != end && is_blank(*value)) ++value;
    const char* line_end = text_end(value, end);
    if (end - line_end < 2) return incomplete();
    if (line_end[0] != '\r' || line_end[1] != '\n') return refuse(400, bad_line_byte(*line_end));
    if (size_ == capacity_ || size_ >= limits.fields_max) {
      if (!grow(limits)) return refuse(431, "too many header fields (limit: fields_max)");
    }
    const char* const next = line_end + 2;
    while (line_end != value && is_blank(line_end[-1])) --line_end;

    field& f = fields_[size_++];
    f.name_at = static_cast<uint32_t>(p - data);
    f.name_bytes = static_cast<uint16_t>(name_end - p);
    f.id = find_header_id(p, static_cast<size_t>(name_end - p));
    f.value = {static_cast<uint32_t>(value - data), static_cast<uint32_t>(line_end - value)};
    if (const auto n = static_cast<size_t>(f.id); n <= header_id_framing_max) {
      if (counts_[n]++ == 0) firsts_[n] = size_ - 1;
    }
    p = next;
  }
}

verdict match_h2_preface(const char* data, size_t bytes) noexcept {
  const size_t there = std::min(bytes, h2_preface.size());
  if (std::memcmp(data, h2_preface.data(), there) != 0) return verdict::error;
  return there == h2_preface.size() ? verdict::ok : verdict::need_more;
}

bool is_token(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), in_token);
}

}  // namespace weft::rt::h1
