// SPDX-License-Identifier: Apache-2.0
// Names of addresses: functions, lines, inlined calls, libraries, and addresses of nothing.
#include "weft/base/symbolize.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "weft/base/unwind.hpp"

namespace symbolize_test {

using namespace weft::rt;

struct named {
  std::string function, file, module;
  int line;
  bool inlined;
  uintptr_t offset;
};

std::vector<named> frames_at(uintptr_t pc) {
  std::vector<named> frames;
  symbolize(
      pc,
      [](void* data, const source_frame& frame) noexcept {
        static_cast<std::vector<named>*>(data)->push_back(
            {std::string(frame.function), std::string(frame.file), std::string(frame.module),
             frame.line, frame.inlined, frame.offset});
      },
      &frames);
  return frames;
}

template <class T>
[[gnu::noinline]] std::pair<uintptr_t, int> caller_of_inlined(T, int) {
  const uintptr_t pc = unwind_frame_here().pc - 1;
  asm volatile("");
  return {pc, __LINE__ - 2};
}

TEST(symbolize, names_function_file_line_and_offset) {
  const auto [pc, line] = caller_of_inlined(1.5, 2);
  const std::vector<named> frames = frames_at(pc);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].function, "symbolize_test::caller_of_inlined<double>(...)");
  EXPECT_TRUE(frames[0].file.ends_with("weft/base/symbolize_test.cpp")) << frames[0].file;
  EXPECT_EQ(frames[0].line, line);
  EXPECT_GT(frames[0].offset, 0u);
  EXPECT_LT(frames[0].offset, 512u);
}

[[gnu::noinline]] uintptr_t pc_inside_inlined() {
  uintptr_t pc = 0;
  [&]() __attribute__((always_inline)) {
#if defined(__x86_64__)
    asm volatile("leaq 0(%%rip), %0" : "=r"(pc));
#else
    asm volatile("adr %0, .+4" : "=r"(pc));
#endif
  }();
  return pc;
}

TEST(symbolize, lists_inlined_calls_innermost_first) {
  const std::vector<named> frames = frames_at(pc_inside_inlined() - 1);
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_TRUE(frames[0].inlined);
  EXPECT_NE(frames[0].function.find("operator()"), std::string::npos) << frames[0].function;
  EXPECT_FALSE(frames[1].inlined);
  EXPECT_EQ(frames[1].function, "symbolize_test::pc_inside_inlined()");
}

TEST(symbolize, names_functions_of_libraries) {
  const std::vector<named> frames = frames_at(reinterpret_cast<uintptr_t>(&std::qsort) + 1);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_FALSE(frames[0].module.empty());
}

TEST(symbolize, address_of_nothing_is_one_empty_frame) {
  for (uintptr_t pc : {uintptr_t{0}, uintptr_t{0x10}, ~uintptr_t{0}}) {
    const std::vector<named> frames = frames_at(pc);
    ASSERT_EQ(frames.size(), 1u);
    EXPECT_EQ(frames[0].function, "");
    EXPECT_EQ(frames[0].module, "");
  }
}

std::string readable(const char* name) {
  char text[128];
  return std::string(readable_name(name, text, sizeof text));
}

TEST(symbolize, readable_names_have_neither_types_nor_qualifiers) {
  EXPECT_EQ(readable("main"), "main()");
  EXPECT_EQ(readable("_ZN4weft4chanIiE4recvEv"), "weft::chan<int>::recv()");
  EXPECT_EQ(readable("_ZNK4weft4chanIiE3lenEPKc"), "weft::chan<int>::len(...)");
  EXPECT_EQ(readable("_Z1fIcEiT_"), "f<char>(...)");
  EXPECT_EQ(readable("_ZZ4mainENKUlvE_clEv"), "main::{lambda()#1}::operator()()");
  EXPECT_EQ(readable("_ZlsI1AERS0_S1_i"), "operator<< <A>(...)");
  EXPECT_EQ(readable("_ZN12_GLOBAL__N_14workEi"), "(anonymous namespace)::work(...)");
  EXPECT_EQ(readable("_ZN1AcviEv"), "A::operator int()");
  EXPECT_EQ(readable("_Znot a name"), "_Znot a name");
}

TEST(symbolize, long_names_are_cut) {
  std::string name = "_Z";
  name += "200" + std::string(200, 'x') + "v";
  EXPECT_EQ(readable(name.c_str()).size(), 128u);
  EXPECT_EQ(readable(name.c_str()).substr(125), "...");
}

}  // namespace symbolize_test
