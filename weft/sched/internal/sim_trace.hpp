// SPDX-License-Identifier: Apache-2.0
// What a failed run of deterministic mode tells: the last decisions, and where goroutines were.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "weft/sched/internal/goroutine.hpp"
#include "weft/sched/internal/report.hpp"

namespace weft::rt {

/// Code addresses of a goroutine at one moment, innermost first.
struct sim_place {
  static constexpr size_t pcs_max = 24;
  uintptr_t pcs[pcs_max] = {};
  size_t count = 0;
};
/// Of one that does not run.
[[nodiscard]] sim_place sim_place_of(const goroutine* gp) noexcept;
/// `weft::mutex::lock() at account.cpp:12 in withdraw(int)`; empty if nothing is known.
[[nodiscard]] std::string sim_place_text(const sim_place& place);

/// A ring of the last switches.
class sim_trace {
 public:
  /// `places`: note where each goroutine was, which costs microseconds a switch.
  void begin(bool places) noexcept {
    count_ = 0;
    places_ = places;
  }
  [[nodiscard]] bool places() const noexcept { return places_; }
  /// Who left and why; who goes on. `left` is null at first and after a jump of the clock.
  void note_switch(uint64_t step, const goroutine* left, const goroutine* next) noexcept;
  /// The same for one that is being preempted on this stack.
  void note_preemption(uint64_t step, const goroutine* left, const goroutine* next) noexcept;
  void note_time(uint64_t step, int64_t jump_ns) noexcept;
  /// `name_of(id)`: the goroutine's name, or "".
  [[nodiscard]] std::string text(std::string (*name_of)(uint64_t id)) const;

 private:
  enum class why : uint8_t { blocked, preempted, yielded, ended, begins, time };
  struct event {
    uint64_t step;
    uint64_t left;
    uint64_t next;  // time: the jump
    why what;
    wait_reason reason;
  };
  event& fresh() noexcept { return ring_[count_++ % ring_len]; }
  sim_place& place() noexcept { return places_of_[(count_ - 1) % ring_len]; }

  // What fits a screen; a schedule that needs more is not read but debugged.
  static constexpr size_t ring_len = 40;
  event ring_[ring_len] = {};
  sim_place places_of_[ring_len];
  uint64_t count_ = 0;
  bool places_ = false;
};

}  // namespace weft::rt
