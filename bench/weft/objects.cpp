// SPDX-License-Identifier: Apache-2.0
// Rows pool_192, new_192, list_192_mutex, list_192_local: a thousand goroutines that take an object
// of 192 bytes, write to it and give it back. Rows rw_read, rw_read_mostly: a reader's lock and
// unlock, by one goroutine a P; with one write in a thousand; rw_read_write: in a hundred.
#include <atomic>
#include <memory>
#include <vector>

#include "bench/weft/rows.hpp"
#include "weft/sync/mutex.hpp"
#include "weft/sync/pool.hpp"
#include "weft/sync/rw_mutex.hpp"
#include "weft/sync/wait_group.hpp"

namespace bench {
namespace {

struct object {
  int64_t words[24] = {};
  object* next() const noexcept { return reinterpret_cast<object*>(words[0]); }
  void link(object* to) noexcept { words[0] = reinterpret_cast<int64_t>(to); }
};
static_assert(sizeof(object) == 192);

inline constexpr int64_t goroutines = 1000;

/// `one(i)` so many times, in a thousand goroutines; `make()` is each one's own state.
template <class Make, class One>
void in_goroutines(int64_t ops, Make make, One one) {
  weft::wait_group done;
  for (int64_t g = 0; g < goroutines; ++g)
    done.go([&, each = ops / goroutines] {
      auto own = make();
      for (int64_t i = 0; i < each; ++i) one(own, i);
    });
  done.wait();
}

/// Objects that were made while it was measured.
std::atomic<int64_t> made{0};

template <class Make, class One>
void measure(const call& how, int64_t count, Make make, One one) {
  run_weft(how.procs, [&] {
    const int64_t ops = how.count(count, goroutines);
    in_goroutines(ops / 10000 * 1000 + goroutines, make, one);
    result out{how};
    made = 0;
    out.start();
    in_goroutines(ops, make, one);
    out.stop(ops);
    if (how.row == "new_192") made = ops;
    out.value("bytes_per_op",
              static_cast<double>(made * int64_t{sizeof(object)}) / static_cast<double>(ops));
    out.print(program);
  });
}

const auto nothing = [] { return 0; };

void use(object& it, int64_t i) noexcept {
  it.words[1] = i;
  keep(it);
}

/// A list of free objects that is nobody else's.
class free_list {
 public:
  free_list() = default;
  free_list(free_list&& other) noexcept : first_(std::exchange(other.first_, nullptr)) {}
  free_list(const free_list&) = delete;
  ~free_list() {
    while (first_ != nullptr) delete std::exchange(first_, first_->next());
  }
  object* get() {
    if (first_ != nullptr) return std::exchange(first_, first_->next());
    ++made;
    return new object;
  }
  void put(object* it) noexcept {
    it->link(first_);
    first_ = it;
  }

 private:
  object* first_ = nullptr;
};

}  // namespace

void pool_192(const call& how) {
  weft::pool<object> pool([] {
    ++made;
    return std::make_unique<object>();
  });
  measure(how, 100'000'000, nothing, [&](int, int64_t i) {
    auto it = pool.get();
    it->words[1] = i;  // as in Go; put() may read it, so it is written
    pool.put(std::move(it));
  });
}

void new_192(const call& how) {
  measure(how, 50'000'000, nothing, [](int, int64_t i) {
    auto* it = new object;
    use(*it, i);
    delete it;
  });
}

void list_192_mutex(const call& how) {
  weft::mutex lock;
  free_list list;
  measure(how, 10'000'000, nothing, [&](int, int64_t i) {
    lock.lock();
    object* it = list.get();
    lock.unlock();
    use(*it, i);
    lock.lock();
    list.put(it);
    lock.unlock();
  });
}

void list_192_local(const call& how) {
  measure(
      how, 100'000'000, [] { return free_list(); },
      [](free_list& list, int64_t i) {
        object* it = list.get();
        use(*it, i);
        list.put(it);
      });
}

namespace {

/// One goroutine a P; every `write_every`-th section is a writer's, 0: none.
void sections(weft::rw_mutex& lock, int64_t& shared, int procs, int64_t ops, int64_t write_every) {
  weft::wait_group done;
  for (int g = 0; g < procs; ++g)
    done.go([&, each = ops / procs] {
      int64_t sum = 0;
      int64_t until_write = write_every;
      for (int64_t i = 0; i < each; ++i) {
        if (write_every != 0 && --until_write == 0) {
          until_write = write_every;
          lock.lock();
          ++shared;
          lock.unlock();
          continue;
        }
        lock.lock_shared();
        sum += shared;
        lock.unlock_shared();
      }
      keep(sum);
    });
  done.wait();
}

void measure_sections(const call& how, int64_t count, int64_t write_every) {
  run_weft(how.procs, [&] {
    weft::rw_mutex lock;
    int64_t shared = 0;
    const int64_t ops = how.count(count, how.procs);
    sections(lock, shared, how.procs, ops / 10 + how.procs, write_every);
    result out{how};
    out.start();
    sections(lock, shared, how.procs, ops, write_every);
    out.stop(ops);
    out.print(program);
  });
}

}  // namespace

void rw_read(const call& how) { measure_sections(how, 60'000'000, 0); }
void rw_read_mostly(const call& how) { measure_sections(how, 40'000'000, 1000); }
void rw_read_write(const call& how) { measure_sections(how, 20'000'000, 100); }

}  // namespace bench
