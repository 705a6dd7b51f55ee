// SPDX-License-Identifier: Apache-2.0
#include <llhttp.h>

#include "rows.hpp"

namespace parse_bench {

void llhttp_rounds(int64_t rounds) {
  llhttp_settings_t settings;
  llhttp_settings_init(&settings);
  settings.on_url = on_target<llhttp_t>;
  settings.on_header_field = on_name<llhttp_t>;
  settings.on_header_value = on_value<llhttp_t>;
  fields all;
  for (int64_t i = 0; i < rounds; ++i) {
    all.count = 0;
    llhttp_t parser;
    llhttp_init(&parser, HTTP_REQUEST, &settings);
    parser.data = &all;
    if (llhttp_execute(&parser, request.data(), request.size()) != HPE_OK) std::abort();
    bench::keep(all);
  }
}

}  // namespace parse_bench
