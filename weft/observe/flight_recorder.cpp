// SPDX-License-Identifier: Apache-2.0
// Keeping the last generations.
//
// For a process that dies they lie in `shown` as well: a ring of pointers that a signal handler may
// read (process_is_dying says when they are freed).
#include "weft/observe/flight_recorder.hpp"

#include <mutex>

#include "weft/base/os/os.hpp"
#include "weft/base/sanitizer.hpp"
#include "weft/base/settings.hpp"
#include "weft/observe/internal/flight.hpp"
#include "weft/observe/internal/trace_file.hpp"

namespace weft::trace {

const error already_recording("trace: the flight recorder is on already");
const error not_recording(
    "trace: the flight recorder is not on (start_flight_recorder, or set "
    "WEFT_TRACE_DIR)");

namespace {

using namespace std::chrono_literals;

rt::atomic<const generation*> shown[flight_generations_max];
rt::atomic<rt::trace_workspace*> dying_room{nullptr};

error bad_option(std::string text) {
  return error(std::make_error_code(std::errc::invalid_argument),
               "trace: flight_options." + std::move(text));
}

}  // namespace

flight_recorder& the_flight_recorder() {
  static auto* made = new flight_recorder;
  return *made;
}

result<void> flight_recorder::start(const flight_options& how) {
  const std::lock_guard<mutex> held(lock_);
  if (enabled()) return fail(already_recording);
  if (how.min_age < 100ms || how.min_age > 10min)
    return fail(bad_option("min_age is " + std::to_string(how.min_age.count() / 1'000'000) +
                           " ms: must be 100 ms to 10 minutes"));
  if (how.max_bytes < size_t{1} << 20 || how.max_bytes > size_t{1} << 30)
    return fail(
        bad_option("max_bytes is " + std::to_string(how.max_bytes) + ": must be 1 MiB to 1 GiB"));
  how_ = how;
  dir_ = how.dir.empty() ? rt::process_settings().trace_dir : how.dir;
  how_.dir = {};
  bytes_wanted_ = how.max_bytes / 4;
  prepare_dying_path(dir_);
  if (dying_room.load(rt::relaxed) == nullptr)
    dying_room.store(rt::make_trace_workspace(), rt::release);
  if (result<void> added = the_tracer().add(*this); !added) return added;
  on_.store(1, rt::relaxed);
  return {};
}

result<void> flight_recorder::stop() {
  const std::lock_guard<mutex> held(lock_);
  if (!enabled()) return fail(not_recording);
  on_.store(0, rt::relaxed);
  (void)the_tracer().remove(*this);
  const std::lock_guard<mutex> keeping(kept_lock_);
  while (!kept_.empty()) forget_oldest();
  return {};
}

void flight_recorder::forget_oldest() {
  const uint64_t number = next_ - kept_.size();
  shown[number % flight_generations_max].store(nullptr, rt::seq_cst);
  std::shared_ptr<const generation> oldest = std::move(kept_.front());
  kept_.pop_front();
  kept_bytes_ -= oldest->bytes.size();
  // It is being written: never freed.
  if (process_is_dying.load(rt::seq_cst) != 0)
    new std::shared_ptr<const generation>(std::move(oldest));
}

void flight_recorder::forget_old(int64_t now_ns) {
  while (kept_.size() > 1) {
    const bool old = now_ns - kept_.front()->ended_ns > how_.min_age.count();
    if (!old && kept_bytes_ <= how_.max_bytes && kept_.size() < flight_generations_max) return;
    forget_oldest();
  }
}

void flight_recorder::take(const std::shared_ptr<const generation>& ended) {
  const std::lock_guard<mutex> keeping(kept_lock_);
  kept_.push_back(ended);
  kept_bytes_ += ended->bytes.size();
  // release, in seq_cst: the bytes; partner: write_dying().
  shown[next_++ % flight_generations_max].store(ended.get(), rt::seq_cst);
  forget_old(ended->ended_ns);
}

/// A reader wants every generation between two: what was before is of no use.
void flight_recorder::lost() noexcept {
  const std::lock_guard<mutex> keeping(kept_lock_);
  while (!kept_.empty()) forget_oldest();
}

result<void> flight_recorder::write(sink to) {
  if (!enabled()) return fail(not_recording);
  // Refused when weft::run is ending: what was kept is still something.
  (void)the_tracer().cut();
  std::deque<std::shared_ptr<const generation>> kept;
  {
    const std::lock_guard<mutex> keeping(kept_lock_);
    kept = kept_;
  }
  if (result<void> written = to(rt::trace_header); !written) return written;
  for (const auto& one : kept)
    if (result<void> written = to(one->bytes); !written) return written;
  return {};
}

std::string flight_recorder::directory() {
  const std::lock_guard<mutex> held(lock_);
  return dir_;
}

void flight_recorder::write_dying(int fd) noexcept {
  const rt::sanitizer::unseen_accesses of_what_others_wrote;
  process_is_dying.store(1, rt::seq_cst);
  rt::trace_workspace* room = dying_room.load(rt::acquire);
  if (!enabled() || room == nullptr) return;
  rt::os::write_all(fd, rt::trace_header.data(), rt::trace_header.size());
  size_t first = 0;
  uint32_t oldest = UINT32_MAX;
  for (size_t i = 0; i < flight_generations_max; ++i) {
    const generation* one = shown[i].load(rt::seq_cst);
    if (one == nullptr || one->number >= oldest) continue;
    first = i;
    oldest = one->number;
  }
  uint32_t written = 0;  // the last one's number; 0: none
  for (size_t i = 0; i < flight_generations_max; ++i) {
    const generation* one = shown[(first + i) % flight_generations_max].load(rt::seq_cst);
    if (one == nullptr || (written != 0 && one->number != written + 1)) continue;
    rt::os::write_all(fd, one->bytes.data(), one->bytes.size());
    written = one->number;
  }
  const auto follows = [&](const rt::trace_generation& one) {
    return written == 0 || one.number == written + 1;
  };
  if (const rt::trace_generation* ended = generation_in_work.load(rt::seq_cst);
      ended != nullptr && follows(*ended)) {
    rt::write_dying_generation(*ended, *room, fd);
    written = ended->number;
  }
  rt::trace_generation last;
  if (rt::trace_collect_dying(last) && follows(last)) rt::write_dying_generation(last, *room, fd);
}

result<void> start_flight_recorder(const flight_options& how) {
  return the_flight_recorder().start(how);
}
result<void> stop_flight_recorder() { return the_flight_recorder().stop(); }
bool flight_recorder_enabled() noexcept { return the_flight_recorder().enabled(); }
result<void> write_flight_recorder(sink to) { return the_flight_recorder().write(to); }

}  // namespace weft::trace
