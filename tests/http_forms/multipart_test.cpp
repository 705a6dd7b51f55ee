// SPDX-License-Identifier: Apache-2.0
// The fuzz target over seeded mutations of good and bad forms.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

void feed(const std::string& text) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(text.data()), text.size());
}

TEST(http_forms, seeded_garbage) {
  const std::string seeds[] = {
      "--b0\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nvalue\r\n--b0--\r\n",
      "--b0\r\nContent-Disposition: form-data; name=f; filename=\"d/f.txt\"\r\n"
      "Content-Type: text/plain\r\n\r\n\r\n--b\r\n--b0\r\n",
      "\r\n--b0--",
      "preamble\r\n--b0\r\n",
      "--b0\r\nContent-Disposition: form-data; name=e\r\n\r\n",
      "a=1&b=x+y%21&%zz",
      "form-data; name=\"a\\\"b\"; filename*=UTF-8''%C3%A9",
      "bytes=0-4,-3,7-",
      "a=b; Path=/x; Domain=h.org; Max-Age=7; Expires=Sun, 06 Nov 1994 08:49:37"};
  const char* const soak = std::getenv("WEFT_SOAK");
  std::mt19937 random(soak != nullptr ? static_cast<unsigned>(std::atoi(soak)) : 20261127U);
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (int parts = static_cast<int>(random() % 4); parts >= 0; --parts)
      text += seeds[random() % std::size(seeds)];
    for (int changes = static_cast<int>(random() % 6); changes > 0 && !text.empty(); --changes) {
      const size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = "-b0\r\n:;=\"\\ &%+*'x"[random() % 18];
          break;
        case 1:
          text.erase(at, 1 + random() % 8);
          break;
        case 2:
          text.insert(at, "\r\n--b0", random() % 7);
          break;
        default:
          text.insert(at, text.substr(0, random() % 40));
      }
    }
    feed(text);
  }
}

}  // namespace
