// SPDX-License-Identifier: Apache-2.0
// garbage: what one container has unlinked and readers may still look at (sched's read sections).
//
// Each container has its own, not each thread: so its destructor leaves nothing behind, a thread
// that ends owns nothing, and memory that a leak check looks at hangs on the container.
//
//   fresh:    unlinked, newest first; anybody pushes
//   waiting:  taken from fresh at once, under one epoch; freed when all readers have passed it
//
// There is one waiting batch at a time, and one who looks after it (`busy_`). Objects are destroyed
// outside of read sections and of every lock of ours: destructors are user code.
//
// The bound: without a stuck reader a container keeps up to garbage_batch objects, as long as it is
// written to no more. Behind a thread that stands still inside a section (stopped by a debugger, or
// for a while by the kernel) at most garbage_max: then writers wait in await_room().
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/base/atomic.hpp"
#include "weft/base/export.hpp"

namespace weft::rt {

/// What can be retired derives from it. Aligned to 8: the kind is in the pointer's low bits.
struct alignas(8) retired {
  uintptr_t next_retired = 0;
};

/// Larger keeps more memory; smaller pays for the fence more often: 0.4 us for so many objects.
inline constexpr uint32_t garbage_batch = 256;
/// Larger lets one stopped thread cost more memory; smaller stops writers for a reader that the
/// kernel has only descheduled for a time slice (at 5 million overwrites a second: 13 ms).
inline constexpr uint32_t garbage_max = 65536;

class WEFT_API garbage {
 public:
  /// Destroys one object; `kind` is what add() was told.
  using destroyer = void (*)(retired* object, unsigned kind) noexcept;

  constexpr explicit garbage(destroyer how) noexcept : destroy_(how) {}
  /// Destroys everything: nobody reads the container any more.
  ~garbage();
  garbage(const garbage&) = delete;
  garbage& operator=(const garbage&) = delete;

  /// Takes an object that no new reader can find, `kind` below 8. Never parks. True: collect() is
  /// due.
  [[nodiscard]] bool add(retired* object, unsigned kind) noexcept;
  /// Destroys what no reader can look at any more. Runs destructors: the caller holds no lock.
  /// Inside a read section it leaves that to the next writer. False: some readers have not passed.
  bool collect() noexcept;
  /// Before a write, without locks: waits while garbage_max objects are there. May park then.
  void await_room() noexcept {
    if (count_.load(relaxed) >= garbage_max) [[unlikely]]
      await_room_slow();
  }
  /// Objects that have not been destroyed. Approximate while others write.
  [[nodiscard]] uint32_t size() const noexcept { return count_.load(relaxed); }

 private:
  void await_room_slow() noexcept;
  void destroy_all(uintptr_t first) noexcept;
  /// Takes the batch whose readers have passed, or 0. `waits`: others have not.
  [[nodiscard]] uintptr_t take_passed(bool& waits) noexcept;

  atomic<uintptr_t> fresh_{0};
  atomic<uint32_t> count_{0};  // in fresh and waiting, and being destroyed
  atomic<uint32_t> busy_{0};   // 1: somebody owns the three fields below
  uintptr_t waiting_ = 0;
  uint64_t grace_ = 0;  // epoch that readers of `waiting_` must have passed
  destroyer destroy_;
};

}  // namespace weft::rt
