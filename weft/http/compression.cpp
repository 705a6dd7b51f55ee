// SPDX-License-Identifier: Apache-2.0
// The middleware that compresses answers.
//
// A writer between handler and server keeps the head and the first bytes back until it is known
// whether to compress: when there are enough bytes, at a flush, or when the handler has returned.
// Encoders are dear to make (256 KiB for gzip, a megabyte for zstd), hence pools.
#include "weft/http/compression.hpp"

#include <memory>
#include <optional>
#include <utility>

#include "weft/http/internal/accept_encoding.hpp"
#include "weft/http/internal/codec.hpp"
#include "weft/http/internal/file_taker.hpp"
#include "weft/sync/pool.hpp"

namespace weft::http {

namespace {

using rt::coding;
using rt::encoder;

/// What all requests of one middleware share.
struct shared_encoders {
  explicit shared_encoders(compression_options o)
      : options(std::move(o)),
        gzip([level = options.gzip_level] { return rt::make_encoder(coding::gzip, level); }),
        zstd([level = options.zstd_level] { return rt::make_encoder(coding::zstd, level); }) {}
  compression_options options;
  pool<encoder> gzip;
  pool<encoder> zstd;
};

bool fits(std::string_view type, const std::vector<std::string>& types) {
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  for (const std::string_view one : types) {
    if (one.ends_with("/*")
            ? equal_fold(type.substr(0, one.size() - 1), one.substr(0, one.size() - 1))
            : equal_fold(type, one))
      return true;
  }
  return false;
}

class compressing_writer final : public response_writer, public rt::file_taker {
 public:
  compressing_writer(response_writer& to, const request& r, shared_encoders& with, coding best)
      : to_(to), with_(with), coding_(best), head_only_(r.method == "HEAD") {}

  header& headers() override { return to_.headers(); }
  header& trailers() override { return to_.trailers(); }
  int status() const noexcept override { return status_ != 0 ? status_ : to_.status(); }
  result<hijacked> hijack() override {
    state_ = state::through;
    return to_.hijack();
  }
  result<void> set_read_deadline(net::time_point when) override {
    return to_.set_read_deadline(when);
  }
  result<void> set_write_deadline(net::time_point when) override {
    return to_.set_write_deadline(when);
  }

  void write_head(int status) override {
    if (state_ != state::undecided || status_ != 0 || status < 200) {
      to_.write_head(status);
      return;
    }
    status_ = status;
    if (!worth_it()) pass_through();
  }

  result<size_t> write(std::string_view content) override {
    if (state_ == state::undecided && status_ == 0) write_head(200);
    if (state_ == state::undecided) {
      pending_.append(content);
      if (pending_.size() < with_.options.bytes_min) return content.size();
      begin();
      const std::string first = std::move(pending_);
      if (auto failed = encode(first, encoder::how::more); !failed) return fail(failed.error());
      return content.size();
    }
    if (state_ == state::through) return to_.write(content);
    if (auto failed = encode(content, encoder::how::more); !failed) return fail(failed.error());
    return content.size();
  }

  result<void> flush() override {
    if (state_ == state::undecided && status_ == 0) write_head(200);
    if (state_ == state::undecided) {
      begin();
      const std::string first = std::move(pending_);
      if (auto failed = encode(first, encoder::how::flush); !failed) return failed;
    } else if (state_ == state::encoding) {
      if (auto failed = encode({}, encoder::how::flush); !failed) return failed;
    }
    return to_.flush();
  }

  result<int64_t> write_file(int file, uint64_t offset, size_t bytes) override {
    auto* const direct = state_ == state::through ? dynamic_cast<rt::file_taker*>(&to_) : nullptr;
    return direct != nullptr ? direct->write_file(file, offset, bytes) : -1;
  }

  /// The handler has returned.
  void finish() {
    if (state_ == state::encoding) {
      (void)encode({}, encoder::how::finish);
      (*lease_)->reset();
      lease_.reset();
      return;
    }
    if (state_ == state::undecided && status_ != 0) {
      // A HEAD's answer has the fields that a GET's would have, as far as they are known.
      if (head_only_ && declared() >= with_.options.bytes_min) set_fields();
      pass_through();
    }
  }
  /// It has thrown: what is half encoded stays so, and the encoder is not used again.
  void abandon() {
    if (lease_) (void)lease_->keep();
  }

 private:
  enum class state : uint8_t { undecided, through, encoding };

  [[nodiscard]] uint64_t declared() {
    uint64_t out = 0;
    for (const char c : headers().get("Content-Length"))
      out = c >= '0' && c <= '9' && out < UINT64_MAX / 16
                ? out * 10 + static_cast<uint64_t>(c - '0')
                : 0;
    return out;
  }

  /// By what the head says; what it says is final now.
  [[nodiscard]] bool worth_it() {
    const header& h = headers();
    if (status_ == 204 || status_ == 206 || status_ == 304) return false;
    if (h.has("Content-Encoding") || h.has("Content-Range")) return false;
    if (h.has_token("Cache-Control", "no-transform")) return false;
    if (!fits(h.get("Content-Type"), with_.options.types)) return false;
    // From here on the answer depends on Accept-Encoding.
    if (!h.has_token("Vary", "Accept-Encoding") && !h.has_token("Vary", "*"))
      headers().add("Vary", "Accept-Encoding");
    if (coding_ == coding::identity) return false;
    return !h.has("Content-Length") || declared() >= with_.options.bytes_min;
  }

  void pass_through() {
    state_ = state::through;
    to_.write_head(status_);
    if (!pending_.empty()) (void)to_.write(pending_);
    pending_ = {};
  }

  void set_fields() {
    header& h = headers();
    h.set("Content-Encoding", rt::coding_name(coding_));
    h.erase("Content-Length");
    h.erase("Accept-Ranges");
    if (const std::string_view tag = h.get("Etag"); tag.starts_with('"'))
      h.set("Etag", "W/" + std::string(tag));
  }

  void begin() {
    set_fields();
    state_ = state::encoding;
    lease_.emplace(coding_ == coding::zstd ? with_.zstd.borrow() : with_.gzip.borrow());
    to_.write_head(status_);
  }

  result<void> encode(std::string_view content, encoder::how mode) {
    if (head_only_) return {};
    out_.clear();
    (*lease_)->push(content, mode, out_);
    if (out_.empty()) return {};
    if (auto put = to_.write(out_); !put) return fail(put.error());
    return {};
  }

  response_writer& to_;
  shared_encoders& with_;
  coding coding_;
  bool head_only_;
  state state_ = state::undecided;
  int status_ = 0;
  std::string pending_;
  std::string out_;
  std::optional<pool<encoder>::lease> lease_;
};

}  // namespace

middleware compression(compression_options options) {
  auto shared = std::make_shared<shared_encoders>(std::move(options));
  return [shared](handler inner) -> handler {
    return [shared, inner = std::move(inner)](response_writer& w, request& r) {
      const coding best = rt::choose_coding(r.headers, shared->options.gzip, shared->options.zstd);
      compressing_writer between(w, r, *shared, best);
      try {
        inner(between, r);
      } catch (...) {
        between.abandon();
        throw;
      }
      between.finish();
    };
  };
}

}  // namespace weft::http
