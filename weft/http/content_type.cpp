// SPDX-License-Identifier: Apache-2.0
// Types by extension: what a web site has in its folders (IANA's names).
#include <algorithm>
#include <array>
#include <iterator>

#include "weft/http/content.hpp"

namespace weft::http {

namespace {

struct type_row {
  std::string_view extension;
  std::string_view type;
};
// Sorted by extension.
constexpr type_row types[] = {
    {"7z", "application/x-7z-compressed"},
    {"aac", "audio/aac"},
    {"apng", "image/apng"},
    {"avif", "image/avif"},
    {"bmp", "image/bmp"},
    {"bz2", "application/x-bzip2"},
    {"css", "text/css; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"epub", "application/epub+zip"},
    {"flac", "audio/flac"},
    {"gif", "image/gif"},
    {"gz", "application/gzip"},
    {"htm", "text/html; charset=utf-8"},
    {"html", "text/html; charset=utf-8"},
    {"ico", "image/vnd.microsoft.icon"},
    {"ics", "text/calendar; charset=utf-8"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"jsonld", "application/ld+json"},
    {"m4a", "audio/mp4"},
    {"map", "application/json"},
    {"md", "text/markdown; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"mov", "video/quicktime"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"oga", "audio/ogg"},
    {"ogg", "audio/ogg"},
    {"ogv", "video/ogg"},
    {"opus", "audio/opus"},
    {"otf", "font/otf"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"svg", "image/svg+xml"},
    {"tar", "application/x-tar"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"ttf", "font/ttf"},
    {"txt", "text/plain; charset=utf-8"},
    {"wasm", "application/wasm"},
    {"wav", "audio/wav"},
    {"weba", "audio/webm"},
    {"webm", "video/webm"},
    {"webmanifest", "application/manifest+json"},
    {"webp", "image/webp"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"xhtml", "application/xhtml+xml"},
    {"xml", "text/xml; charset=utf-8"},
    {"yaml", "application/yaml"},
    {"yml", "application/yaml"},
    {"zip", "application/zip"},
    {"zst", "application/zstd"},
};
static_assert(std::ranges::is_sorted(types, {}, &type_row::extension));
inline constexpr size_t extension_bytes_max = 11;

}  // namespace

std::string_view content_type_of(std::string_view name) noexcept {
  constexpr std::string_view unknown = "application/octet-stream";
  const size_t dot = name.find_last_of("./");
  if (dot == std::string_view::npos || name[dot] != '.') return unknown;
  const std::string_view written = name.substr(dot + 1);
  if (written.size() > extension_bytes_max) return unknown;
  std::array<char, extension_bytes_max> lower{};
  std::ranges::transform(written, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  });
  const std::string_view extension(lower.data(), written.size());
  const auto* const found = std::ranges::lower_bound(types, extension, {}, &type_row::extension);
  return found != std::end(types) && found->extension == extension ? found->type : unknown;
}

}  // namespace weft::http
