// SPDX-License-Identifier: Apache-2.0
// xmalloc-test (C. Lever, D. Boreham, 2000): one thread allocates, another one frees. Objects of 64
// bytes go over in batches of 4,096; the producer is at most eight batches ahead.
#include <array>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "rows.hpp"

namespace bench {

namespace {

constexpr size_t batch_count = 4096;
constexpr size_t ahead_max = 8;
using batch = std::array<void*, batch_count>;

class belt {
 public:
  void put(batch* full) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return full_.size() < ahead_max; });
    full_.push_back(full);
    changed_.notify_one();
  }
  batch* take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !full_.empty(); });
    batch* first = full_.front();
    full_.pop_front();
    changed_.notify_one();
    return first;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<batch*> full_;
};

void produce(belt& to, int64_t batches) {
  for (int64_t i = 0; i < batches; ++i) {
    auto* full = new batch;
    for (void*& object : *full) object = allocate_written(64);
    to.put(full);
  }
}

void consume(belt& from, int64_t batches) {
  for (int64_t i = 0; i < batches; ++i) {
    batch* full = from.take();
    for (void* object : *full) std::free(object);
    delete full;
  }
}

void run_pairs(int pairs, int64_t batches) {
  std::vector<belt> belts(static_cast<size_t>(pairs));
  std::vector<std::thread> threads;
  for (belt& one : belts) {
    threads.emplace_back(produce, std::ref(one), batches);
    threads.emplace_back(consume, std::ref(one), batches);
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace

void xmalloc(const call& how) {
  const int pairs = std::max(how.procs / 2, 1);
  const int64_t batches = how.count(4000);
  run_pairs(pairs, std::max<int64_t>(batches / 10, 1));
  result out(how);
  out.start();
  run_pairs(pairs, batches);
  out.stop(batches * static_cast<int64_t>(batch_count) * pairs);
  print_with_peak(out);
}

}  // namespace bench
