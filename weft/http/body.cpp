// SPDX-License-Identifier: Apache-2.0
// Bodies of texts, and reading to the end.
#include "weft/http/body.hpp"

#include <algorithm>
#include <cstring>

namespace weft::http {

const error body_too_large("http: body too large");

namespace {

class text_source final : public body_source {
 public:
  explicit text_source(std::shared_ptr<const std::string> text) noexcept : text_(std::move(text)) {}
  result<size_t> read(std::span<char> to) override {
    const size_t count = std::min(to.size(), text_->size() - at_);
    if (count > 0) std::memcpy(to.data(), text_->data() + at_, count);
    at_ += count;
    return count;
  }
  int64_t length() const noexcept override { return static_cast<int64_t>(text_->size()); }
  std::string_view at_hand() const noexcept override {
    return std::string_view(*text_).substr(at_);
  }
  std::unique_ptr<body_source> again() const override {
    return std::make_unique<text_source>(text_);
  }

 private:
  std::shared_ptr<const std::string> text_;
  size_t at_ = 0;
};

}  // namespace

body::body(std::string text) {
  if (!text.empty())
    from_ = std::make_unique<text_source>(std::make_shared<const std::string>(std::move(text)));
}

result<size_t> body::read(std::span<char> to) {
  if (!from_) return size_t{0};
  return from_->read(to);
}

result<std::string> body::read_all(size_t limit_bytes) {
  std::string all;
  if (!from_) return all;
  const int64_t announced = from_->length();
  constexpr size_t first = 4096;
  size_t room = first;
  if (announced >= 0) room = std::min(static_cast<size_t>(announced), limit_bytes) + 1;
  for (size_t used = 0;;) {
    if (all.size() == used) all.resize(used == 0 ? room : 2 * used);
    const result<size_t> got = from_->read({all.data() + used, all.size() - used});
    if (!got) return fail(got.error());
    if (*got == 0) {
      all.resize(used);
      return all;
    }
    used += *got;
    if (used > limit_bytes)
      return fail(
          error::wrap("more than " + std::to_string(limit_bytes) + " bytes (read_all's limit)",
                      body_too_large));
  }
}

}  // namespace weft::http
