// SPDX-License-Identifier: Apache-2.0
// Bodies that come compressed.
#include <algorithm>
#include <memory>
#include <utility>

#include "weft/http/compression.hpp"
#include "weft/http/internal/codec.hpp"
#include "weft/net/errors.hpp"

namespace weft::http {

namespace {

using rt::coding;
using rt::decoder;

class decoded_source final : public body_source {
 public:
  decoded_source(std::unique_ptr<body_source> from, coding c, uint64_t bytes_max)
      : from_(std::move(from)), coding_(c), decoder_(rt::make_decoder(c)), bytes_max_(bytes_max) {}

  result<size_t> read(std::span<char> to) override {
    if (to.empty()) return size_t{0};
    for (;;) {
      if (input_.empty() && !input_ended_) {
        if (auto more = fill(); !more) return fail(more.error());
      }
      if (input_.empty() && input_ended_) {
        // Between members is the end; no member at all is none.
        if (between_ && any_) return size_t{0};
        return fail(error::wrap("http: decoding " + std::string(rt::coding_name(coding_)),
                                net::unexpected_eof));
      }
      between_ = false;
      any_ = true;
      // One byte beyond the limit is asked for, to see whether there is one.
      const size_t room = static_cast<size_t>(std::min<uint64_t>(
          to.size(), bytes_max_ - made_ == UINT64_MAX ? UINT64_MAX : bytes_max_ - made_ + 1));
      size_t made = 0;
      const decoder::verdict verdict = decoder_->pull(input_, to.data(), room, made);
      if (verdict == decoder::verdict::bad)
        return fail(error("http: the body is not valid " + std::string(rt::coding_name(coding_))));
      between_ = verdict == decoder::verdict::end;
      made_ += made;
      if (made_ > bytes_max_)
        return fail(error::wrap("more than " + std::to_string(bytes_max_) + " bytes decoded",
                                body_too_large));
      if (made > 0) return made;
    }
  }
  const header* trailers() const noexcept override { return from_->trailers(); }
  std::unique_ptr<body_source> again() const override {
    auto first = from_->again();
    if (first == nullptr) return nullptr;
    return std::make_unique<decoded_source>(std::move(first), coding_, bytes_max_);
  }

 private:
  result<void> fill() {
    constexpr size_t buffer_bytes = size_t{16} << 10;
    if (buffer_ == nullptr) buffer_ = std::make_unique<char[]>(buffer_bytes);
    const result<size_t> got = from_->read({buffer_.get(), buffer_bytes});
    if (!got) return fail(got.error());
    input_ = {buffer_.get(), *got};
    input_ended_ = *got == 0;
    return {};
  }

  std::unique_ptr<body_source> from_;
  coding coding_;
  std::unique_ptr<decoder> decoder_;
  uint64_t bytes_max_;
  uint64_t made_ = 0;
  std::unique_ptr<char[]> buffer_;
  std::string_view input_;
  bool input_ended_ = false;
  bool between_ = true;
  bool any_ = false;
};

}  // namespace

result<body> decode_body(body content, std::string_view content_encoding, uint64_t bytes_max) {
  coding c = coding::identity;
  if (!rt::coding_of(content_encoding, c))
    return fail(
        error("http: content encoding \"" + std::string(content_encoding) + "\" is not supported"));
  if (c == coding::identity || content.source() == nullptr) return content;
  return body(std::make_unique<decoded_source>(content.release(), c, bytes_max));
}

middleware decompression(uint64_t bytes_max) {
  return [bytes_max](handler inner) -> handler {
    return [bytes_max, inner = std::move(inner)](response_writer& w, request& r) {
      const std::vector<std::string_view> encodings = r.headers.values("Content-Encoding");
      if (encodings.empty()) {
        inner(w, r);
        return;
      }
      const std::string_view one = encodings.size() == 1 ? encodings.front() : "more than one";
      result<body> decoded = decode_body(std::move(r.body), one, bytes_max);
      if (!decoded) {
        w.headers().set("Accept-Encoding", "gzip, zstd");
        reply_error(w, 415, "415 unsupported content encoding");
        return;
      }
      r.body = std::move(*decoded);
      r.headers.erase("Content-Encoding");
      inner(w, r);
    };
  };
}

}  // namespace weft::http
