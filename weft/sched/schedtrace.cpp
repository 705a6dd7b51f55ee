// SPDX-License-Identifier: Apache-2.0
// WEFT_DEBUG=schedtrace=MS[,scheddetail=1]: Go's lines (spec/runtime-text.md §1), so that tools
// that read Go's read ours. Printed by sysmon; figures are a snapshot without stopping anything.
#include <cstdarg>
#include <cstdio>

#include "weft/sched/internal/scheduler.hpp"

namespace weft::rt {

namespace {

/// Collects one report and writes it in few system calls. Printf formatting of integers allocates
/// nothing.
class line_writer {
 public:
  ~line_writer() { flush(); }
  __attribute__((format(printf, 2, 3))) void add(const char* format, ...) noexcept {
    if (used_ > sizeof buffer_ - 256) flush();
    va_list arguments;
    va_start(arguments, format);
    const int n = std::vsnprintf(buffer_ + used_, sizeof buffer_ - used_, format, arguments);
    va_end(arguments);
    if (n > 0) used_ += static_cast<size_t>(n);
    if (used_ > sizeof buffer_) used_ = sizeof buffer_;
  }

 private:
  void flush() noexcept {
    os::write_all(2, buffer_, used_);
    used_ = 0;
  }
  char buffer_[4096];
  size_t used_ = 0;
};

void add_processors(line_writer& out) noexcept {
  const uint32_t procs = sched.procs.load(acquire);
  for (uint32_t i = 0; i < procs; ++i) {
    processor& pp = *sched.all_p[i];
    const machine* mp = pp.m.load(acquire);
    out.add("  P%u: status=%u schedtick=%u syscalltick=0 m=", i,
            static_cast<unsigned>(pp.status.load(relaxed)), pp.tick.load(relaxed));
    if (mp != nullptr)
      out.add("%u", mp->id);
    else
      out.add("nil");
    out.add(" runqsize=%u gfreecnt=%u timerslen=%u\n", pp.queue.length(), pp.free_stack_count,
            pp.timers.count);
  }
}

void add_machines(line_writer& out) noexcept {
  for (machine* mp = sched.all_machines.load(acquire); mp != nullptr; mp = mp->all_link) {
    const goroutine* gp = mp->cur.load(relaxed);
    const uintptr_t grant = mp->grant.load(relaxed);
    out.add("  M%u: p=", mp->id);
    if (grant > grant_slow_max)
      out.add("%u", reinterpret_cast<processor*>(grant)->id);
    else
      out.add("nil");
    out.add(" curg=");
    if (gp != nullptr)
      out.add("%llu", static_cast<unsigned long long>(gp->id));
    else
      out.add("nil");
    out.add(
        " mallocing=0 throwing=0 preemptoff= locks=0 dying=0 spinning=%s blocked=%s"
        " lockedg=nil\n",
        mp->spinning ? "true" : "false",
        mp->park_word.load(relaxed) == 0 && gp == nullptr ? "true" : "false");
  }
}

void add_goroutines(line_writer& out) noexcept {
  const uint32_t cells = goroutine_cells();
  for (uint32_t i = 0; i < cells; ++i) {
    const goroutine* gp = all_goroutine(i);
    if (gp->id == 0) continue;
    const auto status = static_cast<g_status>(gp->status.load(acquire));
    const char* why = status == g_status::waiting ? wait_reason_text(gp->reason) : "";
    out.add("  G%llu: status=%u(%s) m=nil lockedm=nil\n", static_cast<unsigned long long>(gp->id),
            static_cast<unsigned>(status), why);
  }
}

}  // namespace

void print_schedtrace(bool detailed) noexcept {
  static const int64_t start = os::monotonic_ns();
  line_writer out;
  const uint32_t procs = sched.procs.load(acquire);
  out.add(
      "SCHED %lldms: gomaxprocs=%u idleprocs=%u threads=%d spinningthreads=%u needspinning=%u "
      "idlethreads=%d runqueue=%u",
      static_cast<long long>((os::monotonic_ns() - start) / 1'000'000), procs,
      sched.idle_p_count.load(relaxed), sched.machine_count.load(relaxed) + 1,
      sched.spinning.load(relaxed), sched.need_spinning.load(relaxed), sched.idle_m_count,
      sched.global_len.load(relaxed));
  if (detailed) {
    out.add(" gcwaiting=%s nmidlelocked=0 stopwait=%d sysmonwait=%s\n",
            sched.stopping.load(relaxed) != 0 ? "true" : "false", sched.stop_wait,
            sched.sysmon_sleeps.load(relaxed) != 0 ? "true" : "false");
    add_processors(out);
    add_machines(out);
    add_goroutines(out);
    return;
  }
  out.add(" [");
  for (uint32_t i = 0; i < procs; ++i) out.add(" %u", sched.all_p[i]->queue.length());
  out.add(" ] schedticks=[");
  for (uint32_t i = 0; i < procs; ++i) out.add(" %u", sched.all_p[i]->tick.load(relaxed));
  out.add(" ]\n");
}

}  // namespace weft::rt
