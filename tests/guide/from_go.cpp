// SPDX-License-Identifier: Apache-2.0
// What docs/guide/moving-from-go.md quotes: its table's right column, line by line.
#include <weft/weft.hpp>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace {

int f(int x) { return x + 1; }
void handle(int v) { std::printf("got %d\n", v); }

void goroutines() {
  const int x = 1;
  auto results = weft::make_chan<int>(1);
  weft::go([=] { results.send(f(x)); });
  std::printf("%d\n", results.recv().value());
  auto t = weft::spawn([=] { return f(x); });
  std::printf("%d\n", t.join());
  weft::yield();
  weft::sleep_for(1ms);
  const int procs = weft::maxprocs(0);
  const int64_t count = weft::num_goroutine();
  std::printf("procs %d, goroutines %d\n", procs > 0, count > 0);
}

void channels() {
  auto ch = weft::make_chan<int>();
  auto buffered = weft::make_chan<int>(8);
  weft::chan<int> nil;
  const int v = 7;
  weft::go([=] {
    ch.send(v);
    ch.close();
  });
  if (auto got = ch.recv()) handle(*got);
  std::printf("closed: %d\n", !ch.recv().has_value());
  buffered.send(1);
  buffered.send(2);
  std::printf("len %zu cap %zu\n", buffered.len(), buffered.cap());
  buffered.close();
  for (int each : buffered) handle(each);
  weft::send_chan<int> out = ch;
  weft::recv_chan<int> in = ch;
  std::printf("nil: %d, same: %d\n", nil == nullptr, out == in);
}

void selects(const weft::context& ctx) {
  auto in = weft::make_chan<int>(1);
  auto out = weft::make_chan<int>(1);
  const int v = 5;
  in.send(4);
  weft::select(weft::on_recv(in, [](std::optional<int> got) {
    if (got) handle(*got);
  }));
  weft::select(weft::on_send(out, v, [] { std::puts("sent"); }));
  weft::select(weft::on_recv(in), weft::after(1ms, [] { std::puts("timeout"); }));
  weft::select(weft::on_recv(in), weft::otherwise([] { std::puts("default"); }));
  weft::select(weft::on_recv(in), weft::on_done(ctx, [] { std::puts("done"); }));
}

void work() { weft::panic("broken"); }

void defer_and_panic() {
  weft::mutex mu;
  {
    mu.lock();
    weft::defer unlock([&] { mu.unlock(); });
    std::puts("in the block");
  }
  try {
    work();
  } catch (const weft::panic_error& p) {
    std::printf("recovered: %s\n", p.what());
  }
}

const weft::error not_found("not found");

weft::result<std::string> find(const std::string& name) {
  if (name == "ada") return "Ada Lovelace";
  return weft::fail(weft::error::wrap("find " + name, not_found));
}

void errors() {
  auto found = find("bob");
  if (!found) std::printf("%s\n", found.error().message().c_str());
  std::printf("is not_found: %d\n", found.error().is(not_found));
  std::printf("%s\n", find("ada")->c_str());
}

const weft::context_key<std::string> user{"user"};

void contexts() {
  weft::context root = weft::background();
  auto [ctx, cancel] = weft::with_cancel(root);
  auto [timed, cancel_timed] = weft::with_timeout(ctx, 5s);
  auto named = weft::with_value(timed, user, "ada");
  std::printf("user %s\n", named.value(user)->c_str());
  auto stop = weft::after_func(ctx, [] {});
  stop();
  cancel();
  named.done().recv();
  std::printf("%s\n", named.err().message().c_str());
  std::printf("canceled: %d\n", named.err() == weft::canceled);
  std::printf("cause: %s\n", weft::cause(named).message().c_str());
}

void synchronization() {
  weft::mutex mu;
  weft::rw_mutex rw;
  {
    std::scoped_lock hold(mu);
  }
  {
    std::shared_lock reading(rw);
  }
  weft::wait_group wg;
  wg.go([] {});
  wg.add(1);
  weft::go([&] { wg.done(); });
  wg.wait();
  weft::once once;
  once.call([] { std::puts("once"); });
  auto config = weft::once_value([] { return std::string("loaded"); });
  std::printf("%s\n", config().c_str());
  weft::cond cond;
  bool ready = false;
  weft::go([&] {
    std::scoped_lock hold(mu);
    ready = true;
    cond.signal();
  });
  std::unique_lock held(mu);
  cond.wait(held, [&] { return ready; });
  held.unlock();
  auto [g, ctx] = weft::with_group(weft::background());
  g.limit(4);
  g.go([]() -> weft::result<void> { return weft::fail(not_found); });
  auto done = g.wait();
  std::printf("group: %s\n", done.error().message().c_str());
  weft::semaphore sem(10);
  if (sem.try_acquire(3)) sem.release(3);
}

void no_types_of_their_own() {
  std::atomic<int> counter{0};
  ++counter;
  weft::atomic_value<std::string> value;
  value.store("new");
  std::printf("%s\n", value.load().c_str());
  weft::sync_map<std::string, int> shared_map;
  shared_map.store("a", 1);
  auto [actual, loaded] = shared_map.load_or_store("a", 2);
  std::printf("%d %d\n", actual, loaded ? 1 : 0);
  shared_map.range([](const std::string& key, int n) { std::printf("%s %d\n", key.c_str(), n); });
  std::printf("%zu\n", shared_map.size());
}

void times() {
  weft::timer timer(1ms);
  timer.c().recv();
  timer.reset(1h);
  std::printf("stopped: %d\n", timer.stop());
  weft::ticker ticker(1ms);
  ticker.c().recv();
  ticker.stop();
  weft::after(1ms).recv();
  auto fired = weft::make_chan<int>();
  auto t = weft::after_func(1ms, [=] { fired.close(); });
  fired.recv();
  auto start = weft::now();
  std::printf("elapsed: %d\n", weft::now() - start >= 0s);
}

void network() {
  auto ln = weft::net::listen("tcp", "127.0.0.1:0");
  weft::wait_group serving;
  serving.go([&] {
    while (auto conn = ln->accept()) (void)conn->write("hello");
  });
  auto conn = weft::net::dial("tcp", ln->addr().string());
  char buf[5];
  auto n = conn->read(std::span<char>(buf));
  std::printf("%.*s\n", static_cast<int>(*n), buf);
  (void)ln->close();
  serving.wait();  // it holds ln by reference
  auto [ctx, stop] = weft::net::notify_context(weft::background(), {SIGTERM});
  std::raise(SIGTERM);
  ctx.done().recv();
  std::printf("%s\n", weft::cause(ctx).message().c_str());
}

// A worker pool, as one would write it in Go.
int sum_of_squares(int n) {
  auto jobs = weft::make_chan<int>();
  auto results = weft::make_chan<int>();
  weft::wait_group workers;
  for (int w = 0; w < 4; ++w)
    workers.go([=] {
      for (int j : jobs) results.send(j * j);
    });
  weft::go([=] {
    for (int i = 1; i <= n; ++i) jobs.send(i);
    jobs.close();
  });
  weft::go([&, results] {
    workers.wait();
    results.close();
  });
  int sum = 0;
  for (int r : results) sum += r;
  return sum;
}

}  // namespace

int main() {
  return weft::run([] {
    goroutines();
    channels();
    auto [ctx, cancel] = weft::with_cancel(weft::background());
    cancel();
    selects(ctx);
    defer_and_panic();
    errors();
    contexts();
    synchronization();
    no_types_of_their_own();
    times();
    network();
    std::printf("squares: %d\n", sum_of_squares(10));
  });
}
