// SPDX-License-Identifier: Apache-2.0
// Writes an execution trace by hand: a main goroutine, one that it makes and wakes, a system call
// whose P is taken.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace weft_command_test {

inline void put(std::string& to, std::initializer_list<uint64_t> numbers) {
  for (uint64_t n : numbers) {
    for (; n >= 0x80; n >>= 7) to += static_cast<char>(n | 0x80);
    to += static_cast<char>(n);
  }
}

inline std::string trace_batch(uint64_t thread, uint64_t ticks, std::string_view content) {
  std::string out;
  put(out, {1, 1, thread, ticks, content.size()});
  return out.append(content);
}

inline std::string small_trace() {
  constexpr uint64_t nobody = ~uint64_t{0};
  std::string first;
  put(first, {13, 0, 0, 1});        // ProcStatus 0 running
  put(first, {25, 0, 1, 101, 2});   // GoStatus 1 running
  put(first, {9, 1, 2, 1});         // ProcsChange 2
  put(first, {14, 1000, 2, 2, 1});  // GoCreate 2
  put(first, {37, 1, 4096});        // HeapAlloc
  put(first, {40, 1, 7, 0, 4, 1});  // UserTaskBegin 7 "task"
  put(first, {42, 1, 7, 4, 1});     // UserRegionBegin
  put(first, {20, 1000, 3, 1});     // GoBlock "chan receive"
  put(first, {16, 10, 2, 1});       // GoStart 2
  put(first, {22, 1000, 1, 2});     // GoSyscallBegin
  put(first, {24, 5000});           // GoSyscallEndBlocked
  std::string second;
  put(second, {12, 0, 0, 2, 101});  // ProcSteal 0 from 101
  put(second, {10, 1, 0, 3});       // ProcStart 0
  put(second, {21, 1, 1, 1, 0});    // GoUnblock 1
  put(second, {16, 1, 1, 2});       // GoStart 1
  put(second, {43, 500, 7, 4, 1});  // UserRegionEnd
  put(second, {41, 1, 7, 1});       // UserTaskEnd
  put(second, {17, 1000});          // GoDestroy
  std::string sync;
  put(sync, {50, 8, 1'000'000'000, 51, 0, 1, 2, 3});
  std::string strings;
  put(strings, {4});
  uint64_t id = 0;
  for (const std::string_view text : {"main.main", "main.worker", "chan receive", "task", "a.go"}) {
    put(strings, {5, ++id, text.size()});
    strings += text;
  }
  std::string stacks;
  put(stacks, {2, 3, 1, 1, 0x1000, 1, 5, 10, 3, 2, 1, 0x2000, 2, 5, 20});
  std::string samples;
  put(samples, {6, 7, 1'001'500, 101, 0, 1, 1});
  std::string out("go 1.26 trace\0\0\0", 16);
  out += trace_batch(101, 1'000'000, first) + trace_batch(102, 1'004'000, second) +
         trace_batch(nobody, 1'000'000, sync) + trace_batch(nobody, 1'000'000, stacks) +
         trace_batch(nobody, 1'000'000, samples) + trace_batch(nobody, 1'000'000, strings);
  return out + static_cast<char>(52);
}

}  // namespace weft_command_test
