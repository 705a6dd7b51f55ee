// SPDX-License-Identifier: Apache-2.0
// Fuzz target of the profile reader: any bytes. What is read is used: as a graph, a table and
// pages. With libFuzzer (WEFT_FUZZ), or from fuzz_main.cpp.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "flame_graph.hpp"
#include "flame_page.hpp"
#include "profile.hpp"
#include "top_table.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weft_command;
  const weft::result<profile> got = parse_profile({reinterpret_cast<const char*>(data), size});
  if (!got) {
    if (got.error().message().empty()) std::abort();
    return 0;
  }
  for (size_t type = 0; type < got->sample_types.size() && type < 3; ++type) {
    const weft::result<flame_graph> graph = make_flame_graph(*got, type, &*got);
    const weft::result<top_table> table = make_top_table(*got, type, nullptr);
    // Only a type whose name stands twice may have another one found beside it.
    if (!graph || !table) std::abort();
    for (const flame_frame& f : graph->frames)
      if (f.depth == 0 || f.function >= graph->functions.size()) std::abort();
    if (top_text(*table, *got, 10).empty()) std::abort();
    if (size < 4096 && (flame_html(*graph, {}).empty() || flame_svg(*graph, {}).empty()))
      std::abort();
  }
  return 0;
}
