// SPDX-License-Identifier: Apache-2.0
// JSON on goroutines: the deepest documents on an ordinary stack; many at once, that migrate while
// they decode (what the first pass needs is handed from thread to thread).
#include <gtest/gtest.h>

#include <map>

#include "weft/base/sanitizer.hpp"
#include "weft/json/json.hpp"
#include "weft/weft.hpp"

namespace {

namespace json = weft::json;

/// Where the stack is when the innermost value is read.
struct probe {};
uintptr_t deepest_frame = 0;

}  // namespace

template <>
struct weft::json::codec<probe> {
  static bool read(reader& in, probe&) {
    deepest_frame = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
    return in.skip();
  }
  static bool write(writer& out, const probe&) { return out.null(); }
};

namespace {

struct chain {
  std::optional<probe> end;
  std::vector<chain> list;
  std::map<std::string, chain> named;
};

/// Bytes of stack that each level takes, of `levels` such pairs of levels.
size_t bytes_per_level(const char* open, const char* close, size_t pairs) {
  std::string text;
  for (size_t i = 0; i < pairs; ++i) text += open;
  text += R"({"end":true})";
  for (size_t i = 0; i < pairs; ++i) text += close;
  json::decode_options deepest;
  deepest.depth_max = json::depth_cap;
  auto here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  auto got = json::decode<chain>(text, deepest);
  EXPECT_TRUE(got.has_value()) << got.error().message();
  return (here - deepest_frame) / (2 * pairs);
}

TEST(JsonGoroutines, ALevelTakesLittleStack) {
  weft::run([] {
    size_t in_vector = bytes_per_level(R"({"list":[)", "]}", 60);
    size_t in_map = bytes_per_level(R"({"named":{"k":)", "}}", 60);
    RecordProperty("vector_bytes", static_cast<int>(in_vector));
    RecordProperty("map_bytes", static_cast<int>(in_map));
    std::printf("bytes of stack per level: %zu in vectors, %zu in maps\n", in_vector, in_map);
    if (!weft::rt::sanitizer::address && !weft::rt::sanitizer::thread) {
      EXPECT_LT(in_vector, 400U);
      EXPECT_LT(in_map, 400U);
    }
  });
}

struct node {
  int id = 0;
  std::vector<node> children;
  std::map<std::string, node> named;
};

TEST(JsonGoroutines, TheDeepestDocumentFitsTheStack) {
  weft::run([] {
    json::decode_options deepest;
    deepest.depth_max = json::depth_cap;
    json::encode_options as_deep;
    as_deep.depth_max = json::depth_cap;
    // The frames of sanitizers and of unoptimized code are several times larger: there the default
    // depth must fit.
#ifdef WEFT_DEBUG_BUILD
    constexpr bool large_frames = true;
#else
    constexpr bool large_frames = weft::rt::sanitizer::address || weft::rt::sanitizer::thread;
#endif
    const size_t levels = large_frames ? json::decode_options().depth_max : json::depth_cap;
    std::string arrays = std::string(levels, '[') + std::string(levels, ']');
    auto tree = json::decode<json::value>(arrays, deepest);
    ASSERT_TRUE(tree.has_value()) << tree.error().message();
    EXPECT_EQ(json::encode(*tree, as_deep).value(), arrays);

    // Two levels for each node: an object and an array or map. The last one is written with both.
    std::string nodes;
    std::string behind;
    for (size_t i = 0; i < levels / 2 - 1; ++i) {
      nodes += i % 2 == 0 ? R"({"children":[)" : R"({"named":{"x":)";
      behind.insert(0, i % 2 == 0 ? "]}" : "}}");
    }
    std::string text = nodes + "{}" + behind;
    auto typed = json::decode<node>(text, deepest);
    ASSERT_TRUE(typed.has_value()) << typed.error().message();
    EXPECT_TRUE(json::encode(*typed, as_deep).has_value());
  });
}

TEST(JsonGoroutines, ManyDecodeWhileTheyMigrate) {
  weft::run([] {
    weft::wait_group all;
    for (int i = 0; i < 64; ++i) {
      all.go([i] {
        node mine;
        for (int k = 0; k < 50; ++k) {
          node child{.id = i * 1000 + k, .children = {}, .named = {}};
          child.named.emplace("k", node{.id = k, .children = {}, .named = {}});
          mine.children.push_back(std::move(child));
          std::string text = json::encode(mine).value();
          weft::yield();
          auto back = json::decode<node>(text);
          ASSERT_TRUE(back.has_value()) << back.error().message();
          ASSERT_EQ(back->children.back().named.at("k").id, k);
          ASSERT_EQ(back->children.back().id, i * 1000 + k);
        }
      });
    }
    all.wait();
  });
}

}  // namespace
