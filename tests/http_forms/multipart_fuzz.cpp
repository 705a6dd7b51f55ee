// SPDX-License-Identifier: Apache-2.0
// Fuzz target of the multipart parser: however a body is cut, the same parts come out, and nothing
// that was not in it. And of what else reads fields of headers: what it understood and writes again
// is understood alike. With libFuzzer (WEFT_FUZZ), or from multipart_test.cpp.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "weft/http/cookie.hpp"
#include "weft/http/form.hpp"
#include "weft/http/internal/conditions.hpp"
#include "weft/http/media_type.hpp"
#include "weft/http/multipart.hpp"

namespace {

using namespace weft;

void must(bool holds) {
  if (!holds) std::abort();
}

class pieces final : public http::body_source {
 public:
  pieces(std::string_view text, size_t step) : text_(text), step_(step) {}
  result<size_t> read(std::span<char> to) override {
    const size_t count = std::min({to.size(), step_, text_.size()});
    std::memcpy(to.data(), text_.data(), count);
    text_.remove_prefix(count);
    return count;
  }

 private:
  std::string_view text_;
  size_t step_;
};

/// All parts in one text, or the error's kind.
std::string parse(std::string_view text, size_t step, size_t read_bytes) {
  http::multipart_limits limits;
  limits.parts_max = 100;
  limits.part_bytes_max = 1 << 20;
  http::multipart_reader parts(http::body(std::make_unique<pieces>(text, step)), "b0", limits);
  std::string out;
  std::string piece(read_bytes, '\0');
  for (;;) {
    const auto part = parts.next();
    if (!part) {
      must(parts.next().error() == part.error());  // an error stays
      return out + (part.error().is(http::bad_form) ? "!bad" : "!large");
    }
    if (*part == nullptr) return out + "!end";
    must(!(*part)->filename().contains('/') && !(*part)->filename().contains('\\'));
    out.append("[").append((*part)->name()).append("|").append((*part)->filename()).append("]");
    for (;;) {
      const auto got = (*part)->read(piece);
      if (!got) return out + (got.error().is(http::bad_form) ? "!bad" : "!large");
      if (*got == 0) break;
      out.append(piece, 0, *got);
      must(text.contains(std::string_view(piece).substr(0, *got)));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string whole = parse(text, SIZE_MAX, 4096);
  must(whole.size() <= 2 * text.size() + 400);
  for (const size_t step : {size_t{1}, size_t{3}, size_t{17}})
    must(parse(text, step, 5 * step) == whole);
  (void)http::media_type::parse(text);
  if (const auto values = http::parse_form(text)) {
    const auto again = http::parse_form(values->encode());
    must(again && again->pairs() == values->pairs());
  }
  if (const auto read = http::cookie::parse_set_cookie(text)) {
    if (const auto written = read->set_cookie()) {
      const auto again = http::cookie::parse_set_cookie(*written);
      must(again && again->name == read->name && again->value == read->value);
    }
  }
  std::vector<rt::byte_range> ranges;
  if (rt::parse_ranges(text, 1000, ranges) == rt::range_verdict::parts)
    for (const rt::byte_range& r : ranges) must(r.bytes > 0 && r.begin + r.bytes <= 1000);
  return 0;
}
