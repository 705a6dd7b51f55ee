// SPDX-License-Identifier: Apache-2.0
// weft-kv: a key-value server that Redis's own clients talk to. docs/guide/kv.md.
#include <sys/resource.h>

#include <csignal>
#include <cstdio>

#include "options.hpp"
#include "server.hpp"
#include "weft/net/notify.hpp"
#include "weft/sched/run.hpp"
#include "weft/sync/context.hpp"

namespace {

/// Every connection is a descriptor: all that the system lets us have.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

int serve(const kv::server_options& how) {
  auto [ctx, stop] = weft::net::notify_context(weft::background(), {SIGTERM, SIGINT});
  kv::server server(how);
  if (const weft::result<void> bound = server.listen(); !bound) {
    std::fprintf(stderr, "weft-kv: %s\n", bound.error().message().c_str());
    return 1;
  }
  std::printf("weft-kv ready on %s\n", server.addr().string().c_str());
  std::fflush(stdout);
  server.run(ctx);
  std::printf("weft-kv stopped\n");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  kv::server_options how;
  bool help = false;
  std::string message;
  if (!kv::parse_options({argv + 1, static_cast<size_t>(argc > 0 ? argc - 1 : 0)}, how, help,
                         message)) {
    std::fprintf(stderr, "weft-kv: %s\n%s", message.c_str(), kv::usage());
    return 2;
  }
  if (help) {
    std::fputs(kv::usage(), stdout);
    return 0;
  }
  raise_descriptor_limit();
  return weft::run([&] { return serve(how); });
}
