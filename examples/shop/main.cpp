// SPDX-License-Identifier: Apache-2.0
// weft-shop: the services in one program, each alone or all together.
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "gateway.hpp"
#include "ledger.hpp"
#include "risk.hpp"
#include "service.hpp"
#include "sickness.hpp"
#include "weft/http/propagation.hpp"
#include "weft/net/notify.hpp"
#include "weft/observe/prof.hpp"
#include "weft/sched/run.hpp"
#include "weft/sync/group.hpp"

namespace {

constexpr const char* usage =
    "usage: weft-shop [--config FILE] [--check] [--sick NAME] SERVICE...\n"
    "\n"
    "Runs services of the shop until SIGTERM or Ctrl-C: gateway, risk, ledger, or all.\n"
    "\n"
    "  --config FILE  settings, JSON; read again when the file changes. Without it: defaults\n"
    "  --check        read the settings, say whether they are good, and end\n"
    "  --sick NAME    a fault in the gateway, to be found (docs/guide/diagnose.md):\n"
    "                 cpu         burns CPU time for each order\n"
    "                 lock        orders wait for a lock\n"
    "                 memory      each order leaks memory\n"
    "                 goroutines  each order leaks a goroutine\n"
    "                 stall       some orders are never answered\n"
    "  --help         this text\n";

struct arguments {
  std::string config;
  bool check = false;
  std::vector<std::string> services;
};

/// False: `status` is the exit status.
bool parse(int argc, char** argv, arguments& out, int& status) {
  status = 2;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--help") {
      std::fputs(usage, stdout);
      status = 0;
      return false;
    }
    if (word == "--check") {
      out.check = true;
    } else if (word == "--config") {
      if (++i == argc) {
        std::fputs("weft-shop: --config needs a file\n", stderr);
        return false;
      }
      out.config = argv[i];
    } else if (word == "--sick") {
      const shop::sickness what = (++i == argc) ? shop::sickness::none : shop::sickness_of(argv[i]);
      if (what == shop::sickness::none) {
        std::fputs("weft-shop: --sick needs cpu, lock, memory, goroutines or stall\n", stderr);
        return false;
      }
      shop::plant(what);
    } else if (word == "all") {
      out.services = {"ledger", "risk", "gateway"};
    } else if (word == "gateway" || word == "risk" || word == "ledger") {
      out.services.push_back(word);
    } else {
      std::fprintf(stderr, "weft-shop: \"%s\" is no service and no option; see --help\n", argv[i]);
      return false;
    }
  }
  if (!out.services.empty() || out.check) return true;
  std::fputs(usage, stderr);
  return false;
}

weft::result<void> run_service(const weft::context& ctx, const std::string& name,
                               const shop::live_settings& from) {
  const auto now = from.get();
  if (name == "risk")
    return shop::serve(ctx, name, now->risk.listen, now->tls,
                       weft::http::internal_entry()(shop::make_risk(from)));
  if (name == "ledger") {
    auto store = now->ledger.postgres_dsn.empty()
                     ? shop::open_sqlite(now->ledger.sqlite_path)
                     : shop::open_postgres(ctx, now->ledger.postgres_dsn);
    if (!store) return weft::fail(store.error());
    std::printf("ledger keeps its books in %s\n", std::string((*store)->kind()).c_str());
    return shop::serve(ctx, name, now->ledger.listen, now->tls,
                       weft::http::internal_entry()(shop::make_ledger(from, std::move(*store))));
  }
  return shop::serve(
      ctx, name, now->gateway.listen, now->tls,
      shop::make_gateway(from, shop::make_client(now->tls), shop::start_receipts(ctx)));
}

int run(const arguments& asked) {
  // One in ten waits for a lock is recorded: cheap enough to be always on, and there when needed.
  weft::prof::set_mutex_fraction(10);
  const auto from = shop::live_settings::open(asked.config);
  if (!from) {
    std::fprintf(stderr, "weft-shop: %s\n", from.error().message().c_str());
    return 1;
  }
  if (asked.check) {
    std::puts("the settings are good");
    return 0;
  }
  auto [ctx, stop] = weft::net::notify_context(weft::background(), {SIGTERM, SIGINT});
  auto made = weft::with_group(ctx);
  for (const std::string& name : asked.services)
    made.g.go([&, name] {
      auto ended = run_service(made.ctx, name, *from);
      return ended ? ended : weft::result<void>(weft::fail(weft::error::wrap(name, ended.error())));
    });
  if (const auto ended = made.g.wait(); !ended) {
    std::fprintf(stderr, "weft-shop: %s\n", ended.error().message().c_str());
    return 1;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  arguments asked;
  int status = 0;
  if (!parse(argc, argv, asked, status)) return status;
  return weft::run([&] { return run(asked); });
}
