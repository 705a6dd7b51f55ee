// SPDX-License-Identifier: Apache-2.0
// Accept-Encoding.
#include "weft/http/internal/accept_encoding.hpp"

namespace weft::rt {

namespace {

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// "0.5" in thousandths; -1 if it is no weight.
int weight_of(std::string_view text) noexcept {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return -1;
  int out = (text[0] - '0') * 1000;
  if (text.size() > 1 && text[1] != '.') return -1;
  int scale = 100;
  for (size_t i = 2; i < text.size(); ++i, scale /= 10) {
    if (text[i] < '0' || text[i] > '9') return -1;
    out += (text[i] - '0') * scale;
  }
  return out <= 1000 ? out : -1;
}

/// -1: not named.
struct weights {
  int gzip = -1;
  int zstd = -1;
  int identity = -1;
  int any = -1;
};

void read_element(std::string_view element, weights& out) {
  const size_t semicolon = element.find(';');
  const std::string_view name = trim(element.substr(0, semicolon));
  int weight = 1000;
  if (semicolon != std::string_view::npos) {
    const std::string_view parameter = trim(element.substr(semicolon + 1));
    if (parameter.size() < 2 || (parameter[0] | 0x20) != 'q' || parameter[1] != '=') return;
    weight = weight_of(parameter.substr(2));
    if (weight < 0) return;
  }
  if (http::equal_fold(name, "gzip") || http::equal_fold(name, "x-gzip"))
    out.gzip = weight;
  else if (http::equal_fold(name, "zstd"))
    out.zstd = weight;
  else if (http::equal_fold(name, "identity"))
    out.identity = weight;
  else if (name == "*")
    out.any = weight;
}

}  // namespace

coding choose_coding(const http::header& of, bool gzip, bool zstd) {
  weights w;
  bool any_field = false;
  for (const http::header::field f : of) {
    if (!http::equal_fold(f.name, "Accept-Encoding")) continue;
    any_field = true;
    std::string_view rest = f.value;
    while (!rest.empty()) {
      const size_t comma = std::min(rest.find(','), rest.size());
      read_element(rest.substr(0, comma), w);
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  if (!any_field) return coding::identity;
  const int for_gzip = !gzip ? 0 : w.gzip >= 0 ? w.gzip : std::max(w.any, 0);
  const int for_zstd = !zstd ? 0 : w.zstd >= 0 ? w.zstd : std::max(w.any, 0);
  // Not named it is acceptable, but anything that is named comes first.
  const int for_identity = w.identity >= 0 ? w.identity : 0;
  if (for_zstd > 0 && for_zstd >= for_gzip && for_zstd >= for_identity) return coding::zstd;
  if (for_gzip > 0 && for_gzip >= for_identity) return coding::gzip;
  return coding::identity;
}

}  // namespace weft::rt
