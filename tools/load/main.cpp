// SPDX-License-Identifier: Apache-2.0
// weft-load: an HTTP load generator. docs/guide/load.md.
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "live.hpp"
#include "options.hpp"
#include "report.hpp"
#include "runner.hpp"
#include "target.hpp"
#include "text.hpp"
#include "weft/net/notify.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sync/chan.hpp"
#include "weft/sync/select.hpp"
#include "weft/sync/timer.hpp"

namespace {

using namespace std::chrono_literals;

// Samples of the plot: short runs have finer ones.
inline constexpr load::ns sample_min = 100ms;
inline constexpr load::ns sample_max = 1s;

/// Every connection is a descriptor: all that the system lets us have.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

double seconds(load::ns d) { return static_cast<double>(d.count()) / 1e9; }

/// Runs the load and adds up what it does.
class observer {
 public:
  observer(const load::options& how, const load::plan& what, const load::tls_dialer& tls)
      : how_(how),
        log_(2 * static_cast<size_t>(weft::maxprocs(0))),
        load_(how, what, log_, tls),
        every_(how.duration == 0ns ? 250ms : std::clamp(how.duration / 60, sample_min, sample_max)),
        view_(how, static_cast<size_t>(how.duration / every_)) {}

  load::outcome run() {
    auto [interrupted, stop] = weft::net::notify_context(weft::background(), {SIGINT, SIGTERM});
    load_.start();
    const weft::chan<int> finished = weft::make_chan<int>();
    weft::go([this, finished] {
      load_.wait();
      finished.close();
    });
    weft::ticker ticks(every_);
    for (bool running = true; running;) {
      weft::select(weft::on_recv(finished, [&] { running = false; }),
                   weft::on_recv(ticks.c(), [&] { observe(); }), weft::on_done(interrupted, [&] {
                     out_.interrupted = true;
                     (*stop)();  // a second one kills
                     load_.abandon();
                     (void)finished.recv();
                     running = false;
                   }));
    }
    window_ends();
    log_.collect(out_.totals);
    view_.finish();
    return std::move(out_);
  }
  [[nodiscard]] const load::live_view& view() const { return view_; }

 private:
  /// How long the counted part has lasted; from its planned end on, exactly as long as planned.
  [[nodiscard]] load::ns elapsed() const {
    const load::ns since = weft::now() - load_.measured_from();
    return how_.duration == 0ns ? since : std::min(since, how_.duration);
  }
  void window_ends() { out_.window_s = std::max(seconds(elapsed()), 0.0); }

  void observe() {
    const load::ns at = elapsed();
    if (at <= 0ns) return;
    load::tally& t = slice_;
    t.clear();
    log_.collect(t);
    const double length = seconds(at) - (out_.samples.empty() ? 0 : out_.samples.back().at_s);
    if (length > 0)
      out_.samples.push_back({.at_s = seconds(at),
                              .per_second = static_cast<double>(t.responses) / length,
                              .p50_ns = static_cast<double>(t.latency.quantile(0.5)),
                              .p99_ns = static_cast<double>(t.latency.quantile(0.99)),
                              .failed = t.failed()});
    out_.totals.merge(t);
    window_ends();
    std::string status = load::describe_load(how_) + ": " + load::three_digits(seconds(at)) +
                         " s, " + load::with_commas(out_.totals.responses) + " responses, " +
                         load::with_commas(out_.totals.failed()) + " errors";
    if (at == how_.duration) status += "; waiting for answers";
    view_.show(out_, status);
  }

  const load::options& how_;
  load::recorder log_;
  load::runner load_;
  load::ns every_;
  load::live_view view_;
  load::outcome out_;
  load::tally slice_;
};

int measure(const load::options& how, const load::plan& what) {
  load::tls_dialer tls;
  const bool secure =
      std::ranges::any_of(what.origins, [](const load::origin& to) { return to.tls; });
  if (const weft::result<void> ready = secure ? tls.prepare(how.insecure) : weft::result<void>();
      !ready) {
    std::fprintf(stderr, "weft-load: %s\n", ready.error().message().c_str());
    return 2;
  }
  observer run(how, what, tls);
  const load::outcome out = run.run();
  const bool ascii = run.view().ascii();
  const std::string report = how.json ? load::json_report(how, out)
                                      : load::text_report(how, out, load::colored_output(), ascii);
  (void)std::fwrite(report.data(), 1, report.size(), stdout);
  if (std::fflush(stdout) != 0) return 1;
  return out.totals.responses == 0 ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  load::options how;
  load::plan what;
  bool help = false;
  std::string message;
  const bool good = load::parse_options({argv + 1, static_cast<size_t>(argc > 0 ? argc - 1 : 0)},
                                        how, help, message) &&
                    (help || load::make_plan(how, what, message));
  if (help) {
    std::fputs(load::usage(), stdout);
    return 0;
  }
  if (!good) {
    std::fprintf(stderr, "weft-load: %s\nweft-load --help says what there is\n", message.c_str());
    return 2;
  }
  raise_descriptor_limit();
  return weft::run({.procs = how.procs}, [&] { return measure(how, what); });
}
