// SPDX-License-Identifier: Apache-2.0
// Fuzz target of the trace reader and its conversion: any bytes, into both forms. With libFuzzer
// (WEFT_FUZZ), or from fuzz_main.cpp.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "timeline.hpp"
#include "trace_timeline.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weft_command;
  const std::string_view file(reinterpret_cast<const char*>(data), size);
  for (const auto make : {&chrome_timeline, &perfetto_timeline}) {
    const std::unique_ptr<timeline> to = make();
    const weft::result<trace_summary> done = convert_trace(file, *to, nullptr);
    if (!done && done.error().message().empty()) std::abort();
    if (done && to->finish().empty()) std::abort();
  }
  return 0;
}
