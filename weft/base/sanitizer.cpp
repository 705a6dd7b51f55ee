// SPDX-License-Identifier: Apache-2.0
// Telling the sanitizers about stacks; and, for ThreadSanitizer, what the runtime uses in the place
// of the C library's functions that it watches (cmake/isolate redirects the calls).
#include "weft/base/sanitizer.hpp"

#if WEFT_ASAN
#include <pthread.h>
#include <sanitizer/asan_interface.h>
#endif
#if WEFT_TSAN
#include <link.h>
#include <sanitizer/tsan_interface.h>
#include <sys/mman.h>
#include <sys/single_threaded.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>

#include "weft/base/os/os.hpp"
#include "weft/base/race.hpp"
#endif

namespace weft::rt::sanitizer {

#if WEFT_ASAN

namespace {

struct stack_bounds {
  uintptr_t lo = 0;
  size_t bytes = 0;
};

stack_bounds bounds_of_this_thread() noexcept {
  stack_bounds bounds;
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return bounds;
  void* lo = nullptr;
  (void)pthread_attr_getstack(&attributes, &lo, &bounds.bytes);
  bounds.lo = reinterpret_cast<uintptr_t>(lo);
  (void)pthread_attr_destroy(&attributes);
  return bounds;
}

}  // namespace

void fiber::adopt_thread(bool) noexcept {
  // Asked once: for the first thread the C library reads all of /proc/self/maps, which takes tens
  // of milliseconds when each stack's guard is a mapping of its own.
  static thread_local const stack_bounds bounds = bounds_of_this_thread();
  lo_ = bounds.lo;
  bytes_ = bounds.bytes;
}

void fiber::create(uintptr_t stack_lo, uintptr_t stack_hi, uintptr_t, uint64_t) noexcept {
  handle_ = nullptr;
  lo_ = stack_lo;
  bytes_ = stack_hi - stack_lo;
}

void fiber::destroy() noexcept {}

void unpoison(uintptr_t lo, size_t bytes) noexcept {
  __asan_unpoison_memory_region(reinterpret_cast<void*>(lo), bytes);
}

void fiber::begun() const noexcept {
  __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
  // The last frames of whoever had this stack before never returned: their redzones are still
  // there.
  __asan_unpoison_memory_region(reinterpret_cast<void*>(lo_),
                                reinterpret_cast<uintptr_t>(__builtin_frame_address(0)) - lo_);
}

#elif WEFT_TSAN

// Exported by every ThreadSanitizer runtime; its header does not declare them.
extern "C" {
void __tsan_func_entry(void* call_pc);
void __tsan_func_exit();
void __tsan_read2(void* at);
void __tsan_read4(void* at);
void __tsan_write2(void* at);
void __tsan_write4(void* at);
void __tsan_read_range(void* at, unsigned long bytes);
void __tsan_write_range(void* at, unsigned long bytes);
void __tsan_atomic32_store(uint32_t* at, uint32_t value, int order);
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
void AnnotateIgnoreSyncBegin(const char* file, int line);
void AnnotateIgnoreSyncEnd(const char* file, int line);
}

void thread_locals::add(uintptr_t lo, uintptr_t hi) noexcept {
  lo &= ~uintptr_t{os::page_bytes - 1};
  hi = (hi + os::page_bytes - 1) & ~uintptr_t{os::page_bytes - 1};
  for (int i = 0; i < count_; ++i) {
    range& there = ranges_[i];
    if (lo > there.lo + there.bytes || there.lo > hi) continue;
    const uintptr_t end = std::max(hi, there.lo + there.bytes);
    there.lo = std::min(lo, there.lo);
    there.bytes = end - there.lo;
    return;
  }
  if (count_ < count_max) ranges_[count_++] = {lo, hi - lo};
}

void thread_locals::find() noexcept {
  // ThreadSanitizer's own state is a library's largest thread_local by far, and not looked at;
  // those of libraries loaded later lie elsewhere, and are not found.
  static constexpr size_t library_bytes_max = 16 << 10;
  const auto add = [](dl_phdr_info* module, size_t, void* self) {
    const auto at = reinterpret_cast<uintptr_t>(module->dlpi_tls_data);
    const bool is_program = module->dlpi_name == nullptr || module->dlpi_name[0] == '\0';
    for (int i = 0; at != 0 && i < module->dlpi_phnum; ++i) {
      const auto& part = module->dlpi_phdr[i];
      if (part.p_type == PT_TLS && (is_program || part.p_memsz <= library_bytes_max))
        static_cast<thread_locals*>(self)->add(at, at + part.p_memsz);
    }
    return 0;
  };
  count_ = 0;
  (void)::dl_iterate_phdr(add, this);
}

void fiber::adopt_thread(bool runtime) noexcept {
  handle_ = __tsan_get_current_fiber();
  // To ThreadSanitizer goroutines are threads: counts of shared pointers are atomic even while the
  // process has one thread, or they would be races.
  __libc_single_threaded = 0;
  if (!runtime) return;
  // For ever: no scope.
  AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
  AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
  AnnotateIgnoreSyncBegin(__FILE__, __LINE__);
}

void fiber::create(uintptr_t, uintptr_t, uintptr_t creation_pc, uint64_t id) noexcept {
  __tsan_func_entry(reinterpret_cast<void*>(creation_pc));
  handle_ = __tsan_create_fiber(0);
  __tsan_func_exit();
  char name[32] = "goroutine ";
  *std::to_chars(name + 10, name + sizeof name - 1, id).ptr = '\0';
  __tsan_set_fiber_name(handle_, name);
}

void fiber::destroy() noexcept {
  if (handle_ != nullptr) __tsan_destroy_fiber(handle_);
  handle_ = nullptr;
}

void fiber::begun() const noexcept {}

unseen_accesses::unseen_accesses() noexcept {
  AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
  AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
}

unseen_accesses::~unseen_accesses() {
  AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
  AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
}

unseen::unseen() noexcept { AnnotateIgnoreSyncBegin(__FILE__, __LINE__); }

unseen::~unseen() { AnnotateIgnoreSyncEnd(__FILE__, __LINE__); }

// No function of ThreadSanitizer's says this, so its view of a system call is used: it looks at the
// arguments of munmap before the kernel does, and the kernel refuses an address that is not a
// page's. (One byte less than a page's: the record of the whole first page goes, then.)
void forget(uintptr_t lo, size_t bytes) noexcept {
  const int before = errno;
  (void)::munmap(reinterpret_cast<void*>(lo - 1), bytes + 1);
  errno = before;
}

#endif

}  // namespace weft::rt::sanitizer

#if WEFT_TSAN
namespace weft::rt {
namespace {

struct access {
  void (*one)(void*);
  void (*two)(void*);
  void (*four)(void*);
  void (*range)(void*, unsigned long);
};

// ThreadSanitizer remembers four accesses to each eight bytes. To g++ 12's runtime every byte at
// the uneven ends of a range is one: an int would push out whatever was known of its neighbour.
void race_access(const access& as, const void* begin, size_t bytes) noexcept {
  auto at = reinterpret_cast<uintptr_t>(begin);
  while (bytes > 0) {
    void* const here = reinterpret_cast<void*>(at);
    size_t piece = 1;
    if (at % 8 == 0 && bytes >= 8) {
      piece = bytes & ~size_t{7};
      as.range(here, piece);
    } else if (at % 4 == 0 && bytes >= 4) {
      piece = 4;
      as.four(here);
    } else if (at % 2 == 0 && bytes >= 2) {
      piece = 2;
      as.two(here);
    } else {
      as.one(here);
    }
    at += piece;
    bytes -= piece;
  }
}

}  // namespace

void race_read(const void* at, size_t bytes) noexcept {
  using namespace sanitizer;
  race_access({__tsan_read1, __tsan_read2, __tsan_read4, __tsan_read_range}, at, bytes);
}

void race_write(const void* at, size_t bytes) noexcept {
  using namespace sanitizer;
  race_access({__tsan_write1, __tsan_write2, __tsan_write4, __tsan_write_range}, at, bytes);
}

// An atomic store replaces what was released at its address; no other function does. As an access
// it is not meant.
void race_edge::release() noexcept {
  const sanitizer::unseen_accesses only_order;
  sanitizer::__tsan_atomic32_store(&word_, 0, 3 /* release */);
}

}  // namespace weft::rt

// What the runtime's own bytes go through. The empty assembly keeps the compiler from seeing a
// memcpy in a loop that copies, which would be this function again.
extern "C" {
__attribute__((visibility("hidden"))) void* weft_plain_memcpy(void* to, const void* from,
                                                              size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) {
    static_cast<char*>(to)[i] = static_cast<const char*>(from)[i];
    __asm__ volatile("" ::: "memory");
  }
  return to;
}
__attribute__((visibility("hidden"))) void* weft_plain_memmove(void* to, const void* from,
                                                               size_t bytes) {
  if (to <= from) return weft_plain_memcpy(to, from, bytes);
  for (size_t i = bytes; i > 0; --i) {
    static_cast<char*>(to)[i - 1] = static_cast<const char*>(from)[i - 1];
    __asm__ volatile("" ::: "memory");
  }
  return to;
}
__attribute__((visibility("hidden"))) void* weft_plain_memset(void* to, int value, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) {
    static_cast<char*>(to)[i] = static_cast<char>(value);
    __asm__ volatile("" ::: "memory");
  }
  return to;
}
__attribute__((visibility("hidden"))) void weft_unseen_delete(void* memory) {
  const weft::rt::sanitizer::unseen scope;
  std::free(memory);
}
__attribute__((visibility("hidden"))) void weft_unseen_delete_sized(void* memory, size_t) {
  weft_unseen_delete(memory);
}
__attribute__((visibility("hidden"))) void weft_unseen_delete_aligned(void* memory, size_t) {
  weft_unseen_delete(memory);
}
__attribute__((visibility("hidden"))) void weft_unseen_delete_sized_aligned(void* memory, size_t,
                                                                            size_t) {
  weft_unseen_delete(memory);
}
}
#endif
