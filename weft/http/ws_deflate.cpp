// SPDX-License-Identifier: Apache-2.0
// zlib without its heads.
#include "weft/http/internal/ws_deflate.hpp"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <new>

#include "weft/sync/pool.hpp"

namespace weft::rt {

namespace {

inline constexpr int raw_window_bits = -15;
inline constexpr size_t room_bytes = size_t{16} << 10;
inline constexpr std::string_view left_out("\x00\x00\xff\xff", 4);

struct deflater {
  z_stream stream{};
  deflater() {
    if (::deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, raw_window_bits, 8,
                       Z_DEFAULT_STRATEGY) != Z_OK)
      throw std::bad_alloc();
  }
  deflater(const deflater&) = delete;
  deflater& operator=(const deflater&) = delete;
  ~deflater() { ::deflateEnd(&stream); }
};

struct inflater {
  z_stream stream{};
  inflater() {
    if (::inflateInit2(&stream, raw_window_bits) != Z_OK) throw std::bad_alloc();
  }
  inflater(const inflater&) = delete;
  inflater& operator=(const inflater&) = delete;
  ~inflater() { ::inflateEnd(&stream); }
};

pool<deflater>& deflaters() {
  static pool<deflater> all([] { return std::make_unique<deflater>(); });
  return all;
}
pool<inflater>& inflaters() {
  static pool<inflater> all([] { return std::make_unique<inflater>(); });
  return all;
}

/// The next piece of input for zlib, whose sizes are 32 bits.
void give(z_stream& to, std::string_view& from) {
  const size_t piece = std::min<size_t>(from.size(), std::numeric_limits<uInt>::max());
  to.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(from.data()));
  to.avail_in = static_cast<uInt>(piece);
  from.remove_prefix(piece);
}

}  // namespace

void ws_deflate(std::string_view message, std::string& out) {
  auto coder = deflaters().borrow();
  z_stream& stream = coder->stream;
  do {
    give(stream, message);
    const int mode = message.empty() ? Z_SYNC_FLUSH : Z_NO_FLUSH;
    do {
      const size_t used = out.size();
      out.resize(used + room_bytes);
      stream.next_out = reinterpret_cast<Bytef*>(out.data() + used);
      stream.avail_out = static_cast<uInt>(room_bytes);
      (void)::deflate(&stream, mode);  // cannot fail: the stream is sound, and there is room
      out.resize(out.size() - stream.avail_out);
    } while (stream.avail_out == 0);
  } while (!message.empty());
  if (out.ends_with(left_out)) out.resize(out.size() - left_out.size());
  ::deflateReset(&stream);
}

ws_inflate_result ws_inflate(std::string_view compressed, size_t bytes_max, std::string& out) {
  auto coder = inflaters().borrow();
  z_stream& stream = coder->stream;
  ::inflateReset(&stream);
  out.clear();
  for (std::string_view rest : {compressed, left_out}) {
    do {
      give(stream, rest);
      do {
        const size_t used = out.size();
        const size_t room = std::min(room_bytes, bytes_max - used + 1);
        out.resize(used + room);
        stream.next_out = reinterpret_cast<Bytef*>(out.data() + used);
        stream.avail_out = static_cast<uInt>(room);
        const int got = ::inflate(&stream, Z_SYNC_FLUSH);
        out.resize(used + room - stream.avail_out);
        if (out.size() > bytes_max) return ws_inflate_result::too_large;
        // A final block ends zlib's stream, not the message (RFC 7692 7.2.3.4).
        if (got == Z_STREAM_END) {
          ::inflateReset(&stream);
          if (stream.avail_in == 0) break;
          continue;
        }
        if (got != Z_OK && got != Z_BUF_ERROR) return ws_inflate_result::bad;
      } while (stream.avail_out == 0 || stream.avail_in != 0);
    } while (!rest.empty());
  }
  return ws_inflate_result::good;
}

}  // namespace weft::rt
