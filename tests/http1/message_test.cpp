// SPDX-License-Identifier: Apache-2.0
// The fuzz target without libFuzzer: the vectors, and seeded mutations of them.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "peer.hpp"
#include "weft/base/random.hpp"
#include "weft/http/h1_vectors_testing.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

/// The first byte says how, see message_fuzz.cpp.
std::vector<std::string> seeds() {
  std::vector<std::string> all;
  for (const auto& list : {h1_test::smuggling_vectors(), h1_test::more_vectors()})
    for (const h1_test::vector& v : list)
      if (v.wire.size() < 4096) all.push_back(std::string(1, 0) + v.wire);
  for (const char* response :
       {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "HTTP/1.1 200\r\n\r\nuntil the end",
        "HTTP/1.0 304 Not Modified\r\nContent-Length: 9\r\nConnection: keep-alive\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhi\r\n0\r\nX: y\r\n\r\n",
        "HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nraw",
        "HTTP/1.1 204 No\r\nConnection: close\r\n\r\n"}) {
    for (const char how : {1, 3, 5}) all.push_back(std::string(1, how) + response);
  }
  return all;
}

constexpr std::string_view words[] = {"\r\n",
                                      "\n",
                                      "\r",
                                      " ",
                                      "\t",
                                      ":",
                                      ",",
                                      ";",
                                      "0",
                                      "1",
                                      "a",
                                      "ffffffffffffffff",
                                      "\x7f",
                                      "\xff",
                                      "chunked",
                                      "close",
                                      "keep-alive",
                                      "Transfer-Encoding: chunked\r\n",
                                      "Content-Length: 3\r\n",
                                      "Host: b\r\n",
                                      "Connection: ",
                                      "Upgrade: x\r\n",
                                      "HTTP/1.0",
                                      "HTTP/1.1",
                                      "0\r\n\r\n",
                                      "*",
                                      "http://a/",
                                      "[::1]",
                                      "Expect: 100-continue\r\n",
                                      "Connection: upgrade\r\n"};

std::string mutated(const std::vector<std::string>& from, weft::rt::random_source& random) {
  const auto below = [&](size_t n) { return size_t{random.below(static_cast<uint32_t>(n))}; };
  std::string text = from[below(from.size())];
  for (size_t i = 0, times = 1 + below(4); i < times && text.size() > 1; ++i) {
    const size_t at = 1 + below(text.size() - 1);
    switch (below(6)) {
      case 0:
        text[at] = static_cast<char>(random.next());
        break;
      case 1:
        text.erase(at, 1 + below(3));
        break;
      case 2:
      case 3:
        text.insert(at, words[below(std::size(words))]);
        break;
      case 4:
        text[0] = static_cast<char>(random.next());
        break;
      case 5: {
        const std::string& other = from[below(from.size())];
        const size_t part = 1 + below(other.size() - 1);
        text = text.substr(0, at) + other.substr(part);
        break;
      }
    }
  }
  return text;
}

void feed(const std::string& text) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(text.data()), text.size());
}

TEST(http1_message, the_vectors) {
  const char* const corpus = std::getenv("WEFT_FUZZ_CORPUS");
  int number = 0;
  for (const std::string& text : seeds()) {
    feed(text);
    if (corpus != nullptr)
      std::ofstream(std::string(corpus) + "/seed" + std::to_string(number++)) << text;
  }
}

TEST(http1_message, mutations) {
  const char* const soak = std::getenv("WEFT_SOAK");
  weft::rt::random_source random{soak == nullptr ? 1 : std::strtoull(soak, nullptr, 10) + 1};
  const std::vector<std::string> from = seeds();
  const int count = soak == nullptr ? 100'000 : 2'000'000;
  for (int i = 0; i < count; ++i) feed(mutated(from, random));
}

TEST(http1_message, there_is_a_parser_to_compare_with) {
  // Without it the comparisons above compare nothing. CI installs it (scripts/packages).
  if (!http1_test::have_peer() && std::getenv("CI") == nullptr)
    GTEST_SKIP() << "no http-parser (Debian: libhttp-parser-dev)";
  EXPECT_TRUE(http1_test::have_peer());
}

}  // namespace
