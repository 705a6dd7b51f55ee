// SPDX-License-Identifier: Apache-2.0
// sync_map and atomic_value: what a load sees was done before; what it does not see is a race. Of
// the reclamation behind them the detector must say nothing. The other goroutine is joined at the
// end: its store has not returned when the value is seen, and uses the map until then.
#include <memory>
#include <string>

#include "cases.hpp"

CLEAN(sync_map_store_then_load) {
  weft::sync_map<int, int> map;
  word x = 0;
  auto other = weft::spawn([&] {
    x = 1;
    map.store(1, 5);
  });
  while (!map.load(1)) weft::yield();
  x = 2;
  other.join();
}

CLEAN(sync_map_overwrite_then_load) {
  weft::sync_map<int, int> map;
  map.store(1, 0);
  word x = 0;
  auto other = weft::spawn([&] {
    x = 1;
    map.store(1, 5);
  });
  while (map.load(1) != 5) weft::yield();
  x = 2;
  other.join();
}

CLEAN(sync_map_boxed_store_then_read) {
  weft::sync_map<std::string, std::shared_ptr<int>> map;
  auto other = weft::spawn([&] {
    auto p = std::make_shared<int>(1);
    map.store("a key", p);
  });
  std::shared_ptr<int> seen;
  while (!map.read("a key", [&](const std::shared_ptr<int>& p) { seen = p; })) weft::yield();
  *seen = 2;
  other.join();
}

CLEAN(sync_map_key_after_the_table_has_grown) {
  // The node was published by one, and moved by another.
  weft::sync_map<std::string, std::string> map;
  map.store("first", "value");
  weft::wait_group all;
  for (int g = 0; g < 3; ++g)
    all.go([&, g] {
      for (int i = 0; i < 300; ++i) map.store(std::to_string(g * 1000 + i), std::to_string(i));
    });
  for (int i = 0; i < 300; ++i) {
    if (map.load("first") != "value") weft::panic("lost");
    (void)map.load(std::to_string(i));
    if (i % 50 == 0) weft::yield();
  }
  all.wait();
}

CLEAN(sync_map_values_are_reclaimed_beside_readers) {
  weft::sync_map<int, std::string> map;
  for (int k = 0; k < 4; ++k) map.store(k, std::string(40, 'a'));
  weft::wait_group all;
  for (int g = 0; g < 2; ++g)
    all.go([&] {
      for (int i = 0; i < 1500; ++i) {
        map.store(i % 4, std::string(40, static_cast<char>('a' + i % 26)));
        if (i % 7 == 0) map.erase(i % 4);
        if (i % 100 == 0) weft::yield();
      }
    });
  for (int g = 0; g < 2; ++g)
    all.go([&] {
      for (int i = 0; i < 1500; ++i) {
        map.read(i % 4, [](const std::string& s) {
          if (s[0] != s[39]) weft::panic("torn");
        });
        if (i % 100 == 0) weft::yield();
      }
    });
  all.wait();
}

CLEAN(sync_map_load_and_delete_hands_over) {
  weft::sync_map<int, int*> map;
  word x = 0;
  auto other = weft::spawn([&] {
    x = 1;
    map.store(1, const_cast<int*>(&x));
  });
  std::optional<int*> got;
  while (!got) {
    got = map.load_and_delete(1);
    if (!got) weft::yield();
  }
  **got = 2;
  other.join();
}

RACY(sync_map_load_before_store) {
  // Loads order nothing for a later store.
  weft::sync_map<int, int> map;
  word x = 0;
  unseen::flag loaded;
  auto other = weft::spawn([&] {
    x = 1;
    (void)map.load(1);
    loaded.set();
  });
  loaded.wait();
  map.store(1, 1);
  x = 2;
  other.join();
}

RACY(sync_map_what_values_point_to) {
  weft::sync_map<int, int*> map;
  word x = 0;
  map.store(1, const_cast<int*>(&x));
  unseen::flag done;
  auto other = weft::spawn([&] {
    *const_cast<word*>(*map.load(1)) = 1;
    done.set();
  });
  done.wait();
  *const_cast<word*>(*map.load(1)) = 2;
  other.join();
}

CLEAN(atomic_value_store_then_load) {
  weft::atomic_value<int> flag;
  word x = 0;
  auto other = weft::spawn([&] {
    x = 1;
    flag.store(1);
  });
  while (flag.load() == 0) weft::yield();
  x = 2;
  other.join();
}

CLEAN(atomic_value_boxes_are_reclaimed_beside_readers) {
  weft::atomic_value<std::string> value(std::string(40, 'a'));
  weft::wait_group all;
  all.go([&] {
    for (int i = 0; i < 1500; ++i) {
      value.store(std::string(40, static_cast<char>('a' + i % 26)));
      if (i % 100 == 0) weft::yield();
    }
  });
  all.go([&] {
    for (int i = 0; i < 500; ++i) value.update([](std::string& s) { s[39] = s[0]; });
  });
  for (int i = 0; i < 1500; ++i) {
    if (value.read([](const std::string& s) { return s.size(); }) != 40) weft::panic("size");
    if (i % 100 == 0) weft::yield();
  }
  all.wait();
}

RACY(atomic_value_load_before_store) {
  weft::atomic_value<std::string> value;
  word x = 0;
  unseen::flag loaded;
  auto other = weft::spawn([&] {
    x = 1;
    (void)value.load();
    loaded.set();
  });
  loaded.wait();
  value.store("later");
  x = 2;
  other.join();
}
