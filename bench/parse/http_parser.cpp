// SPDX-License-Identifier: Apache-2.0
#include <http_parser.h>

#include "rows.hpp"

namespace parse_bench {

void http_parser_rounds(int64_t rounds) {
  http_parser_settings settings;
  http_parser_settings_init(&settings);
  settings.on_url = on_target<http_parser>;
  settings.on_header_field = on_name<http_parser>;
  settings.on_header_value = on_value<http_parser>;
  fields all;
  for (int64_t i = 0; i < rounds; ++i) {
    all.count = 0;
    http_parser parser;
    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = &all;
    if (http_parser_execute(&parser, &settings, request.data(), request.size()) != request.size())
      std::abort();
    bench::keep(all);
  }
}

}  // namespace parse_bench
