// SPDX-License-Identifier: Apache-2.0
// The fuzz target without libFuzzer: seeded texts from the pieces that URLs are made of.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "weft/base/random.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr std::string_view pieces[] = {
    "http",
    "https",
    ":",
    "//",
    "/",
    "a",
    "b.c",
    "%2F",
    "%zz",
    "%",
    "?",
    "#",
    "@",
    "[",
    "::1",
    "]",
    ".",
    "..",
    "80",
    " ",
    "\t",
    "ü",
    "\"",
    ";",
    "=",
    "&",
    "+",
    "\\",
    "%41",
    "%00",
    "\r",
    "\n",
    "*",
    "%25",
    "_",
    "-",
    "1m",
    "00-",
    "0123456789abcdef",
    "-01",
    "[fe80::1%25eth0]",
    ",",
    "x=y",
    "%2f",
    "%7e",
    "99999999H",
    "\x7f",
};

TEST(http_url, seeded_texts) {
  const char* const soak = std::getenv("WEFT_SOAK");
  weft::rt::random_source random{soak != nullptr ? std::strtoull(soak, nullptr, 10) : 1};
  for (int round = 0; round < 300'000; ++round) {
    std::string text;
    if (random.below(3) == 0) text = "http://h/";
    if (random.below(8) == 0) text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\n";
    for (uint32_t n = random.below(12); n > 0; --n)
      text += pieces[random.below(static_cast<uint32_t>(std::size(pieces)))];
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(text.data()), text.size());
  }
}

}  // namespace
