// SPDX-License-Identifier: Apache-2.0
// Exceptions across switches to other threads. The C++ runtime keeps the chain of caught exceptions
// and the count of uncaught ones per thread; Weft keeps them per goroutine. Boost.Fiber 1.81,
// Photon and libgo fail `rethrow`: they rethrow the exception of whichever fiber threw last on the
// thread.
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>

#include "matrix.hpp"
#include "weft/base/atomic.hpp"
#include "weft/base/sanitizer.hpp"
#include "weft/sync/chan.hpp"

using matrix::crew;
using matrix::hop;

namespace {

constexpr int workers = 6;
constexpr int rounds = 3;

/// Counts live instances: an exception lost or freed twice shows.
struct numbered {
  explicit numbered(int n) : number(n), text(std::make_shared<std::string>(std::to_string(n))) {}
  int number;
  std::shared_ptr<std::string> text;
  [[nodiscard]] bool is(int n) const { return number == n && *text == std::to_string(n); }
};

struct hops_when_destroyed {
  int expected;
  ~hops_when_destroyed() {
    MATRIX_EXPECT(std::uncaught_exceptions() == expected);
    hop();
    MATRIX_EXPECT(std::uncaught_exceptions() == expected);
  }
};

}  // namespace

MATRIX_CASE(throw_and_catch) {
  crew(workers, [](int i) {
    for (int round = 0; round < rounds; ++round) {
      try {
        hop();
        throw numbered(i * 100 + round);
      } catch (const numbered& caught) {
        MATRIX_EXPECT(caught.is(i * 100 + round));
        MATRIX_EXPECT(std::uncaught_exceptions() == 0);
      }
    }
  });
}

MATRIX_CASE(rethrow) {
  crew(workers, [](int i) {
    for (int round = 0; round < rounds; ++round) {
      try {
        try {
          throw numbered(i * 100 + round);
        } catch (...) {
          hop();
          weft::yield();
          throw;
        }
      } catch (const numbered& caught) {
        hop();
        MATRIX_EXPECT(caught.is(i * 100 + round));
      }
      MATRIX_EXPECT(std::current_exception() == nullptr);
    }
  });
}

MATRIX_CASE(nested_handlers) {
  crew(workers, [](int i) {
    try {
      throw numbered(i);
    } catch (const numbered& outer) {
      hop();
      try {
        throw std::string("inner");
      } catch (const std::string& inner) {
        hop();
        try {
          throw i;
        } catch (int innermost) {
          hop();
          MATRIX_EXPECT(innermost == i);
        }
        hop();
        MATRIX_EXPECT(inner == "inner");
      }
      hop();
      MATRIX_EXPECT(outer.is(i));
      try {
        throw;
      } catch (const numbered& again) {
        hop();
        MATRIX_EXPECT(again.is(i));
      }
    }
    MATRIX_EXPECT(std::current_exception() == nullptr);
  });
}

MATRIX_CASE(nested_exception) {
  crew(workers, [](int i) {
    try {
      try {
        throw numbered(i);
      } catch (...) {
        hop();
        std::throw_with_nested(std::runtime_error("outer " + std::to_string(i)));
      }
    } catch (const std::exception& outer) {
      hop();
      MATRIX_EXPECT(outer.what() == "outer " + std::to_string(i));
      try {
        std::rethrow_if_nested(outer);
        MATRIX_EXPECT(!"reached");
      } catch (const numbered& inner) {
        hop();
        MATRIX_EXPECT(inner.is(i));
      }
    }
  });
}

MATRIX_CASE(current_exception_stays) {
  crew(workers, [](int i) {
    try {
      throw numbered(i);
    } catch (...) {
      const std::exception_ptr before = std::current_exception();
      hop();
      hop();
      MATRIX_EXPECT(before == std::current_exception());
    }
  });
}

MATRIX_CASE(exception_ptr_between_goroutines) {
  const auto errors = weft::make_chan<std::exception_ptr>();
  crew(workers * 2, [&](int i) {
    for (int round = 0; round < rounds; ++round) {
      if (i % 2 == 0) {
        try {
          throw numbered(i);
        } catch (...) {
          std::exception_ptr mine = std::current_exception();
          hop();
          errors.send(mine);
        }
        continue;
      }
      std::exception_ptr theirs = *errors.recv();
      try {
        hop();
        std::rethrow_exception(theirs);
      } catch (const numbered& caught) {
        theirs = nullptr;
        hop();
        MATRIX_EXPECT(caught.number % 2 == 0 && caught.is(caught.number));
      }
    }
  });
}

MATRIX_CASE(destructors_that_park) {
  crew(workers, [](int i) {
    for (int round = 0; round < rounds; ++round) {
      try {
        const hops_when_destroyed first{1};
        const hops_when_destroyed second{1};
        throw numbered(i);
      } catch (const numbered& caught) {
        MATRIX_EXPECT(std::uncaught_exceptions() == 0);
        MATRIX_EXPECT(caught.is(i));
      }
    }
  });
}

namespace {
struct throws_inside {
  int number;
  ~throws_inside() {
    hop();
    try {
      const hops_when_destroyed deeper{2};
      throw std::string("from a destructor");
    } catch (const std::string& caught) {
      hop();
      MATRIX_EXPECT(caught == "from a destructor");
      MATRIX_EXPECT(std::uncaught_exceptions() == 1);
    }
    hop();
  }
};
struct throws_out {
  ~throws_out() noexcept(false) {
    hop();
    throw std::runtime_error("out of a destructor");
  }
};
}  // namespace

MATRIX_CASE(exceptions_inside_destructors) {
  crew(workers, [](int i) {
    try {
      const throws_inside inside{i};
      throw numbered(i);
    } catch (const numbered& caught) {
      MATRIX_EXPECT(caught.is(i));
    }
    try {
      const throws_out out;
      hop();
    } catch (const std::runtime_error& caught) {
      hop();
      MATRIX_EXPECT(std::string(caught.what()) == "out of a destructor");
    }
  });
}

namespace {
void descend(int depth, int number) {
  const hops_when_destroyed here{1};
  if (depth == 0) throw numbered(number);
  descend(depth - 1, number);
}
int handles_itself(int number) noexcept {
  try {
    hop();
    throw numbered(number);
  } catch (const numbered& caught) {
    hop();
    return caught.number;
  }
}
struct member_throws {
  explicit member_throws(int n) try : number((hop(), n)) {
    throw numbered(n);
  } catch (numbered& caught) {
    hop();
    caught.number += 1000;
    caught.text = std::make_shared<std::string>(std::to_string(caught.number));
  }
  int number;
};
}  // namespace

MATRIX_CASE(unwinding_many_frames) {
  crew(workers, [](int i) {
    try {
      descend(8, i);
    } catch (const numbered& caught) {
      MATRIX_EXPECT(caught.is(i));
    }
  });
}

MATRIX_CASE(noexcept_functions) {
  crew(workers, [](int i) {
    for (int round = 0; round < rounds; ++round) MATRIX_EXPECT(handles_itself(i) == i);
  });
}

MATRIX_CASE(function_try_block) {
  crew(workers, [](int i) {
    try {
      const member_throws never(i);
    } catch (const numbered& caught) {
      hop();
      MATRIX_EXPECT(caught.is(i + 1000));
    }
  });
}

MATRIX_CASE(spawn_and_join) {
  crew(workers, [](int i) {
    try {
      throw std::string("while a handler is open");
    } catch (const std::string& mine) {
      weft::task<int> child = weft::spawn([i]() -> int {
        MATRIX_EXPECT(std::current_exception() == nullptr);
        hop();
        throw numbered(i);
      });
      hop();
      try {
        (void)child.join();
        MATRIX_EXPECT(!"reached");
      } catch (const numbered& caught) {
        hop();
        MATRIX_EXPECT(caught.is(i));
      }
      MATRIX_EXPECT(mine == "while a handler is open");
    }
  });
}

MATRIX_CASE(through_blocking) {
  crew(workers, [](int i) {
    for (int round = 0; round < rounds; ++round) {
      try {
        weft::blocking([&] {
          hop();
          throw numbered(i);
        });
      } catch (const numbered& caught) {
        hop();
        MATRIX_EXPECT(caught.is(i));
      }
    }
  });
}

MATRIX_CASE(failed_allocation) {
  crew(workers, [](int) {
    for (int round = 0; round < rounds; ++round) {
      try {
        size_t too_much = ~size_t{0} / 4;
        hop();
        // Their allocators end the process.
        if (weft::rt::sanitizer::address || weft::rt::sanitizer::thread) throw std::bad_alloc();
        char* never = new char[too_much];
        asm volatile("" ::"r"(never) : "memory");  // else compilers leave out what nobody uses
        delete[] never;
        MATRIX_EXPECT(!"reached");
      } catch (const std::bad_alloc&) {
        hop();
      }
    }
  });
}

MATRIX_CASE(initializer_of_a_static_parks) {
  crew(workers, [](int) {
    static const int value = [] {
      for (int i = 0; i < 8; ++i) hop();
      return 42;
    }();
    MATRIX_EXPECT(value == 42);
  });
}

MATRIX_DYING_CASE(noexcept_is_enforced, "panic: ") {
  crew(1, [](int i) {
    [i]() noexcept {
      hop();
      descend(1, i);
    }();
  });
}

MATRIX_DYING_CASE(nobody_catches, "panic: ") {
  crew(1, [](int) {
    weft::go([] {
      try {
        throw std::runtime_error("first");
      } catch (...) {
        hop();
        throw std::runtime_error("nobody catches this one");
      }
    });
    for (;;) hop();
  });
}
