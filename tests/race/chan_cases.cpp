// SPDX-License-Identifier: Apache-2.0
// Channels: what each operation orders, and what it does not.
#include <memory>
#include <string>
#include <vector>

#include "cases.hpp"

// --- unbuffered: each side's past happens before the other's future ------------------------------

CLEAN(send_before_receive) {
  word x = 0;
  auto c = weft::make_chan<int>();
  weft::go([&x, c] {
    x = 1;
    c.send(0);
  });
  (void)c.recv();
  x = 2;
}

CLEAN(unbuffered_receive_before_send_returns) {
  word x = 0;
  auto c = weft::make_chan<int>();
  weft::go([&x, c] {
    x = 1;
    (void)c.recv();
  });
  c.send(0);
  x = 2;
}

CLEAN(unbuffered_sender_waits) {
  word x = 0;
  auto c = weft::make_chan<int>();
  unseen::flag started;
  auto sender = weft::spawn([&, c] {
    x = 1;
    started.set();
    c.send(0);
    if (x != 2) x = 3;
  });
  started.wait();
  weft::sleep_for(std::chrono::milliseconds(2));
  (void)c.recv();
  sender.join();
  x = 4;
}

RACY(after_the_send) {
  word x = 0;
  unseen::flag done;
  auto c = weft::make_chan<int>();
  weft::go([&, c] {
    c.send(0);
    x = 1;
    done.set();
  });
  (void)c.recv();
  done.wait();
  x = 2;
}

RACY(before_the_receive_of_another) {
  word x = 0;
  auto c = weft::make_chan<int>();
  auto other = weft::make_chan<int>(1);
  unseen::flag done;
  weft::go([&, c] {
    other.send(1);
    x = 1;
    done.set();
  });
  (void)other.recv();
  done.wait();
  x = 2;
}

// --- buffered --------------------------------------------------------------------------------

CLEAN(buffered_send_before_receive) {
  word x = 0;
  auto c = weft::make_chan<int>(3);
  weft::go([&x, c] {
    x = 1;
    c.send(0);
  });
  (void)c.recv();
  x = 2;
}

RACY(buffered_receive_is_not_before_its_send) {
  word x = 0;
  unseen::flag done;
  auto c = weft::make_chan<int>(1);
  weft::go([&, c] {
    x = 1;
    (void)c.recv();
    done.set();
  });
  c.send(0);
  done.wait();
  x = 2;
}

CLEAN(kth_receive_before_later_send) {
  word x = 0;
  auto c = weft::make_chan<int>(2);
  weft::go([&x, c] {
    x = 1;
    (void)c.recv();
  });
  c.send(0);
  c.send(0);
  c.send(0);  // completes after the first receive
  x = 2;
}

RACY(one_send_too_early) {
  word x = 0;
  unseen::flag done;
  auto c = weft::make_chan<int>(3);
  weft::go([&, c] {
    x = 1;
    (void)c.recv();
    done.set();
  });
  c.send(0);
  c.send(0);
  c.send(0);  // the first receive orders the fourth
  done.wait();
  x = 2;
}

CLEAN(buffer_as_semaphore) {
  word x = 0;
  auto permits = weft::make_chan<int>(1);
  weft::wait_group all;
  for (int g = 0; g < 4; ++g)
    all.go([&, permits] {
      for (int i = 0; i < 20; ++i) {
        permits.send(0);
        x = x + 1;
        (void)permits.recv();
      }
    });
  all.wait();
}

RACY(buffer_of_two_is_no_mutex) {
  word x = 0;
  auto permits = weft::make_chan<int>(2);
  unseen::flag first;
  unseen::flag second;
  weft::go([&, permits] {
    permits.send(0);
    x = 1;
    first.set();
    second.wait();
    (void)permits.recv();
  });
  first.wait();
  permits.send(0);
  x = 2;
  second.set();
  (void)permits.recv();
}

CLEAN(waiting_receiver_of_a_buffered_channel) {
  word x = 0;
  auto c = weft::make_chan<int>(1);
  auto receiver = weft::spawn([&, c] {
    (void)c.recv();
    x = x + 1;
  });
  weft::sleep_for(std::chrono::milliseconds(2));
  x = 1;
  c.send(0);
  receiver.join();
}

CLEAN(waiting_receiver_before_the_next_send) {
  word x = 0;
  auto c = weft::make_chan<int>(1);
  unseen::flag started;
  weft::go([&, c] {
    x = 1;
    started.set();
    (void)c.recv();
    (void)c.recv();
  });
  started.wait();
  weft::sleep_for(std::chrono::milliseconds(2));
  c.send(0);
  c.send(0);  // the first receive is the (k+C)-th's
  x = 2;
}

RACY(waiting_receiver_is_not_before_the_send) {
  word x = 0;
  auto c = weft::make_chan<int>(1);
  unseen::flag started;
  weft::go([&, c] {
    x = 1;
    started.set();
    (void)c.recv();
  });
  started.wait();
  weft::sleep_for(std::chrono::milliseconds(2));
  c.send(0);
  x = 2;
}

RACY(second_waiting_receiver_is_not_before_the_second_send) {
  word x = 0;
  auto c = weft::make_chan<int>(1);
  unseen::flag first;
  unseen::flag second;
  weft::go([&, c] {
    first.set();
    (void)c.recv();
  });
  first.wait();
  weft::sleep_for(std::chrono::milliseconds(2));
  weft::go([&, c] {
    x = 1;
    second.set();
    (void)c.recv();
  });
  second.wait();
  weft::sleep_for(std::chrono::milliseconds(2));
  c.send(0);
  c.send(0);  // after the first receive
  x = 2;
}

RACY(a_sender_is_not_before_the_next_one) {
  word x = 0;
  auto c = weft::make_chan<int>(1);
  unseen::flag started;
  unseen::flag sent;
  weft::go([&, c] {
    started.set();
    (void)c.recv();
    (void)c.recv();
  });
  started.wait();
  weft::sleep_for(std::chrono::milliseconds(2));
  weft::go([&, c] {
    x = 1;
    c.send(0);
    sent.set();
  });
  sent.wait();
  c.send(0);  // after the first receive began, which ended after the first send
  x = 2;
}

CLEAN(waiting_sender_of_a_full_buffer) {
  word x = 0;
  auto c = weft::make_chan<int>(1);
  c.send(0);
  unseen::flag started;
  weft::go([&, c] {
    x = 1;
    started.set();
    c.send(1);
  });
  started.wait();
  weft::sleep_for(std::chrono::milliseconds(2));
  (void)c.recv();
  (void)c.recv();
  x = 2;
}

RACY(waiting_sender_is_not_before_an_earlier_receive) {
  word x = 0;
  auto c = weft::make_chan<int>(1);
  c.send(0);
  unseen::flag started;
  weft::go([&, c] {
    x = 1;
    started.set();
    c.send(1);
  });
  started.wait();
  weft::sleep_for(std::chrono::milliseconds(2));
  (void)c.recv();  // takes main's own element
  x = 2;
}

// --- close -----------------------------------------------------------------------------------

CLEAN(close_before_receive) {
  word x = 0;
  auto c = weft::make_chan<int>();
  weft::go([&x, c] {
    x = 1;
    c.close();
  });
  (void)c.recv();
  x = 2;
}

CLEAN(close_before_the_end_of_a_loop) {
  word x = 0;
  auto c = weft::make_chan<int>(4);
  weft::go([&x, c] {
    for (int i = 0; i < 8; ++i) c.send(i);
    x = 1;
    c.close();
  });
  for (int i : c) (void)i;
  x = 2;
}

CLEAN(close_before_try_receive) {
  word x = 0;
  auto c = weft::make_chan<int>();
  weft::go([&x, c] {
    x = 1;
    c.close();
  });
  for (bool closed = false; !closed; weft::yield()) (void)c.try_recv(closed);
  x = 2;
}

RACY(after_close) {
  word x = 0;
  unseen::flag done;
  auto c = weft::make_chan<int>();
  weft::go([&, c] {
    c.close();
    x = 1;
    done.set();
  });
  (void)c.recv();
  done.wait();
  x = 2;
}

RACY(receive_of_an_element_is_not_after_close) {
  word x = 0;
  unseen::flag done;
  auto c = weft::make_chan<int>(1);
  weft::go([&, c] {
    c.send(0);
    x = 1;
    c.close();
    done.set();
  });
  done.wait();
  (void)c.recv();
  x = 2;
}

RACY(send_beside_close) {
  auto c = weft::make_chan<int>(1);
  unseen::flag sent;
  weft::go([&, c] {
    c.send(0);
    sent.set();
  });
  sent.wait();
  c.close();
}

CLEAN(close_after_senders_are_done) {
  auto c = weft::make_chan<int>(8);
  weft::wait_group senders;
  for (int g = 0; g < 3; ++g) senders.go([c] { c.send(0); });
  senders.wait();
  c.close();
}

// --- elements --------------------------------------------------------------------------------

CLEAN(elements_are_handed_over) {
  auto c = weft::make_chan<std::unique_ptr<std::string>>(2);
  auto receiver = weft::spawn([c] {
    size_t total = 0;
    for (auto&& text : c) {
      text->append("x");
      total += text->size();
    }
    return total;
  });
  for (int i = 0; i < 20; ++i) c.send(std::make_unique<std::string>(40, 'a'));
  c.close();
  (void)receiver.join();
}

RACY(element_kept_by_its_sender) {
  auto c = weft::make_chan<std::shared_ptr<int>>(1);
  auto shared = std::make_shared<int>(0);
  unseen::flag done;
  weft::go([&, c] {
    auto mine = *c.recv();
    word& x = *mine;
    x = 1;
    done.set();
  });
  c.send(shared);
  done.wait();
  word& x = *shared;
  x = 2;
}

CLEAN(elements_left_are_destroyed) {
  auto c = weft::make_chan<std::vector<int>>(4);
  weft::spawn([c] {
    c.send(std::vector<int>(100, 1));
    c.send(std::vector<int>(100, 2));
  }).join();
}

RACY(element_written_while_it_is_sent) {
  auto c = weft::make_chan<int>(2);
  int x = 0;
  unseen::flag done;
  weft::go([&] {
    word& written = x;
    written = 1;
    done.set();
  });
  done.wait();
  c.send(x);
}

CLEAN(ping_pong) {
  word x = 0;
  auto there = weft::make_chan<int>();
  auto back = weft::make_chan<int>();
  weft::go([&, there, back] {
    for (int i : there) {
      x = x + 1;
      back.send(i);
    }
  });
  for (int i = 0; i < 50; ++i) {
    x = x + 1;
    there.send(i);
    (void)back.recv();
  }
  there.close();
}

CLEAN(pipeline) {
  auto in = weft::make_chan<int*>(4);
  auto out = weft::make_chan<int*>(4);
  weft::go([in, out] {
    for (int* p : in) {
      *p += 1;
      out.send(p);
    }
    out.close();
  });
  weft::go([in] {
    for (int i = 0; i < 30; ++i) in.send(new int(i));
    in.close();
  });
  for (int* p : out) {
    *p += 1;
    delete p;
  }
}

RACY(two_receivers_of_one_pointer) {
  auto c = weft::make_chan<int*>(2);
  int* shared = new int(0);
  unseen::flag first;
  unseen::flag second;
  for (unseen::flag* done : {&first, &second})
    weft::go([c, done] {
      word& x = **c.recv();
      x = 1;
      done->set();
    });
  c.send(shared);
  c.send(shared);
  first.wait();
  second.wait();
}
