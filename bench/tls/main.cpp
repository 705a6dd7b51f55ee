// SPDX-License-Identifier: Apache-2.0
// tls-bench ROW PROCS SCALE: TLS 1.3 over the loopback, both ends in one process, ECDSA P-256, with
// a certificate that a chain of one authority signs, verified by the client.
#include "bench/common/measure.hpp"
#include "weft/sched/run.hpp"
#include "weft/sync/wait_group.hpp"
#include "weft/tls/certificates_testing.hpp"
#include "weft/tls/tls.hpp"

namespace {

using bench::call;
namespace net = weft::net;

constexpr int clients = 8;

void must(bool holds) {
  if (!holds) std::abort();
}

/// Answers each connection with a byte and waits for its end.
void serve(const net::listener& on) {
  for (;;) {
    auto got = on.accept();
    if (!got) return;
    weft::go([c = *got] {
      char buffer[64];
      if (!c.write("x")) return;
      (void)c.read(std::span<char>(buffer));
      (void)c.close();
    });
  }
}

void connect_once(const net::tls_context& tls, const std::string& where, bool resumed) {
  const auto c = net::dial_tls(weft::background(), "tcp", where, tls);
  must(c.has_value());
  char byte = 0;
  must(c->read(std::span<char>(&byte, 1)).value_or(0) == 1);  // tickets come before it
  if (resumed) bench::keep(byte);
  (void)c->close();
}

void handshakes(const call& c, bool resumed) {
  weft::run({.procs = c.procs}, [&] {
    const weft::tls_testing::small_world world;
    const auto serving = net::tls_context::make(world.server()).value();
    net::tls_config calling = world.client();
    calling.client_sessions_max = resumed ? 64 : 0;
    const auto client = net::tls_context::make(calling).value();
    const auto on = net::listen_tls("tcp", "127.0.0.1:0", serving).value();
    weft::go([&] { serve(on); });
    const std::string where = on.addr().string();
    const auto shake = [&](int64_t count) {
      weft::wait_group all;
      for (int i = 0; i < clients; ++i)
        all.go([&, count] {
          for (int64_t n = 0; n < count / clients; ++n) connect_once(client, where, resumed);
        });
      all.wait();
    };
    const int64_t count = c.count(2000, clients);
    shake(std::max<int64_t>(count / 10, clients));
    if (resumed) {
      const auto check = net::dial_tls(weft::background(), "tcp", where, client);
      must(check && net::tls_state(*check)->resumed);
    }
    bench::result r(c);
    r.start();
    shake(count);
    r.stop(count);
    r.print("weft");
    (void)on.close();
  });
}

/// Records of 16 KiB from one end to the other.
void records(const call& c) {
  weft::run({.procs = c.procs}, [&] {
    const weft::tls_testing::small_world world;
    const auto on = net::listen_tls("tcp", "127.0.0.1:0", world.server()).value();
    constexpr size_t bytes = 16384;
    const int64_t count = c.count(20'000);
    weft::go([&] {
      const net::conn to = on.accept().value();
      const std::string record(bytes, 'x');
      char byte = 0;
      while (to.read(std::span<char>(&byte, 1)).value_or(0) == 1)
        for (int64_t i = 0; i < count; ++i) must(to.write(record).has_value());
    });
    const auto from =
        net::dial_tls(weft::background(), "tcp", on.addr().string(), world.client()).value();
    std::string buffer(bytes, '\0');
    const auto take = [&] {
      must(from.write("g").has_value());
      for (int64_t i = 0; i < count; ++i)
        must(from.read_full(std::span<char>(buffer)).value_or(0) == bytes);
    };
    take();
    bench::result r(c);
    r.start();
    take();
    r.stop(count);
    r.print("weft");
    (void)from.close();
  });
}

constexpr bench::entry rows[] = {
    {"tls_full", [](const call& c) { handshakes(c, false); }},
    {"tls_resumed", [](const call& c) { handshakes(c, true); }},
    {"tls_16k", records},
};

}  // namespace

int main(int argc, char** argv) { return bench::dispatch(argc, argv, rows); }
