// SPDX-License-Identifier: Apache-2.0
// What docs/guide/moving-from-threads.md quotes.
#include <weft/weft.hpp>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <queue>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

int f(int x) { return x * x; }

void threads() {
  auto t = weft::spawn([] { return f(7); });
  std::printf("%d\n", t.join());
  weft::go([] { f(7); });
  weft::wait_group all;
  std::array<int, 4> results{};
  for (size_t i = 0; i < results.size(); ++i)
    all.go([&, i] { results[i] = f(static_cast<int>(i)); });
  all.wait();
  std::printf("%d\n", results[3]);
  weft::sleep_for(1ms);
  weft::yield();
  uint64_t id = weft::goroutine_id();
  static weft::local<std::string> name;
  *name = "main";
  std::printf("%s %d\n", name->c_str(), id > 0);
}

void locks() {
  weft::mutex m;
  weft::rw_mutex rw;
  weft::cond ready;
  bool go_on = false;
  {
    std::scoped_lock hold(m);
  }
  {
    std::shared_lock hold(rw);
  }
  weft::go([&] {
    std::scoped_lock hold(m);
    go_on = true;
    ready.notify_all();
  });
  std::unique_lock lock(m);
  ready.wait(lock, [&] { return go_on; });
  lock.unlock();
  weft::once once;
  once.call([] { std::puts("once"); });
  weft::semaphore units(4);
  units.acquire();
  units.release();
}

// A pool of threads and a queue, with the lock, the condition and the flag that it takes.
class pool {
 public:
  explicit pool(int threads) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
  }
  void submit(int job) {
    std::scoped_lock hold(lock_);
    jobs_.push(job);
    changed_.notify_one();
  }
  int finish() {
    {
      std::scoped_lock hold(lock_);
      ended_ = true;
      changed_.notify_all();
    }
    for (auto& t : threads_) t.join();
    return sum_;
  }

 private:
  void run() {
    std::unique_lock lock(lock_);
    while (true) {
      changed_.wait(lock, [&] { return ended_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      const int job = jobs_.front();
      jobs_.pop();
      lock.unlock();
      const int result = f(job);
      lock.lock();
      sum_ += result;
    }
  }
  std::mutex lock_;
  std::condition_variable changed_;
  std::queue<int> jobs_;
  bool ended_ = false;
  int sum_ = 0;
  std::vector<std::thread> threads_;
};

// The same with a goroutine for each job, eight at a time.
int sum_with_goroutines(const std::vector<int>& jobs) {
  std::atomic<int> sum{0};
  weft::group g;
  g.limit(8);
  for (int job : jobs) g.go([&, job] { sum += f(job); });
  (void)g.wait();
  return sum;
}

// One that may be stopped: by its context, which every wait knows.
void heartbeat(const weft::context& ctx, int& beats) {
  weft::ticker every(1ms);
  for (bool alive = true; alive;)
    weft::select(weft::on_recv(every.c(), [&] { ++beats; }),
                 weft::on_done(ctx, [&] { alive = false; }));
}

void stopping() {
  int beats = 0;
  {
    auto [ctx, cancel] = weft::with_cancel(weft::background());
    auto t = weft::spawn([&] { heartbeat(ctx, beats); });
    weft::sleep_for(20ms);
    cancel();
    t.join();
  }
  std::printf("beats: %d\n", beats > 0);
}

// A thread stays a thread where it must: a library that wants its own, a real-time priority.
void beside_threads() {
  auto lines = weft::make_chan<std::string>(16);
  std::thread reader([lines] {
    lines.send("from a thread");
    lines.close();
  });
  for (auto&& line : lines) std::printf("%s\n", line.c_str());
  weft::blocking([&] { reader.join(); });
}

}  // namespace

int main() {
  pool threads(4);
  std::vector<int> jobs;
  for (int i = 0; i < 100; ++i) {
    threads.submit(i);
    jobs.push_back(i);
  }
  std::printf("pool: %d\n", threads.finish());
  return weft::run([&] {
    std::printf("goroutines: %d\n", sum_with_goroutines(jobs));
    ::threads();
    locks();
    stopping();
    beside_threads();
  });
}
