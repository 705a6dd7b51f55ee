// SPDX-License-Identifier: Apache-2.0
// What the parsers read, and what is kept of it: as much as a caller would have.
#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "bench/common/measure.hpp"

namespace parse_bench {

inline constexpr std::string_view request =
    "GET /wiki/Main_Page/index.html?lang=en HTTP/1.1\r\n"
    "Host: www.example.org\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    "Accept-Language: en-US,en;q=0.5\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Referer: https://www.example.org/wiki/Main_Pages\r\n"
    "Connection: keep-alive\r\n"
    "Cookie: session=8f14e45fceea167a5a36dedd4bea2543; theme=dark\r\n"
    "Upgrade-Insecure-Requests: 1\r\n"
    "Cache-Control: max-age=0\r\n"
    "\r\n";
static_assert(request.size() == 492);

struct span {
  const char* at = nullptr;
  size_t bytes = 0;
};

struct fields {
  span target;
  std::array<span, 32> names;
  std::array<span, 32> values;
  size_t count = 0;
};

template <class Parser>
int on_target(Parser* p, const char* at, size_t bytes) {
  static_cast<fields*>(p->data)->target = {at, bytes};
  return 0;
}
template <class Parser>
int on_name(Parser* p, const char* at, size_t bytes) {
  auto& all = *static_cast<fields*>(p->data);
  all.names[all.count] = {at, bytes};
  return 0;
}
template <class Parser>
int on_value(Parser* p, const char* at, size_t bytes) {
  auto& all = *static_cast<fields*>(p->data);
  all.values[all.count++] = {at, bytes};
  return 0;
}

// One each, since the headers of the two have the same names for different things.
void http_parser_rounds(int64_t rounds);
void llhttp_rounds(int64_t rounds);

}  // namespace parse_bench
