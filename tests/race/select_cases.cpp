// SPDX-License-Identifier: Apache-2.0
// select: the chosen case orders what the same operation alone would, and the others nothing.
#include <vector>

#include "cases.hpp"

using namespace std::chrono_literals;

CLEAN(select_receives) {
  word x = 0;
  auto a = weft::make_chan<int>();
  auto b = weft::make_chan<int>();
  weft::go([&x, a] {
    x = 1;
    a.send(0);
  });
  weft::select(weft::on_recv(a), weft::on_recv(b));
  x = 2;
}

CLEAN(select_sends) {
  word x = 0;
  auto a = weft::make_chan<int>();
  auto b = weft::make_chan<int>();
  weft::go([&x, b] {
    x = 1;
    (void)b.recv();
  });
  weft::select(weft::on_send(a, 1), weft::on_send(b, 2));
  x = 2;
}

CLEAN(select_waits_and_is_woken) {
  word x = 0;
  auto a = weft::make_chan<int>();
  auto b = weft::make_chan<int>(1);
  auto waiter = weft::spawn([&, a, b] {
    weft::select(weft::on_recv(a), weft::on_recv(b));
    x = x + 1;
  });
  weft::sleep_for(2ms);
  x = 1;
  b.send(0);
  waiter.join();
}

CLEAN(two_selects_meet) {
  word x = 0;
  auto a = weft::make_chan<int>();
  auto b = weft::make_chan<int>();
  auto other = weft::spawn([&, a, b] {
    x = 1;
    weft::select(weft::on_send(a, 1), weft::on_send(b, 1));
  });
  weft::select(weft::on_recv(a), weft::on_recv(b));
  x = 2;
  other.join();
}

CLEAN(select_sees_close) {
  word x = 0;
  auto a = weft::make_chan<int>();
  auto b = weft::make_chan<int>();
  weft::go([&x, b] {
    x = 1;
    b.close();
  });
  weft::select(weft::on_recv(a), weft::on_recv(b));
  x = 2;
}

RACY(select_of_another_case) {
  word x = 0;
  auto a = weft::make_chan<int>(1);
  auto b = weft::make_chan<int>(1);
  unseen::flag done;
  weft::go([&, a] {
    x = 1;
    a.send(0);
    done.set();
  });
  done.wait();
  b.send(0);
  // Both are ready; the one that was not chosen orders nothing.
  if (weft::select(weft::on_recv(a), weft::on_recv(b)) == 0) {
    word y = 0;  // as racy as the other choice
    unseen::flag again;
    weft::go([&] {
      y = 1;
      again.set();
    });
    again.wait();
    y = 2;
  }
  x = 2;
}

RACY(select_otherwise) {
  word x = 0;
  auto a = weft::make_chan<int>();
  unseen::flag done;
  weft::go([&, a] {
    x = 1;
    done.set();
    (void)a.recv();
  });
  done.wait();
  auto nobody = weft::make_chan<int>();
  weft::select(weft::on_recv(nobody), weft::otherwise());
  x = 2;
}

RACY(select_timeout) {
  word x = 0;
  auto a = weft::make_chan<int>();
  unseen::flag done;
  weft::go([&] {
    x = 1;
    done.set();
  });
  done.wait();
  weft::select(weft::on_recv(a), weft::after(1ms, [] {}));
  x = 2;
}

RACY(after_the_selected_send) {
  word x = 0;
  auto a = weft::make_chan<int>();
  unseen::flag done;
  weft::go([&, a] {
    weft::select(weft::on_send(a, 1));
    x = 1;
    done.set();
  });
  (void)a.recv();
  done.wait();
  x = 2;
}

RACY(selected_send_beside_close) {
  auto a = weft::make_chan<int>(1);
  unseen::flag done;
  weft::go([&, a] {
    weft::select(weft::on_send(a, 1));
    done.set();
  });
  done.wait();
  a.close();
}

RACY(receiver_waiting_in_select_is_not_before_the_send) {
  word x = 0;
  auto a = weft::make_chan<int>(1);
  auto b = weft::make_chan<int>();
  unseen::flag started;
  weft::go([&, a, b] {
    x = 1;
    started.set();
    weft::select(weft::on_recv(a), weft::on_recv(b));
  });
  started.wait();
  weft::sleep_for(2ms);
  a.send(0);
  x = 2;
}

CLEAN(receiver_waiting_in_select_before_the_next_send) {
  word x = 0;
  auto a = weft::make_chan<int>(1);
  auto b = weft::make_chan<int>();
  unseen::flag started;
  weft::go([&, a, b] {
    x = 1;
    started.set();
    weft::select(weft::on_recv(a), weft::on_recv(b));
    (void)a.recv();
  });
  started.wait();
  weft::sleep_for(2ms);
  a.send(0);
  a.send(0);
  x = 2;
}

CLEAN(select_any_of_many) {
  word x = 0;
  std::vector<weft::chan<int>> all;
  for (int i = 0; i < 20; ++i) all.push_back(weft::make_chan<int>());
  weft::go([&x, c = all[13]] {
    x = 1;
    c.send(0);
  });
  std::vector<weft::select_case> cases;
  for (auto& c : all) cases.emplace_back(weft::on_recv(c));
  weft::select_any(cases);
  x = 2;
}

CLEAN(select_functions_run_in_the_selecting_goroutine) {
  word x = 0;
  auto a = weft::make_chan<int>();
  weft::go([&x, a] {
    x = 1;
    a.send(7);
  });
  weft::select(weft::on_recv(a, [&](std::optional<int> v) { x = *v; }));
  x = 3;
}
