// SPDX-License-Identifier: Apache-2.0
// Foreign threads, which order what goroutines do; and sockets.
#include <mutex>
#include <thread>

#include "cases.hpp"

using namespace std::chrono_literals;

CLEAN(thread_sends) {
  word x = 0;
  auto c = weft::make_chan<int>();
  std::thread t([&x, c] {
    x = 1;
    c.send(0);
  });
  (void)c.recv();
  x = 2;
  weft::blocking([&] { t.join(); });
}

CLEAN(thread_receives) {
  word x = 0;
  auto c = weft::make_chan<int>();
  std::thread t([&x, c] {
    (void)c.recv();
    x = 2;
  });
  x = 1;
  c.send(0);
  weft::blocking([&] { t.join(); });
}

CLEAN(thread_locks) {
  word x = 0;
  weft::mutex m;
  std::thread t([&] {
    for (int i = 0; i < 20; ++i) {
      const std::scoped_lock held(m);
      x = x + 1;
    }
  });
  for (int i = 0; i < 20; ++i) {
    const std::scoped_lock held(m);
    x = x + 1;
    weft::yield();
  }
  weft::blocking([&] { t.join(); });
}

CLEAN(thread_spawns) {
  word x = 0;
  auto c = weft::make_chan<int>();
  std::thread t([&x, c] {
    x = 1;
    weft::go([&x, c] {
      x = 2;
      c.send(0);
    });
  });
  (void)c.recv();
  x = 3;
  weft::blocking([&] { t.join(); });
}

CLEAN(thread_waits_for_a_group) {
  word x = 0;
  weft::wait_group all;
  all.add(1);
  std::thread t([&] {
    all.wait();
    x = 2;
  });
  x = 1;
  all.done();
  weft::blocking([&] { t.join(); });
  x = 3;
}

CLEAN(thread_waits_at_a_buffered_channel) {
  word x = 0;
  auto c = weft::make_chan<int>(1);
  std::thread t([&x, c] {
    x = 1;
    (void)c.recv();
    (void)c.recv();
  });
  weft::sleep_for(5ms);
  c.send(0);
  c.send(0);  // after the first receive
  x = 2;
  weft::blocking([&] { t.join(); });
}

RACY(thread_waiting_at_a_buffered_channel_is_not_before_the_send) {
  word x = 0;
  auto c = weft::make_chan<int>(1);
  unseen::flag started;
  std::thread t([&, c] {
    x = 1;
    started.set();
    (void)c.recv();
  });
  started.wait();
  weft::sleep_for(5ms);
  c.send(0);
  x = 2;
  weft::blocking([&] { t.join(); });
}

CLEAN(thread_waiting_in_select_before_the_next_send) {
  word x = 0;
  auto a = weft::make_chan<int>(1);
  auto b = weft::make_chan<int>();
  std::thread t([&, a, b] {
    x = 1;
    weft::select(weft::on_recv(a), weft::on_recv(b));
    (void)a.recv();
  });
  weft::sleep_for(5ms);
  a.send(0);
  a.send(0);
  x = 2;
  weft::blocking([&] { t.join(); });
}

RACY(thread_waiting_in_select_is_not_before_the_send) {
  word x = 0;
  auto a = weft::make_chan<int>(1);
  auto b = weft::make_chan<int>();
  unseen::flag started;
  std::thread t([&, a, b] {
    x = 1;
    started.set();
    weft::select(weft::on_recv(a), weft::on_recv(b));
  });
  started.wait();
  weft::sleep_for(5ms);
  a.send(0);
  x = 2;
  weft::blocking([&] { t.join(); });
}

CLEAN(thread_waits_at_a_full_buffer) {
  word x = 0;
  auto c = weft::make_chan<int>(1);
  c.send(0);
  std::thread t([&x, c] {
    x = 1;
    c.send(1);
  });
  weft::sleep_for(5ms);
  (void)c.recv();
  (void)c.recv();
  x = 2;
  weft::blocking([&] { t.join(); });
}

CLEAN(thread_is_let_go_on_by_a_receive) {
  word x = 0;
  auto c = weft::make_chan<int>(1);
  c.send(0);
  std::thread t([&x, c] {
    c.send(1);
    x = 2;
  });
  weft::sleep_for(5ms);
  x = 1;
  (void)c.recv();
  weft::blocking([&] { t.join(); });
}

RACY(thread_waiting_to_send_is_not_before_an_earlier_receive) {
  word x = 0;
  auto c = weft::make_chan<int>(1);
  c.send(0);
  unseen::flag started;
  std::thread t([&, c] {
    x = 1;
    started.set();
    c.send(1);
  });
  started.wait();
  weft::sleep_for(5ms);
  (void)c.recv();
  x = 2;
  weft::blocking([&] { t.join(); });
}

RACY(thread_and_goroutine) {
  word x = 0;
  unseen::flag done;
  std::thread t([&] {
    x = 1;
    done.set();
  });
  done.wait();
  x = 2;
  weft::blocking([&] { t.join(); });
}

RACY(thread_after_its_send) {
  word x = 0;
  unseen::flag done;
  auto c = weft::make_chan<int>();
  std::thread t([&, c] {
    c.send(0);
    x = 1;
    done.set();
  });
  (void)c.recv();
  done.wait();
  x = 2;
  weft::blocking([&] { t.join(); });
}

RACY(two_threads) {
  word x = 0;
  unseen::flag done;
  std::thread a([&] {
    x = 1;
    done.set();
  });
  std::thread b([&] {
    done.wait_on_thread();
    x = 2;
  });
  weft::blocking([&] {
    a.join();
    b.join();
  });
}

CLEAN(std_mutex_not_held_across_a_park) {
  word x = 0;
  std::mutex m;
  weft::wait_group all;
  for (int g = 0; g < 4; ++g)
    all.go([&] {
      for (int i = 0; i < 10; ++i) {
        m.lock();
        x = x + 1;
        m.unlock();
        weft::yield();
      }
    });
  all.wait();
}

// --- sockets: a write happens before the read that gets its bytes --------------------------------

namespace {

template <class Server, class Client>
void talk(Server serve, Client call) {
  auto listener = weft::net::listen("tcp", "127.0.0.1:0").value();
  auto server = weft::spawn([&] { serve(listener.accept().value()); });
  call(weft::net::dial("tcp", listener.addr().string()).value());
  server.join();
}

}  // namespace

CLEAN(socket_write_before_read) {
  word x = 0;
  talk(
      [&](weft::net::conn c) {
        char byte[1];
        (void)c.read(byte);
        x = 2;
      },
      [&](weft::net::conn c) {
        x = 1;
        (void)c.write("x");
      });
}

RACY(socket_after_the_write) {
  word x = 0;
  unseen::flag done;
  talk(
      [&](weft::net::conn c) {
        char byte[1];
        (void)c.read(byte);
        done.wait();
        x = 2;
      },
      [&](weft::net::conn c) {
        (void)c.write("x");
        x = 1;
        done.set();
      });
}

CLEAN(socket_closed_beside_a_read) {
  talk([](weft::net::conn c) { (void)c.close(); },
       [](weft::net::conn c) {
         unseen::flag reads;
         auto reader = weft::spawn([&] {
           char byte[1];
           reads.set();
           (void)c.read(byte);
         });
         reads.wait();
         (void)c.close();
         reader.join();
       });
}
