// SPDX-License-Identifier: Apache-2.0
// cpu: what the sampler saw, as a profile.
#include <string>

#include "weft/observe/internal/cpu_sampler.hpp"
#include "weft/observe/internal/profile.hpp"
#include "weft/sched/internal/label_set.hpp"

namespace weft::prof {

const error already_profiling("cpu profiling already in use");
const error not_profiling("prof: no profile is being taken");

namespace {

constexpr int rate_hz_max = 10'000;

struct until_dropped {
  rt::cpu_samples& samples;
  ~until_dropped() { rt::drop_cpu_samples(samples); }
};

rt::profile profile_of(const rt::cpu_samples& samples) {
  rt::profile p;
  p.name = "cpu";
  p.types = {{"samples", "count"}, {"cpu", "nanoseconds"}};
  p.period_type = {"cpu", "nanoseconds"};
  p.period = samples.period_ns;
  p.time_ns = samples.begun_ns;
  p.duration_ns = samples.duration_ns;
  for (const rt::cpu_sample& sample : samples.all) {
    rt::profile_stack stack;
    stack.pcs = sample.pcs;
    stack.exact = true;
    if (const rt::label_set* set = sample.labels; set != nullptr)
      for (uint32_t i = 0; i < set->count; ++i)
        stack.labels.emplace_back(set->pairs()[i].key, set->pairs()[i].value);
    p.add(std::move(stack), {sample.count, sample.count * samples.period_ns});
  }
  if (samples.lost != 0) {
    rt::profile_stack stack;
    stack.pcs = {rt::pc_lost};
    p.add(std::move(stack), {samples.lost, samples.lost * samples.period_ns});
  }
  return p;
}

}  // namespace

result<void> start_cpu(const cpu_options& how) {
  if (how.rate_hz < 1 || how.rate_hz > rate_hz_max)
    return fail(error(std::make_error_code(std::errc::invalid_argument),
                      "prof: rate_hz is " + std::to_string(how.rate_hz) + ": must be 1 to " +
                          std::to_string(rate_hz_max)));
  return rt::start_cpu_sampler(how.rate_hz);
}

result<cpu_summary> stop_cpu(sink to, form how) {
  result<rt::cpu_samples> samples = rt::stop_cpu_sampler();
  if (!samples) return fail(samples.error());
  const until_dropped at_end{*samples};
  cpu_summary summary;
  for (const rt::cpu_sample& sample : samples->all) summary.samples += sample.count;
  summary.lost = samples->lost;
  summary.duration = std::chrono::nanoseconds(samples->duration_ns);
  if (samples->cpu_ns > 0)
    summary.achieved_hz = static_cast<double>(summary.samples + summary.lost) * 1e9 /
                          static_cast<double>(samples->cpu_ns);
  rt::profile p = profile_of(*samples);
  p.comments.push_back("asked for " + std::to_string(1'000'000'000 / samples->period_ns) +
                       " samples per second of CPU time, got " +
                       std::to_string(static_cast<int64_t>(summary.achieved_hz)) +
                       (samples->by_perf ? " (perf events)" : " (timers)"));
  if (result<void> written = rt::write_profile(p, to, how); !written) return fail(written.error());
  return summary;
}

}  // namespace weft::prof
