// SPDX-License-Identifier: Apache-2.0
// Names nothing of weft::debughttp, and has its door: prints whether WEFT_DEBUG_ADDR's socket is
// there.
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <weft/sched/run.hpp>

int main() {
  return weft::run([] {
    std::string_view where = std::getenv("WEFT_DEBUG_ADDR");
    where.remove_prefix(std::string_view("unix:").size());
    struct stat is{};
    const bool there = ::stat(where.data(), &is) == 0 && S_ISSOCK(is.st_mode);
    std::puts(there ? "open" : "closed");
  });
}
