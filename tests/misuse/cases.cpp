// SPDX-License-Identifier: Apache-2.0
// 42 ways to misuse a heap, one a process: weft_misuse CASE. A case that reaches its end prints
// "not caught"; whatever ends it before, a report, a signal or an error returned, has caught it.
// They know malloc() only, so they run with any allocator. After the categories of mimalloc-bench's
// security tests; objects are of 64 bytes where nothing else is said.
//
//   weft_misuse --list
//   weft_misuse CASE
//   weft_misuse misuse 1 1   all of them; a line of JSON as bench/ wants it
#include <malloc.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <thread>
#include <vector>

namespace {

constexpr size_t object_bytes = 64;
constexpr size_t large_bytes = 1 << 20;
constexpr size_t page_bytes = 4096;

/// The same pointer, of which the compiler knows nothing: misuse is what it warns of, or leaves
/// out.
template <class T>
T* hidden(T* pointer) {
  asm volatile("" : "+r"(pointer) : : "memory");
  return pointer;
}
char* take(size_t bytes = object_bytes) { return static_cast<char*>(hidden(std::malloc(bytes))); }
void drop(void* object) { std::free(hidden(object)); }
void fill(char* at, size_t bytes, int with = 'x') { std::memset(hidden(at), with, bytes); }

/// The heap refused without ending the process: as good as a report.
[[noreturn]] void refused() {
  std::printf("refused\n");
  std::fflush(stdout);
  ::_exit(1);
}

/// Allocates and frees until what was done to free objects must have been seen, if ever.
void use_heap(size_t bytes = object_bytes) {
  std::vector<void*> held(3000);
  for (void*& object : held) object = take(bytes);
  for (void* object : held) drop(object);
}

/// Objects some of which lie beside each other.
std::vector<char*> take_row(size_t bytes = object_bytes) {
  std::vector<char*> row(200);
  for (char*& object : row) object = take(bytes);
  return row;
}
void drop_row(const std::vector<char*>& row) {
  for (char* object : row) drop(object);
}

// --- objects freed twice -------------------------------------------------------------------------

void double_free() {
  char* a = take();
  drop(a);
  drop(a);
}
void double_free_interleaved() {
  char* a = take();
  char* b = take();
  drop(a);
  drop(b);
  drop(a);
}
void double_free_delayed() {
  char* a = take();
  drop(a);
  for (size_t bytes = 128; bytes < 8192; bytes += 64) drop(take(bytes));
  drop(a);
}
/// The object has a new user in between, whom the second free robs.
void double_free_reused() {
  char* a = take();
  drop(a);
  char* b = take();
  drop(a);
  drop(b);
}
void double_free_large() {
  char* a = take(large_bytes);
  drop(a);
  drop(a);
}
void double_free_elsewhere() {
  char* a = take();
  std::thread([a] { drop(a); }).join();
  drop(a);
}

// --- what is freed is no object ------------------------------------------------------------------

void free_inside() { drop(take() + 16); }
void free_unaligned() { drop(take() + 1); }
void free_inside_large() { drop(take(large_bytes) + page_bytes); }
void free_stack() {
  alignas(64) char local[128];
  drop(local + 64);
}
alignas(64) char global[128];
void free_global() { drop(global + 64); }
/// In the heap, but nobody was ever given it.
void free_never_allocated() { drop(take() + 3 * large_bytes); }
void free_low_address() { drop(reinterpret_cast<void*>(hidden(global) - hidden(global) + 64)); }
void free_past_end() {
  char* a = take();
  drop(a + malloc_usable_size(a));
}
void free_own_mapping() {
  void* pages =
      ::mmap(nullptr, 16 * page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  drop(static_cast<char*>(pages) + page_bytes);
}

// --- realloc() of what is no object --------------------------------------------------------------

void resize(void* object) {
  void* moved = std::realloc(hidden(object), 4 * object_bytes);
  if (moved == nullptr) refused();
  drop(moved);
}
void realloc_freed() {
  char* a = take();
  drop(a);
  resize(a);
}
void realloc_inside() { resize(take() + 16); }
void realloc_stack() {
  alignas(64) char local[128];
  resize(local + 64);
}

// --- sizes that do not agree ---------------------------------------------------------------------

void delete_too_small() { ::operator delete(hidden(::operator new(object_bytes)), size_t{16}); }
void delete_too_large() { ::operator delete(hidden(::operator new(object_bytes)), size_t{1024}); }

// --- writes to objects that are free -------------------------------------------------------------

void write_freed(size_t from, size_t bytes, size_t size = object_bytes) {
  char* a = take(size);
  drop(a);
  fill(a + from, bytes);
  use_heap(size);
}
void write_freed_first() { write_freed(0, 8); }
void write_freed_second() { write_freed(8, 8); }
void write_freed_last() { write_freed(object_bytes - 8, 8); }
void write_freed_whole() { write_freed(0, object_bytes); }
void write_freed_large() {
  char* a = take(large_bytes);
  drop(a);
  fill(a, large_bytes);
  for (int i = 0; i < 40; ++i) drop(take(large_bytes));
}
/// Others were freed after it: it lies deep in whatever the heap keeps.
void write_freed_delayed() {
  const std::vector<char*> row = take_row();
  drop_row(row);
  fill(row[20], 8);
  use_heap();
}

// --- reads of what one should not see ------------------------------------------------------------

constexpr char secret[] = "the secret of somebody else";

/// True if the second half of an object still says it: the first words are often the heap's.
bool tells(const char* object, size_t bytes) {
  return std::memcmp(hidden(object) + bytes / 2, secret, sizeof secret) == 0;
}
char* take_secret(size_t bytes) {
  char* object = take(bytes);
  std::memcpy(object + bytes / 2, secret, sizeof secret);
  return hidden(object);
}
void read_freed(size_t bytes) {
  char* a = take_secret(bytes);
  drop(a);
  if (!tells(a, bytes)) refused();
}
void read_freed_small() { read_freed(object_bytes); }
void read_freed_large() { read_freed(large_bytes); }
void read_uninitialized(size_t bytes) {
  drop(take_secret(bytes));
  if (!tells(take(bytes), bytes)) refused();
}
void read_uninitialized_small() { read_uninitialized(object_bytes); }
void read_uninitialized_large() { read_uninitialized(large_bytes); }

// --- overruns ------------------------------------------------------------------------------------

/// Beyond all that the heap says may be used; the neighbours are in use.
void overrun_used(size_t bytes) {
  const std::vector<char*> row = take_row();
  for (size_t i = 20; i < 40; ++i) fill(row[i] + malloc_usable_size(row[i]), bytes);
  drop_row(row);
  use_heap();
}
void overrun_used_by_1() { overrun_used(1); }
void overrun_used_by_8() { overrun_used(8); }
void overrun_used_by_16() { overrun_used(16); }
/// The neighbours are free.
void overrun_free(size_t bytes) {
  const std::vector<char*> row = take_row();
  for (size_t i = 1; i < row.size(); i += 2) drop(row[i]);
  for (size_t i = 0; i < row.size(); i += 2) fill(row[i] + malloc_usable_size(row[i]), bytes);
  use_heap();
  for (size_t i = 0; i < row.size(); i += 2) drop(row[i]);
}
void overrun_free_by_1() { overrun_free(1); }
void overrun_free_by_8() { overrun_free(8); }
void overrun_free_by_16() { overrun_free(16); }
/// One byte more than was asked for; the rounding has room for it.
void overrun_rounding() {
  char* a = take(object_bytes - 4);
  fill(a + object_bytes - 4, 1);
  drop(a);
  use_heap();
}
void underrun(size_t bytes) {
  const std::vector<char*> row = take_row();
  for (size_t i = 20; i < 40; ++i) fill(row[i] - bytes, bytes);
  drop_row(row);
  use_heap();
}
void underrun_by_1() { underrun(1); }
void underrun_by_16() { underrun(16); }
void overrun_large_by_1() {
  std::vector<char*> row;
  for (int i = 0; i < 8; ++i) row.push_back(take(large_bytes));
  fill(row[3] + malloc_usable_size(row[3]), 1);
  drop_row(row);
  for (int i = 0; i < 40; ++i) drop(take(large_bytes));
}
/// Through everything behind the object.
void overrun_without_end() {
  char* a = take();
  fill(a, 64 * large_bytes);
  drop(a);
  use_heap();
}
void read_without_end() {
  const char* a = take();
  unsigned sum = 0;
  for (size_t i = 0; i < 64 * large_bytes; i += object_bytes)
    sum += static_cast<unsigned char>(hidden(a)[i]);
  hidden(&sum);
}

struct test_case {
  const char* name;
  void (*run)();
};
#define CASE(name) {#name, name}
constexpr test_case cases[] = {
    CASE(double_free),
    CASE(double_free_interleaved),
    CASE(double_free_delayed),
    CASE(double_free_reused),
    CASE(double_free_large),
    CASE(double_free_elsewhere),
    CASE(free_inside),
    CASE(free_unaligned),
    CASE(free_inside_large),
    CASE(free_stack),
    CASE(free_global),
    CASE(free_never_allocated),
    CASE(free_low_address),
    CASE(free_past_end),
    CASE(free_own_mapping),
    CASE(realloc_freed),
    CASE(realloc_inside),
    CASE(realloc_stack),
    CASE(delete_too_small),
    CASE(delete_too_large),
    CASE(write_freed_first),
    CASE(write_freed_second),
    CASE(write_freed_last),
    CASE(write_freed_whole),
    CASE(write_freed_large),
    CASE(write_freed_delayed),
    CASE(read_freed_small),
    CASE(read_freed_large),
    CASE(read_uninitialized_small),
    CASE(read_uninitialized_large),
    CASE(overrun_used_by_1),
    CASE(overrun_used_by_8),
    CASE(overrun_used_by_16),
    CASE(overrun_free_by_1),
    CASE(overrun_free_by_8),
    CASE(overrun_free_by_16),
    CASE(overrun_rounding),
    CASE(underrun_by_1),
    CASE(underrun_by_16),
    CASE(overrun_large_by_1),
    CASE(overrun_without_end),
    CASE(read_without_end),
};
#undef CASE
constexpr int case_count = static_cast<int>(sizeof cases / sizeof *cases);
static_assert(case_count == 42);

constexpr int not_caught_status = 42;

/// Runs a case in a process of its own, silently; true if it was caught.
bool caught(const char* name) {
  posix_spawn_file_actions_t quiet;
  posix_spawn_file_actions_init(&quiet);
  posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", 1, 0);
  posix_spawn_file_actions_addopen(&quiet, STDERR_FILENO, "/dev/null", 1, 0);
  char program[] = "weft_misuse";
  char* const arguments[] = {program, const_cast<char*>(name), nullptr};
  pid_t child = 0;
  int status = 0;
  if (::posix_spawn(&child, "/proc/self/exe", &quiet, nullptr, arguments, environ) != 0 ||
      ::waitpid(child, &status, 0) != child) {
    std::fprintf(stderr, "weft_misuse: %s was not run\n", name);
    std::exit(1);
  }
  posix_spawn_file_actions_destroy(&quiet);
  return !(WIFEXITED(status) && WEXITSTATUS(status) == not_caught_status);
}

int run_all() {
  int found = 0;
  for (const test_case& one : cases) found += caught(one.name) ? 1 : 0;
  std::printf(
      "{\"program\": \"misuse\", \"row\": \"misuse\", \"procs\": 1, \"ops\": %d, \"wall_ns\": 1, "
      "\"cpu_ns\": 1, \"caught\": %d}\n",
      case_count, found);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const char* wanted = argc > 1 ? argv[1] : "";
  if (std::strcmp(wanted, "--list") == 0) {
    for (const test_case& one : cases) std::printf("%s\n", one.name);
    return 0;
  }
  if (std::strcmp(wanted, "misuse") == 0) return run_all();
  ::alarm(20);  // a heap that goes round in circles was broken, not saved
  for (const test_case& one : cases) {
    if (std::strcmp(one.name, wanted) != 0) continue;
    one.run();
    std::printf("not caught\n");
    std::fflush(stdout);
    std::exit(not_caught_status);
  }
  std::fprintf(stderr, "usage: weft_misuse CASE | --list | misuse 1 1\n");
  return 64;
}
