// SPDX-License-Identifier: Apache-2.0
// zlib and libzstd.
#include "weft/http/internal/codec.hpp"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <limits>
#include <new>

#include "weft/http/header.hpp"

namespace weft::rt {

namespace {

// What is made room for at a time.
inline constexpr size_t room_bytes = size_t{16} << 10;
// RFC 9659: who decodes zstd in HTTP must support windows of 8 MiB and may refuse larger ones.
inline constexpr int zstd_window_log_max = 23;
inline constexpr int gzip_window_bits = 15 + 16;
inline constexpr int zlib_window_bits = 15;

class zlib_encoder final : public encoder {
 public:
  zlib_encoder(int window_bits, int level) {
    constexpr int memory_level = 8;  // zlib's default: 256 KiB in all
    if (::deflateInit2(&stream_, level, Z_DEFLATED, window_bits, memory_level,
                       Z_DEFAULT_STRATEGY) != Z_OK)
      throw std::bad_alloc();
  }
  ~zlib_encoder() override { ::deflateEnd(&stream_); }

  void push(std::string_view in, how mode, std::string& out) override {
    const int flush = mode == how::more ? Z_NO_FLUSH : mode == how::flush ? Z_SYNC_FLUSH : Z_FINISH;
    do {
      const size_t piece = std::min<size_t>(in.size(), std::numeric_limits<uInt>::max());
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
      stream_.avail_in = static_cast<uInt>(piece);
      in.remove_prefix(piece);
      const int here = in.empty() ? flush : Z_NO_FLUSH;
      do {
        const size_t used = out.size();
        out.resize(used + room_bytes);
        stream_.next_out = reinterpret_cast<Bytef*>(out.data() + used);
        stream_.avail_out = static_cast<uInt>(room_bytes);
        // Cannot fail: the stream is sound, and there is room.
        (void)::deflate(&stream_, here);
        out.resize(out.size() - stream_.avail_out);
      } while (stream_.avail_out == 0);
    } while (!in.empty());
  }
  void reset() noexcept override { ::deflateReset(&stream_); }

 private:
  z_stream stream_{};
};

class zlib_decoder final : public decoder {
 public:
  explicit zlib_decoder(int window_bits) {
    if (::inflateInit2(&stream_, window_bits) != Z_OK) throw std::bad_alloc();
  }
  ~zlib_decoder() override { ::inflateEnd(&stream_); }

  verdict pull(std::string_view& in, char* out, size_t room, size_t& made) override {
    constexpr size_t piece_max = std::numeric_limits<uInt>::max();
    const size_t given = std::min(in.size(), piece_max);
    const size_t wanted = std::min(room, piece_max);
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = static_cast<uInt>(given);
    stream_.next_out = reinterpret_cast<Bytef*>(out);
    stream_.avail_out = static_cast<uInt>(wanted);
    const int got = ::inflate(&stream_, Z_NO_FLUSH);
    in.remove_prefix(given - stream_.avail_in);
    made = wanted - stream_.avail_out;
    if (got == Z_STREAM_END) {
      ::inflateReset(&stream_);
      return verdict::end;
    }
    return got == Z_OK || got == Z_BUF_ERROR ? verdict::more : verdict::bad;
  }

 private:
  z_stream stream_{};
};

class zstd_encoder final : public encoder {
 public:
  explicit zstd_encoder(int level) : context_(::ZSTD_createCCtx()) {
    if (context_ == nullptr) throw std::bad_alloc();
    (void)::ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, level);
    (void)::ZSTD_CCtx_setParameter(context_, ZSTD_c_checksumFlag, 1);
  }
  ~zstd_encoder() override { ::ZSTD_freeCCtx(context_); }

  void push(std::string_view in, how mode, std::string& out) override {
    const ZSTD_EndDirective end = mode == how::more    ? ZSTD_e_continue
                                  : mode == how::flush ? ZSTD_e_flush
                                                       : ZSTD_e_end;
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    for (size_t left = 1; left != 0 || from.pos != from.size;) {
      const size_t used = out.size();
      out.resize(used + room_bytes);
      ZSTD_outBuffer to{out.data() + used, room_bytes, 0};
      left = ::ZSTD_compressStream2(context_, &to, &from, end);
      out.resize(used + to.pos);
      if (::ZSTD_isError(left) != 0) throw std::bad_alloc();  // nothing else can go wrong
      // Without an end it keeps what it likes.
      if (mode == how::more && from.pos == from.size) break;
    }
  }
  void reset() noexcept override { (void)::ZSTD_CCtx_reset(context_, ZSTD_reset_session_only); }

 private:
  ZSTD_CCtx* context_;
};

class zstd_decoder final : public decoder {
 public:
  zstd_decoder() : context_(::ZSTD_createDCtx()) {
    if (context_ == nullptr) throw std::bad_alloc();
    (void)::ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, zstd_window_log_max);
  }
  ~zstd_decoder() override { ::ZSTD_freeDCtx(context_); }

  verdict pull(std::string_view& in, char* out, size_t room, size_t& made) override {
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    ZSTD_outBuffer to{out, room, 0};
    const size_t left = ::ZSTD_decompressStream(context_, &to, &from);
    in.remove_prefix(from.pos);
    made = to.pos;
    if (::ZSTD_isError(left) != 0) return verdict::bad;
    return left == 0 ? verdict::end : verdict::more;
  }

 private:
  ZSTD_DCtx* context_;
};

}  // namespace

bool coding_of(std::string_view name, coding& out) noexcept {
  if (http::equal_fold(name, "gzip") || http::equal_fold(name, "x-gzip"))
    out = coding::gzip;
  else if (http::equal_fold(name, "zstd"))
    out = coding::zstd;
  else if (http::equal_fold(name, "deflate"))
    out = coding::deflate;
  else if (name.empty() || http::equal_fold(name, "identity"))
    out = coding::identity;
  else
    return false;
  return true;
}

std::string_view coding_name(coding c) noexcept {
  switch (c) {
    case coding::gzip:
      return "gzip";
    case coding::deflate:
      return "deflate";
    case coding::zstd:
      return "zstd";
    case coding::identity:
      break;
  }
  return "identity";
}

std::unique_ptr<encoder> make_encoder(coding c, int level) {
  if (c == coding::zstd) return std::make_unique<zstd_encoder>(level);
  return std::make_unique<zlib_encoder>(c == coding::gzip ? gzip_window_bits : zlib_window_bits,
                                        level);
}

std::unique_ptr<decoder> make_decoder(coding c) {
  if (c == coding::zstd) return std::make_unique<zstd_decoder>();
  return std::make_unique<zlib_decoder>(c == coding::gzip ? gzip_window_bits : zlib_window_bits);
}

}  // namespace weft::rt
