// SPDX-License-Identifier: Apache-2.0
// The search: executions one after another, exhaustively within bounds and then at random; mutants;
// the report. Each execution begins with the program's statics and memory as they were.
#include <gtest/gtest.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cctype>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>

#include "engine.hpp"

#ifndef WEFT_SOURCE_DIR
#error "the build names the root of the tree"
#endif

namespace model {
namespace {

std::byte* map(size_t bytes) {
  void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) {
    std::perror("model checker: mmap");
    std::abort();
  }
  return static_cast<std::byte*>(at);
}

/// The writable segment of this program, without what the loader protects again.
int find_statics(dl_phdr_info* info, size_t, void*) {
  engine& e = *the_engine;
  uintptr_t relro_end = 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& p = info->dlpi_phdr[i];
    if (p.p_type == PT_GNU_RELRO) relro_end = info->dlpi_addr + p.p_vaddr + p.p_memsz;
  }
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  relro_end = (relro_end + page - 1) / page * page;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& p = info->dlpi_phdr[i];
    if (p.p_type != PT_LOAD || (p.p_flags & PF_W) == 0) continue;
    uintptr_t lo = info->dlpi_addr + p.p_vaddr;
    const uintptr_t hi = lo + p.p_memsz;
    if (lo < relro_end && relro_end < hi) lo = relro_end;
    if (hi <= relro_end) continue;  // a segment of constants that the loader relocates
    e.statics_lo = reinterpret_cast<std::byte*>(lo);
    e.statics_hi = reinterpret_cast<std::byte*>(hi);
  }
  return 1;  // the program itself comes first
}

/// A mutant may well run wild (one stack used twice): that is a failure of the execution.
void on_crash(int number) {
  engine& e = *the_engine;
  if (!e.running) {
    std::signal(number, SIG_DFL);
    return;
  }
  fail(number == SIGSEGV ? "crash: SIGSEGV" : "crash: SIGILL, SIGBUS or SIGFPE");
}

void catch_crashes() {
  stack_t alternate{};
  alternate.ss_size = size_t{64} * 1024;
  alternate.ss_sp = map(alternate.ss_size);
  ::sigaltstack(&alternate, nullptr);
  struct sigaction action{};
  action.sa_handler = on_crash;
  // The handler never returns to where it crashed: the signal must not stay blocked.
  action.sa_flags = SA_ONSTACK | SA_NODEFER;
  for (const int number : {SIGSEGV, SIGILL, SIGBUS, SIGFPE}) ::sigaction(number, &action, nullptr);
}

engine& ready_engine() {
  if (the_engine != nullptr) return *the_engine;
  the_engine = new engine;
  engine& e = *the_engine;
  e.arena = map(arena_bytes);
  e.table = reinterpret_cast<granule*>(map(granules * sizeof(granule)));
  e.cells = reinterpret_cast<plain_cell*>(map(cells_max * sizeof(plain_cell)));
  e.locations = reinterpret_cast<location*>(map(locations_max * sizeof(location)));
  e.store_pool = reinterpret_cast<store_record*>(map(stores * sizeof(store_record)));
  for (int i = 0; i < threads_max; ++i)
    e.threads[i].stack = e.arena + arena_bytes - static_cast<size_t>(i + 1) * thread_stack_bytes;
  dl_iterate_phdr(find_statics, nullptr);
  catch_crashes();
  return e;
}

/// Keeps the program's statics and puts them back.
class snapshot {
 public:
  snapshot() : bytes_(static_cast<size_t>(the_engine->statics_hi - the_engine->statics_lo)) {
    copy_ = map(bytes_);
    std::memcpy(copy_, the_engine->statics_lo, bytes_);
  }
  ~snapshot() { ::munmap(copy_, bytes_); }
  void restore() const { std::memcpy(the_engine->statics_lo, copy_, bytes_); }

 private:
  size_t bytes_;
  std::byte* copy_;
};

uint64_t environment_number(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

/// A place in a file: lines and columns from 1.
void place_of(const std::string& file, size_t at, uint32_t& line, uint32_t& column) {
  line = column = 1;
  for (size_t i = 0; i < at; ++i) {
    ++column;
    if (file[i] == '\n') {
      ++line;
      column = 1;
    }
  }
}

bool kind_of(const std::string& text, op& what) {
  static constexpr struct {
    const char* word;
    op what;
  } words[] = {{"compare_exchange", op::compare_exchange},
               {"exchange", op::exchange},
               {"fetch_", op::fetch},
               {"futex_wait", op::wait},
               {"futex_wake", op::wake},
               {"fence", op::fence},
               {"load", op::load},
               {"store", op::store}};
  size_t first = std::string::npos;  // the first operation counts; longer names stand first
  for (const auto& w : words) {
    const size_t at = text.find(w.word);
    if (at == std::string::npos || (first != std::string::npos && at + 8 >= first)) continue;
    first = at;
    what = w.what;
  }
  return first != std::string::npos;
}

/// Finds the text of a mutant in its file. Empty: found; else what is wrong.
std::string resolve(const mutant& m, target& out) {
  out.how = m.how;
  out.text = m.text;
  if (m.how == change::leave_out) return {};  // if it is not there, it is never reached
  std::ifstream in(std::string(WEFT_SOURCE_DIR "/") + m.file);
  std::stringstream all;
  all << in.rdbuf();
  const std::string file = all.str();
  if (file.empty()) return std::string("cannot read ") + m.file;
  const std::string text = m.text;
  size_t at = std::string::npos;
  for (int i = 0; i < m.occurrence; ++i) {
    at = file.find(text, i == 0 ? 0 : at + 1);
    if (at == std::string::npos) return std::string(m.file) + " has no (more) text \"" + text + '"';
  }
  if (!kind_of(text, out.what)) return "no atomic operation in \"" + text + '"';
  out.file = m.file;
  const size_t end = at + text.size() - 1;
  // clang gives the column where the object's expression begins, g++ that of the parenthesis.
  while (at > 0 && std::isspace(static_cast<unsigned char>(file[at - 1])) == 0) --at;
  place_of(file, at, out.line_from, out.column_from);
  place_of(file, end, out.line_to, out.column_to);
  return {};
}

void seed_execution(uint64_t number) {
  engine& e = *the_engine;
  // splitmix64's finalizer: neighbouring numbers give unlike seeds.
  uint64_t x = (number + 1) * 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  e.random_state = (x ^ (x >> 31)) | 1;
  static constexpr int ways[] = {0, 8, 12, 14, 15, -1, -1, -1};
  e.stickiness = ways[next_random() % 8];
  const uint64_t length = uint64_t{16} << (next_random() % 7);
  for (uint32_t& at : e.change_at) at = static_cast<uint32_t>(next_random() % length);
}

/// The next execution of the exhaustive search; false: there is none.
bool next_path(std::vector<choice>& path) {
  while (!path.empty()) {
    if (path.back().taken + 1 < path.back().of) {
      ++path.back().taken;
      return true;
    }
    path.pop_back();
  }
  return false;
}

class searcher {
 public:
  searcher(const scenario& of, const target* mutated) : of_(of), e_(ready_engine()) {
    e_.what_runs = &of_;
    e_.mutated = mutated;
    e_.reached = mutated == nullptr;
    std::memset(e_.outcomes, 0, sizeof e_.outcomes);
  }

  void exhaust(uint64_t limit, result& out) {
    e_.random = false;
    e_.path.clear();
    for (uint64_t i = 0; i < limit; ++i) {
      run();
      ++out.executions;
      if (e_.failed) return record(out);
      if (!next_path(e_.path)) {
        out.complete = true;
        return;
      }
    }
  }

  void wander(uint64_t first, uint64_t limit, result& out) {
    e_.random = true;
    for (uint64_t i = 0; i < limit; ++i) {
      seed_ = first + i;
      run();
      ++out.executions;
      if (!e_.failed) continue;
      out.by_random = true;
      return record(out);
    }
  }

  void finish(result& out) {
    out.reached = e_.reached;
    out.outcomes.assign(e_.outcomes, e_.outcomes + outcomes_max);
  }

 private:
  void run() {
    if (e_.random) seed_execution(seed_);
    run_once(of_);
    statics_.restore();
  }

  /// The same execution again, written down.
  void record(result& out) {
    out.failed = true;
    out.what = e_.what;
    e_.tracing = true;
    e_.trace.clear();
    run();
    e_.tracing = false;
    out.trace = e_.trace;
    if (!e_.failed || e_.what != out.what) out.trace += "\n(the execution is not repeatable)";
    out.trace +=
        e_.random ? "\nfound at random: WEFT_MODEL_SEED=" + std::to_string(seed_)
                  : "\nfound by the exhaustive search, execution " + std::to_string(out.executions);
  }

  const scenario& of_;
  engine& e_;
  snapshot statics_;
  uint64_t seed_ = 0;
};

uint64_t first_seed() {
  return environment_number("WEFT_MODEL_SEED", environment_number("WEFT_SOAK", 0) * 1'000'000'000);
}

result search_resolved(const scenario& of, const target* mutated, uint64_t factor) {
  (void)ready_engine();
  result out;
  searcher s(of, mutated);
  const bool one_seed = std::getenv("WEFT_MODEL_SEED") != nullptr && mutated == nullptr;
  if (one_seed) {
    s.wander(first_seed(), 1, out);
  } else if (mutated != nullptr) {
    // A mutant is looked for in turns: what one search cannot see, the other finds soon.
    const uint64_t some = of.random / 8;
    s.wander(first_seed(), some, out);
    if (!out.failed) s.exhaust(of.exhaustive / 2, out);
    if (!out.failed) s.wander(first_seed() + some, of.random * of.mutant_factor - some, out);
  } else {
    s.exhaust(of.exhaustive * factor, out);
    if (!out.failed) s.wander(first_seed(), of.random * factor, out);
  }
  s.finish(out);
  return out;
}

}  // namespace

result search(const scenario& of, const mutant* change) {
  target resolved{};
  if (change != nullptr) {
    if (const std::string wrong = resolve(*change, resolved); !wrong.empty()) {
      result out;
      out.what = wrong;
      return out;
    }
  }
  return search_resolved(of, change != nullptr ? &resolved : nullptr, 1);
}

void verify(const scenario& of, const std::vector<mutant>& mutants) {
  if (catalogue_only()) {
    catalogue(of, mutants.size());
    return;
  }
  // A soak spends its time on the code itself: that other seeds find each mutant, too, says nothing
  // about the product.
  const bool soak = std::getenv("WEFT_SOAK") != nullptr;
  const uint64_t factor = environment_number("WEFT_MODEL_RUNS", soak ? 3 : 1);
  const char* only = std::getenv("WEFT_MODEL_MUTANT");
  if (only == nullptr) {
    const result plain = search_resolved(of, nullptr, factor);
    std::printf("model %-24s %9llu executions%s\n", of.name,
                static_cast<unsigned long long>(plain.executions),
                plain.complete ? ", all within the bounds seen" : "");
    std::fflush(stdout);
    if (plain.failed) {
      std::printf("%s\n", plain.trace.c_str());
      ADD_FAILURE() << of.name << ": " << plain.what << " (execution " << plain.executions << ')';
      return;
    }
    if (of.all_seen && !plain.complete && std::getenv("WEFT_MODEL_SEED") == nullptr)
      ADD_FAILURE() << of.name << ": the exhaustive search did not see every execution";
  }
  if (soak) return;
  for (const mutant& m : mutants) {
    if (only != nullptr && std::strcmp(only, m.name) != 0) continue;
    target resolved{};
    const std::string wrong = resolve(m, resolved);
    if (!wrong.empty()) {
      ADD_FAILURE() << of.name << ", mutant \"" << m.name << "\": " << wrong;
      continue;
    }
    const result found = search_resolved(of, &resolved, 1);
    std::printf("  mutant %-46s %s %8llu  %s\n", m.name, found.failed ? "found at" : "NOT FOUND",
                static_cast<unsigned long long>(found.executions), found.what.c_str());
    std::fflush(stdout);
    if (only != nullptr) std::printf("%s\n", found.trace.c_str());
    if (!found.reached)
      ADD_FAILURE() << of.name << ", mutant \"" << m.name << "\": its operation is never executed";
    else if (!found.failed)
      ADD_FAILURE() << of.name << ", mutant \"" << m.name << "\" was not found";
  }
  std::fflush(stdout);
}

}  // namespace model
