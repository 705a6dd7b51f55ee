// SPDX-License-Identifier: Apache-2.0
// zlib's inflate over a whole file.
#include "gunzip.hpp"

#include <zlib.h>

#include <algorithm>
#include <memory>

namespace weft_command {

bool is_gzip(std::string_view bytes) noexcept { return bytes.starts_with("\x1f\x8b"); }

weft::result<std::string> gunzip(std::string_view bytes, size_t bytes_max) {
  z_stream stream{};
  if (::inflateInit2(&stream, 15 + 16) != Z_OK) return weft::fail(weft::error("gzip: no memory"));
  const auto end = [](z_stream* s) { (void)::inflateEnd(s); };
  const std::unique_ptr<z_stream, decltype(end)> ended(&stream, end);
  std::string out;
  // Profiles shrink to about a quarter.
  size_t room = std::min(bytes_max, std::max<size_t>(bytes.size() * 4, 4096));
  size_t used = 0;
  while (true) {
    // zlib counts in 32 bits.
    const auto in_now = static_cast<uInt>(std::min<size_t>(bytes.size(), size_t{1} << 30));
    out.resize(std::min(used + room, bytes_max + 1));
    const auto out_now = static_cast<uInt>(std::min<size_t>(out.size() - used, size_t{1} << 30));
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = in_now;
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + used);
    stream.avail_out = out_now;
    const int verdict = ::inflate(&stream, Z_NO_FLUSH);
    bytes.remove_prefix(in_now - stream.avail_in);
    used += out_now - stream.avail_out;
    if (used > bytes_max)
      return weft::fail(
          weft::error("gzip: holds more than " + std::to_string(bytes_max) + " bytes"));
    if (verdict == Z_STREAM_END) {
      if (bytes.empty()) break;
      if (!is_gzip(bytes)) return weft::fail(weft::error("gzip: something follows its end"));
      (void)::inflateReset(&stream);
    } else if (verdict == Z_BUF_ERROR ||
               (verdict == Z_OK && bytes.empty() && stream.avail_out != 0)) {
      if (bytes.empty() && stream.avail_out != 0)
        return weft::fail(weft::error("gzip: the file ends in the middle"));
    } else if (verdict != Z_OK) {
      return weft::fail(weft::error(std::string("gzip: damaged: ") +
                                    (stream.msg == nullptr ? "no reason given" : stream.msg)));
    }
    room = std::max(room, used);
  }
  out.resize(used);
  return out;
}

}  // namespace weft_command
