// SPDX-License-Identifier: Apache-2.0
// What docs/guide/blocking-and-threads.md quotes.
#include <poll.h>
#include <unistd.h>
#include <weft/weft.hpp>

#include <atomic>
#include <cstdio>
#include <mutex>
#include <thread>

using namespace std::chrono_literals;

namespace {

// A library of somebody else's, which knows nothing of goroutines and sleeps in the kernel.
int their_query(int milliseconds) { return ::poll(nullptr, 0, milliseconds); }

int their_read(int descriptor) {
  char byte = 0;
  return static_cast<int>(::read(descriptor, &byte, 1));
}

void unannounced() {
  int ends[2];
  if (::pipe(ends) != 0) return;
  auto reader = weft::spawn([&] { return their_read(ends[0]); });  // until somebody writes
  weft::yield();                                                   // it is asleep in there now
  std::puts("the others go on");                                   // on another thread
  (void)!::write(ends[1], "x", 1);
  std::printf("read: %d\n", reader.join());
  ::close(ends[0]);
  ::close(ends[1]);
}

void announced() {
  const int rows = weft::blocking([] { return their_query(5); });
  std::printf("rows: %d\n", rows);
}

void computing() {
  std::atomic<bool> enough{false};
  auto hog = weft::spawn([&] {
    long turns = 0;
    while (!enough) ++turns;  // no call, no yield
    return turns > 0;
  });
  weft::yield();
  enough = true;  // reached although there is one processor: the hog has lost it
  std::printf("computed: %d\n", hog.join());
}

// At most four of these at a time, however many goroutines ask: each one in the call has a thread.
class their_client {
 public:
  int query(const weft::context& ctx, int milliseconds) {
    if (!connections_.acquire(ctx)) return -1;
    const weft::defer give_back([&] { connections_.release(); });
    return weft::blocking([&] { return their_query(milliseconds); });
  }

 private:
  weft::semaphore connections_{4};
};

void limited() {
  their_client client;
  std::atomic<int> answered{0};
  weft::wait_group all;
  for (int i = 0; i < 100; ++i)
    all.go([&] { answered += client.query(weft::background(), 1) == 0; });
  all.wait();
  std::printf("answered: %d\n", answered.load());
}

// Their call cannot be cancelled, but nobody has to wait for it.
weft::result<int> query_until(const weft::context& ctx, int milliseconds) {
  auto answer = weft::make_chan<int>(1);  // room for one: the call may end when nobody listens
  weft::go([=] { answer.send(weft::blocking([=] { return their_query(milliseconds); })); });
  weft::result<int> got;
  weft::select(weft::on_recv(answer, [&](std::optional<int> rows) { got = rows.value_or(0); }),
               weft::on_done(ctx, [&] { got = weft::fail(ctx.err()); }));
  return got;
}

void given_up() {
  auto [ctx, cancel] = weft::with_timeout(weft::background(), 5ms);
  auto got = query_until(ctx, 200);
  std::printf("%s\n", got.error().message().c_str());
}

// Their library calls back on a thread of its own.
void their_subscribe(int events, void (*callback)(int, void*), void* data, std::thread& worker) {
  worker = std::thread([=] {
    for (int i = 0; i < events; ++i) callback(i, data);
    callback(-1, data);
  });
}

void callbacks() {
  auto events = weft::make_chan<int>(16);
  std::thread worker;
  their_subscribe(
      3,
      [](int event, void* data) {
        auto& to = *static_cast<weft::chan<int>*>(data);
        if (event < 0)
          to.close();
        else
          to.send(event);  // blocks that thread, if the channel is full
      },
      &events, worker);
  for (int event : events) std::printf("event %d\n", event);
  weft::blocking([&] { worker.join(); });
}

// A thread with work of its own, which takes part.
void mixed() {
  weft::mutex lock;
  int balance = 0;
  auto add = [&] {
    for (int i = 0; i < 1000; ++i) {
      const std::scoped_lock hold(lock);
      ++balance;
    }
  };
  std::thread thread(add);  // not one of Weft's
  auto goroutine = weft::spawn(add);
  goroutine.join();
  weft::blocking([&] { thread.join(); });
  std::printf("balance %d\n", balance);
}

}  // namespace

int main() {
  const int status = weft::run({.procs = 1}, [] {
    unannounced();
    announced();
    computing();
    limited();
    given_up();
    callbacks();
    mixed();
  });
  // Before run() and after it there are no goroutines, and this is a thread as any other.
  std::puts("after run");
  return status;
}
