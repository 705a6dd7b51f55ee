// SPDX-License-Identifier: Apache-2.0
// Sockets: echo clients that are cut off at any moment, deadlines, the key-value server of the
// examples with clients of our own and, where there is one, the real redis-benchmark.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "server.hpp"
#include "soak.hpp"

using namespace std::chrono_literals;
namespace net = weft::net;

namespace soak {
namespace {

template <class T>
T must(weft::result<T> got, const char* what) {
  if (!got) {
    std::fprintf(stderr, "soak: %s: %s\n", what, got.error().message().c_str());
    failed(what, 0, 1);
  }
  return std::move(*got);
}

void serve_echo(const net::listener& listener, weft::wait_group& clients) {
  while (auto accepted = listener.accept())
    clients.go([c = *accepted] {
      char buffer[1024];
      while (true) {
        const auto got = c.read(std::span<char>(buffer));
        if (!got || *got == 0 || !c.write(std::string_view(buffer, *got))) return;
      }
    });
}

void one_echo_client(std::mt19937& random, const std::string& where, const char* network,
                     std::atomic<uint64_t>& steps) {
  const net::conn c = must(net::dial(network, where), "dial");
  const weft::defer close([&] { (void)c.close(); });
  for (int i = 0; i < 20; ++i) {
    const std::string text(1 + random() % 3000, static_cast<char>('a' + random() % 26));
    if (random() % 50 == 0) return;  // gone, with an answer on its way
    auto writing = weft::spawn([&] { (void)c.write(text); });
    std::string answer(text.size(), ' ');
    const auto got = c.read_full(std::span<char>(answer));
    writing.join();
    expect_equal("bytes echoed", static_cast<int64_t>(must(got, "read")),
                 static_cast<int64_t>(text.size()));
    if (answer != text) failed("bytes of an echo", 0, 1);
    ++steps;
  }
  (void)c.set_read_deadline(weft::now() + 500us);
  char byte[1];
  const auto late = c.read(std::span<char>(byte));
  if (late || !late.error().timeout()) failed("deadline of a read", 0, 1);
}

void echo(const weft::context& ctx, std::atomic<uint64_t>& steps, const char* network,
          const std::string& address) {
  const net::listener listener = must(net::listen(network, address), "listen");
  weft::wait_group clients;
  auto accepting = weft::spawn([&] { serve_echo(listener, clients); });
  crowd(ctx, 6, [&](std::mt19937& random) {
    one_echo_client(random, listener.addr().string(), network, steps);
  });
  (void)listener.close();
  accepting.join();
  clients.wait();
}
void echo_tcp(const weft::context& ctx, std::atomic<uint64_t>& steps) {
  echo(ctx, steps, "tcp", "127.0.0.1:0");
}
void echo_unix(const weft::context& ctx, std::atomic<uint64_t>& steps) {
  echo(ctx, steps, "unix", "@weft-soak-" + std::to_string(::getpid()));
}

/// A signal becomes the end of a context.
void signals(const weft::context& ctx, std::atomic<uint64_t>& steps) {
  while (!ctx.err()) {
    auto [notified, stop] = net::notify_context(ctx, {SIGUSR2});
    ::kill(::getpid(), SIGUSR2);
    notified.done().recv();
    ++steps;
    weft::sleep_for(20ms);
  }
}

/// A few commands in one write, and their answers.
void one_kv_client(std::mt19937& random, const std::string& where, std::atomic<uint64_t>& steps) {
  const net::conn c = must(net::dial("tcp", where), "dial kv");
  const weft::defer close([&] { (void)c.close(); });
  const std::string key = "k" + std::to_string(random() % 1000);
  const std::string value(random() % 200, 'v');
  for (int i = 0; i < 20; ++i) {
    const std::string length = std::to_string(value.size());
    (void)must(c.write("*3\r\n$3\r\nSET\r\n$" + std::to_string(key.size()) + "\r\n" + key +
                       "\r\n$" + length + "\r\n" + value + "\r\n*1\r\n$4\r\nPING\r\n"),
               "write kv");
    const std::string wanted = "+OK\r\n+PONG\r\n";
    std::string answer(wanted.size(), ' ');
    (void)must(c.read_full(std::span<char>(answer)), "read kv");
    if (answer != wanted) failed("answer of the kv server", 0, 1);
    ++steps;
  }
}

/// Runs the real client until it has ended; false: it is not installed.
bool redis_benchmark(uint16_t port) {
  const std::string number = std::to_string(port);
  const char* words[] = {"redis-benchmark",
                         "-p",
                         number.c_str(),
                         "-q",
                         "-n",
                         "20000",
                         "-P",
                         "16",
                         "-c",
                         "20",
                         "-t",
                         "set,get,incr,lpush,lpop,mset",
                         nullptr};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  const int error =
      ::posix_spawnp(&child, words[0], &actions, nullptr, const_cast<char* const*>(words), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return false;
  int status = -1;
  weft::blocking([&] {
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
  });
  expect_equal("exit status of redis-benchmark", status, 0);
  return true;
}

void key_value(const weft::context& ctx, std::atomic<uint64_t>& steps) {
  auto [serving, stop] = weft::with_cancel(weft::background());
  kv::server_options how;
  how.port = 0;
  kv::server server(how);
  if (const auto bound = server.listen(); !bound) failed("kv listens", 0, 1);
  auto running = weft::spawn([&] { server.run(serving); });
  auto benchmark = weft::spawn([&] {
    while (!ctx.err() && redis_benchmark(server.addr().port)) {
    }
  });
  crowd(ctx, 4,
        [&](std::mt19937& random) { one_kv_client(random, server.addr().string(), steps); });
  benchmark.join();
  stop();
  running.join();
}

constexpr activity all[] = {{"echo_tcp", echo_tcp},
                            {"echo_unix", echo_unix},
                            {"signals", signals},
                            {"key_value", key_value}};

}  // namespace

std::span<const activity> net_activities() { return all; }

}  // namespace soak
