// SPDX-License-Identifier: Apache-2.0
// The streaming parser.
//
// The body is read into a buffer in which the delimiter (CRLF, "--", boundary) is searched. What
// lies before a place where a delimiter may have begun is content and is handed out; the buffer
// never has to hold more than a part's head or a delimiter with two bytes behind it.
#include "weft/http/multipart.hpp"

#include <algorithm>
#include <cstring>

#include "weft/http/media_type.hpp"
#include "weft/net/errors.hpp"

namespace weft::http {

const error bad_form("http: bad form");
const error not_a_form("http: not a form");

}  // namespace weft::http

namespace weft::rt {

namespace {

using http::bad_form;
using http::body_too_large;
using http::is_token;
using http::media_type;

inline constexpr size_t buffer_bytes = size_t{16} << 10;
// RFC 2046 5.1.1.
inline constexpr size_t boundary_bytes_max = 70;
// Nobody sends text before the first boundary; who sends megabytes wants our time.
inline constexpr size_t preamble_bytes_max = 4096;

std::unexpected<error> malformed(const std::string& why) {
  return fail(error::wrap(why, bad_form));
}

std::unexpected<error> beyond(const std::string& limit, uint64_t value) {
  return fail(error::wrap(limit + " is " + std::to_string(value), body_too_large));
}

bool is_boundary(std::string_view text) {
  if (text.empty() || text.size() > boundary_bytes_max || text.back() == ' ') return false;
  return std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("'()+_,-./:=? ").contains(c);
  });
}

std::string_view last_name(std::string_view path) {
  const size_t slash = path.find_last_of("/\\");
  if (slash != std::string_view::npos) path.remove_prefix(slash + 1);
  return path == "." || path == ".." ? std::string_view() : path;
}

}  // namespace

class multipart_parser {
 public:
  multipart_parser(http::body from, std::string_view boundary, http::multipart_limits limits)
      : from_(std::move(from)), delimiter_("\r\n--"), limits_(limits), part_(*this) {
    delimiter_.append(boundary);
    // The first boundary has no line before it.
    buffer_ = "\r\n";
  }

  result<http::multipart_part*> next();
  result<size_t> read(std::span<char> to);

 private:
  [[nodiscard]] std::string_view ahead() const noexcept {
    return std::string_view(buffer_).substr(begin_);
  }
  /// More bytes behind those there are; false at the body's end.
  result<bool> fill();
  /// The line end behind a part's head may be the one that begins a delimiter: an empty part.
  result<void> leave_head();
  /// Content up to the delimiter, at most to.size(). 0: the delimiter is next.
  result<size_t> content(std::span<char> to);
  result<bool> pass_delimiter();
  result<bool> next_head();
  result<void> read_head();
  result<void> parse_field(std::string_view line);
  result<void> examine_part();
  result<void> skip(uint64_t bytes_max, const char* what);

  http::body from_;
  std::string delimiter_;
  http::multipart_limits limits_;
  http::multipart_part part_;
  std::string buffer_;
  size_t begin_ = 0;
  size_t clear_ = 0;          // bytes ahead that are content for sure
  bool ended_ = false;        // of the body
  bool last_seen_ = false;    // the closing delimiter
  bool behind_head_ = false;  // the head's last line end is still ahead
  bool at_delimiter_ = false;
  size_t parts_ = 0;
  uint64_t part_bytes_ = 0;
  error broken_;  // an error stays
};

result<bool> multipart_parser::fill() {
  if (ended_) return false;
  if (begin_ > 0) {
    buffer_.erase(0, begin_);
    begin_ = 0;
  }
  const size_t used = buffer_.size();
  buffer_.resize(used + buffer_bytes);
  const result<size_t> got = from_.read({buffer_.data() + used, buffer_bytes});
  buffer_.resize(used + got.value_or(0));
  if (!got) return fail(got.error());
  ended_ = *got == 0;
  return !ended_;
}

result<void> multipart_parser::leave_head() {
  while (ahead().size() < delimiter_.size()) {
    const result<bool> more = fill();
    if (!more) return fail(more.error());
    if (!*more) break;
  }
  behind_head_ = false;
  if (ahead().starts_with(delimiter_))
    at_delimiter_ = true;
  else
    begin_ += 2;
  return {};
}

result<size_t> multipart_parser::content(std::span<char> to) {
  if (behind_head_)
    if (auto left = leave_head(); !left) return fail(left.error());
  if (at_delimiter_ || to.empty()) return size_t{0};
  while (clear_ == 0) {
    const std::string_view have = ahead();
    const size_t found = have.find(delimiter_);
    clear_ = found;
    if (found == std::string_view::npos) {
      // A delimiter may have begun in the last bytes.
      clear_ = have.size() - std::min(have.size(), delimiter_.size() - 1);
      while (clear_ < have.size() && !std::string_view(delimiter_).starts_with(have.substr(clear_)))
        ++clear_;
    }
    if (clear_ > 0) break;
    if (found == 0) {
      at_delimiter_ = true;
      return size_t{0};
    }
    const result<bool> more = fill();
    if (!more) return fail(more.error());
    if (!*more) return malformed("it ends in the middle of a part");
  }
  const size_t count = std::min(clear_, to.size());
  std::memcpy(to.data(), ahead().data(), count);
  begin_ += count;
  clear_ -= count;
  return count;
}

/// Behind a delimiter. True: another part follows.
result<bool> multipart_parser::pass_delimiter() {
  while (ahead().size() < delimiter_.size() + 2) {
    const result<bool> more = fill();
    if (!more) return fail(more.error());
    if (!*more) return malformed("it ends in a boundary");
  }
  begin_ += delimiter_.size();
  at_delimiter_ = false;
  const std::string_view next = ahead().substr(0, 2);
  if (next == "--") {
    last_seen_ = true;
    return false;
  }
  if (next != "\r\n") return malformed("a boundary is not followed by a line end");
  begin_ += 2;
  return true;
}

result<void> multipart_parser::parse_field(std::string_view line) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon)))
    return malformed("a line of a part's head is no field");
  for (const char c : line)
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F)
      return malformed("a control character in a part's head");
  if (part_.headers_.size() == limits_.header_fields_max)
    return beyond("multipart_limits::header_fields_max", limits_.header_fields_max);
  part_.headers_.add(line.substr(0, colon), line.substr(colon + 1));
  return {};
}

result<void> multipart_parser::read_head() {
  part_.headers_.clear();
  size_t bytes = 0;
  for (;;) {
    const size_t end = ahead().find("\r\n");
    if (bytes + std::min(end, ahead().size()) > limits_.header_bytes_max)
      return beyond("multipart_limits::header_bytes_max", limits_.header_bytes_max);
    if (end == std::string_view::npos) {
      const result<bool> more = fill();
      if (!more) return fail(more.error());
      if (!*more) return malformed("it ends in a part's head");
      continue;
    }
    const std::string_view line = ahead().substr(0, end);
    if (!line.empty())
      if (auto good = parse_field(line); !good) return good;
    begin_ += end + 2;
    bytes += end + 2;
    if (line.empty()) {
      begin_ -= 2;
      behind_head_ = true;
      return {};
    }
  }
}

result<void> multipart_parser::examine_part() {
  const std::vector<std::string_view> all = part_.headers_.values("Content-Disposition");
  if (all.size() != 1) return malformed("a part without one Content-Disposition");
  const result<media_type> parsed = media_type::parse(all.front());
  if (!parsed || parsed->type != "form-data" || !parsed->find("name"))
    return malformed("a part whose Content-Disposition is not form-data with a name");
  if (part_.headers_.has("Content-Transfer-Encoding") &&
      !http::equal_fold(part_.headers_.get("Content-Transfer-Encoding"), "binary") &&
      !http::equal_fold(part_.headers_.get("Content-Transfer-Encoding"), "8bit") &&
      !http::equal_fold(part_.headers_.get("Content-Transfer-Encoding"), "7bit"))
    return malformed("a part with a Content-Transfer-Encoding (RFC 7578 4.7)");
  part_.name_ = parsed->parameter("name");
  part_.has_filename_ = parsed->find("filename").has_value();
  part_.filename_ = last_name(parsed->parameter("filename"));
  return {};
}

result<void> multipart_parser::skip(uint64_t bytes_max, const char* what) {
  char piece[4096];
  uint64_t skipped = 0;
  for (;;) {
    const result<size_t> got = content(piece);
    if (!got) return fail(got.error());
    if (*got == 0) return {};
    skipped += *got;
    if (skipped > bytes_max) return beyond(what, bytes_max);
  }
}

result<bool> multipart_parser::next_head() {
  const bool preamble = parts_ == 0;
  const uint64_t left =
      limits_.part_bytes_max == 0 ? UINT64_MAX : limits_.part_bytes_max - part_bytes_;
  const result<void> skipped =
      preamble ? skip(preamble_bytes_max, "the limit of bytes before the first boundary")
               : skip(left, "multipart_limits::part_bytes_max, less what was read,");
  if (!skipped) return fail(skipped.error());
  const result<bool> another = pass_delimiter();
  if (!another || !*another) return another;
  if (parts_ == limits_.parts_max) return beyond("multipart_limits::parts_max", limits_.parts_max);
  ++parts_;
  part_bytes_ = 0;
  if (auto head = read_head(); !head) return fail(head.error());
  if (auto good = examine_part(); !good) return fail(good.error());
  return true;
}

result<http::multipart_part*> multipart_parser::next() {
  if (broken_) return fail(broken_);
  if (last_seen_) return nullptr;
  const result<bool> another = next_head();
  if (another) return *another ? &part_ : nullptr;
  broken_ = another.error();
  return fail(broken_);
}

result<size_t> multipart_parser::read(std::span<char> to) {
  if (broken_) return fail(broken_);
  result<size_t> got = content(to);
  if (got) {
    part_bytes_ += *got;
    if (limits_.part_bytes_max == 0 || part_bytes_ <= limits_.part_bytes_max) return got;
    got = beyond("multipart_limits::part_bytes_max", limits_.part_bytes_max);
  }
  broken_ = got.error();
  return got;
}

}  // namespace weft::rt

namespace weft::http {

result<multipart_reader> multipart_reader::of(request& r, multipart_limits limits) {
  const result<media_type> type = media_type::parse(r.headers.get("Content-Type"));
  if (!type || type->type != "multipart/form-data") return fail(not_a_form);
  const std::string_view boundary = type->parameter("boundary");
  if (!rt::is_boundary(boundary)) return rt::malformed("its boundary is missing, or cannot be one");
  return multipart_reader(std::move(r.body), boundary, limits);
}

multipart_reader::multipart_reader(body from, std::string_view boundary, multipart_limits limits)
    : parser_(std::make_unique<rt::multipart_parser>(std::move(from), boundary, limits)) {}
multipart_reader::multipart_reader(multipart_reader&& other) noexcept = default;
multipart_reader& multipart_reader::operator=(multipart_reader&&) noexcept = default;
multipart_reader::~multipart_reader() = default;

result<multipart_part*> multipart_reader::next() { return parser_->next(); }

result<size_t> multipart_part::read(std::span<char> to) { return of_->read(to); }

result<std::string> multipart_part::read_all(size_t limit_bytes) {
  std::string out;
  char piece[4096];
  for (;;) {
    const result<size_t> got = read(piece);
    if (!got) return fail(got.error());
    if (*got == 0) return out;
    if (out.size() + *got > limit_bytes)
      return rt::beyond("the limit of a part's bytes", limit_bytes);
    out.append(piece, *got);
  }
}

}  // namespace weft::http
