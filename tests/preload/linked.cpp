// SPDX-License-Identifier: Apache-2.0
// A program that links weft::malloc: every allocation function is Weft's, goroutines use it, and
// what one of them allocates another one frees on another thread.
#include <malloc.h>
#include <weft/weft.hpp>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

namespace {

int failures = 0;

void expect(bool holds, const char* what) {
  if (holds) return;
  std::printf("FAILED: %s\n", what);
  ++failures;
}

template <class T>
T* hidden(T* pointer) {
  asm volatile("" : "+r"(pointer));
  return pointer;
}

void functions() {
  void* object = hidden(std::malloc(100));
  expect(malloc_usable_size(object) == 112, "malloc: a class of 112");
  object = hidden(std::realloc(object, 5000));
  expect(malloc_usable_size(object) == 5120, "realloc: a class of 5120");
  std::free(object);
  errno = 0;
  volatile size_t huge = SIZE_MAX / 2;
  // Hidden: a compiler may leave out an allocation that nobody uses, and say it did not fail.
  expect(hidden(std::malloc(huge)) == nullptr && errno == ENOMEM, "ENOMEM");
  expect(hidden(std::calloc(huge, 16)) == nullptr, "calloc: overflow");
  auto* zeros = hidden(static_cast<char*>(std::calloc(1000, 100)));
  expect(zeros[0] == 0 && zeros[99'999] == 0, "calloc: zeros");
  std::free(zeros);
  void* aligned = nullptr;
  expect(posix_memalign(&aligned, 3, 10) == EINVAL, "posix_memalign: EINVAL");
  expect(
      posix_memalign(&aligned, 65536, 10) == 0 && reinterpret_cast<uintptr_t>(aligned) % 65536 == 0,
      "posix_memalign: 64 KiB");
  std::free(aligned);
  struct alignas(256) wide {
    char bytes[300];
  };
  auto one = std::make_unique<wide>();
  expect(reinterpret_cast<uintptr_t>(one.get()) % 256 == 0, "operator new: alignment");
  auto text = std::make_unique<std::string>(1000, 'x');
  expect(malloc_usable_size(text.get()) == 32, "operator new: a class of 32");
}

void goroutines() {
  weft::run({.procs = 2}, [] {
    auto objects = weft::make_chan<std::unique_ptr<std::string>>(64);
    weft::wait_group makers;
    for (int g = 0; g < 8; ++g)
      makers.go([objects, g] {
        for (int i = 0; i < 20'000; ++i)
          objects.send(std::make_unique<std::string>(static_cast<size_t>(i % 500), 'a' + g));
      });
    int64_t bytes = 0;
    weft::wait_group takers;
    weft::mutex lock;
    for (int g = 0; g < 4; ++g)
      takers.go([&] {
        int64_t mine = 0;
        while (auto text = objects.recv()) mine += static_cast<int64_t>((*text)->size());
        const std::lock_guard hold(lock);
        bytes += mine;
      });
    makers.wait();
    objects.close();
    takers.wait();
    expect(bytes == int64_t{8} * 40 * (500 * 499 / 2), "every byte arrived");
  });
}

}  // namespace

int main() {
  functions();
  goroutines();
  return failures == 0 ? 0 : 1;
}
