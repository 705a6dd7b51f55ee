// SPDX-License-Identifier: Apache-2.0
// The code of docs/guide/choosing-shared-data.md.
#include <weft/weft.hpp>

#include <cstdint>
#include <cstdio>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

struct route {
  std::string backend;
  int weight = 1;
};

void lookups() {
  weft::sync_map<std::string, route> routes;
  routes.store("/users", {"10.0.0.1", 1});
  routes.store("/orders", {"10.0.0.2", 3});

  std::optional<route> copy = routes.load("/users");
  int weight = 0;
  routes.read("/orders", [&](const route& r) { weight = r.weight; });  // no copy
  auto [first, loaded] = routes.load_or_store("/users", {"10.0.0.9", 1});
  std::printf("%s %d %s %d\n", copy->backend.c_str(), weight, first.backend.c_str(),
              loaded ? 1 : 0);

  size_t seen = 0;
  routes.range([&](const std::string&, const route&) { ++seen; });
  std::printf("%zu routes\n", seen);
}

struct account {
  int64_t balance = 0;
  int64_t changes = 0;
};

void changes() {
  weft::sharded_map<std::string, account> accounts;
  weft::wait_group all;
  for (int g = 0; g < 10; ++g)
    all.go([&] {
      for (int i = 0; i < 100; ++i)
        accounts.update("ann", [](account& a) {  // made when it is not there
          a.balance += 5;
          ++a.changes;
        });
    });
  all.wait();
  accounts.compute("bob", [](std::optional<account>& a) {
    if (!a) a = account{.balance = 7};
  });
  std::printf("ann %lld bob %lld\n", static_cast<long long>(accounts.load("ann")->balance),
              static_cast<long long>(accounts.load("bob")->balance));
}

struct config {
  int limit = 10;
  std::vector<std::string> backends;
};

void snapshots() {
  weft::atomic_value<config> current(config{20, {"a", "b"}});
  const size_t n = current.read([](const config& c) { return c.backends.size(); });
  current.update([](config& c) { c.backends.push_back("c"); });  // copy, change, publish
  std::printf("%zu then %zu\n", n, current.load().backends.size());
}

void many_at_once() {
  weft::rw_mutex lock;
  std::unordered_map<std::string, int> stock{{"apples", 3}, {"pears", 0}};
  {
    const std::scoped_lock held(lock);  // both entries change, or none
    --stock["apples"];
    ++stock["pears"];
  }
  const std::shared_lock held(lock);
  std::printf("%d apples, %d pears\n", stock["apples"], stock["pears"]);
}

}  // namespace

int main() {
  return weft::run([] {
    lookups();
    changes();
    snapshots();
    many_at_once();
  });
}
