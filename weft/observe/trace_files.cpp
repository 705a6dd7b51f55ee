// SPDX-License-Identifier: Apache-2.0
// Traces as files in a directory: of a process that dies, of whole runs, and when asked.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>

#include "weft/base/os/os.hpp"
#include "weft/base/report_writer.hpp"
#include "weft/base/settings.hpp"
#include "weft/observe/internal/flight.hpp"
#include "weft/observe/internal/trace_file.hpp"
#include "weft/sched/internal/report.hpp"
#include "weft/sched/internal/run_hooks.hpp"
#include "weft/sched/runtime.hpp"

namespace weft::trace {

const error no_directory(
    "trace: there is no directory for files (flight_options.dir, or "
    "WEFT_TRACE_DIR)");

namespace {

// Of the file that a dying process writes; it is put together while the process is well.
char dying_path[4096] = {};

error system_error(int number, std::string what) {
  return error(std::error_code(number, std::generic_category()),
               "trace: " + std::move(what) + ": " + std::strerror(number));
}

std::string path_of(const std::string& dir, std::string_view why) {
  return dir + "/" + program_invocation_short_name + "." + std::to_string(::getpid()) + "." +
         std::string(why) + ".trace";
}

/// A file that is being written. Blocking, announced: directories may be on slow disks.
class trace_file {
 public:
  static result<trace_file> create(const std::string& path) {
    trace_file made;
    weft::blocking([&] {
      made.fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
      if (made.fd_ < 0) made.error_ = errno;
    });
    if (made.fd_ < 0) return fail(system_error(made.error_, path));
    return made;
  }
  trace_file(trace_file&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), error_(other.error_) {}
  ~trace_file() {
    if (fd_ >= 0) weft::blocking([&] { ::close(fd_); });
  }
  result<void> operator()(std::string_view bytes) {
    weft::blocking([&] {
      while (!bytes.empty() && error_ == 0) {
        const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
        if (n >= 0)
          bytes.remove_prefix(static_cast<size_t>(n));
        else if (errno != EINTR)
          error_ = errno;
      }
    });
    if (error_ != 0) return fail(system_error(error_, "write"));
    return {};
  }

 private:
  trace_file() = default;
  int fd_ = -1;
  int error_ = 0;
};

// --- whole runs ----------------------------------------------------------------------------------

/// The file of one run (traceruns=1).
class run_listener final : public listener {
 public:
  result<void> begin(const std::string& dir) {
    auto made = trace_file::create(path_of(dir, "run-" + std::to_string(++runs_)));
    if (!made) return fail(made.error());
    file_ = std::make_unique<trace_file>(std::move(*made));
    error_ = (*file_)(rt::trace_header);
    if (!error_) return error_;
    result<void> added = the_tracer().add(*this);
    if (!added) file_.reset();
    return added;
  }
  void end() {
    if (file_ == nullptr) return;
    (void)the_tracer().remove(*this);
    file_.reset();
    if (!error_)
      std::fprintf(stderr, "weft: WEFT_TRACE_DIR: %s\n", error_.error().message().c_str());
  }
  void take(const std::shared_ptr<const generation>& ended) override {
    if (error_) error_ = (*file_)(ended->bytes);
  }
  void lost() noexcept override {
    if (error_) error_ = fail(lost_events);
  }

 private:
  int runs_ = 0;
  std::unique_ptr<trace_file> file_;
  result<void> error_;
};

run_listener& the_run() {
  static auto* made = new run_listener;
  return *made;
}

// --- hooks ---------------------------------------------------------------------------------------

/// Why files cannot be written there.
std::optional<std::string> unfit(const std::string& dir) {
  struct stat is{};
  if (::stat(dir.c_str(), &is) != 0) return std::strerror(errno);
  if (!S_ISDIR(is.st_mode)) return "it is no directory";
  if (::access(dir.c_str(), W_OK | X_OK) != 0) return std::strerror(errno);
  if (path_of(dir, "crash").size() >= sizeof dying_path) return "it is too long";
  return std::nullopt;
}

std::string run_begun() {
  the_tracer().run_begins();
  const std::string dir(rt::process_settings().trace_dir);
  if (dir.empty()) return {};
  const std::string name = "weft: WEFT_TRACE_DIR=\"" + dir + "\": ";
  if (const auto why = unfit(dir)) return name + *why;
  const bool whole = rt::process_settings().trace_runs;
  const result<void> begun = whole ? the_run().begin(dir) : start_flight_recorder();
  return begun ? std::string() : name + begun.error().message();
}

void run_ending() noexcept {
  the_run().end();
  if (flight_recorder_enabled()) (void)stop_flight_recorder();
  drop_trace();
  the_tracer().run_ends();
}

void write_dying(void*) noexcept {
  const int fd = ::open(dying_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  rt::report_writer out(2);
  if (fd < 0) {
    out.put("\nweft: no trace of the last seconds: ").put(dying_path).put(": errno ");
    out.put_decimal(errno).put('\n');
    return;
  }
  the_flight_recorder().write_dying(fd);
  ::close(fd);
  out.put("\nweft: a trace of the last seconds is in ").put(dying_path).put('\n');
}

void run_dying() noexcept {
  // One path for both recorders: the directory is set while one is on.
  if (dying_path[0] == '\0' || !the_flight_recorder().enabled()) return;
  rt::on_report_stack(write_dying, nullptr);
}

constexpr rt::run_hooks hooks{run_begun, run_ending, run_dying};
const bool registered = (rt::register_run_hooks(hooks), true);

}  // namespace

/// Prepared by whoever starts the recorder, for the signal handler.
void prepare_dying_path(const std::string& dir) {
  const std::string path = dir.empty() ? std::string() : path_of(dir, "crash");
  if (path.size() < sizeof dying_path) std::memcpy(dying_path, path.c_str(), path.size() + 1);
}

result<std::string> save_flight_recorder(std::string_view why) {
  static rt::atomic<int> files{0};
  flight_recorder& recorder = the_flight_recorder();
  if (!recorder.enabled()) return fail(not_recording);
  const std::string dir = recorder.directory();
  if (dir.empty()) return fail(no_directory);
  std::string word(why.substr(0, 64));
  for (char& c : word)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '-';
  const std::string path =
      path_of(dir, word + "-" + std::to_string(files.fetch_add(1, rt::relaxed) + 1));
  // Whoever sees it sees all of it.
  const std::string unfinished = path + ".part";
  result<void> written;
  {
    auto file = trace_file::create(unfinished);
    if (!file) return fail(file.error());
    written = recorder.write(*file);
  }
  int failed = 0;
  weft::blocking([&] {
    if (!written)
      ::unlink(unfinished.c_str());
    else if (::rename(unfinished.c_str(), path.c_str()) != 0)
      failed = errno;
  });
  if (!written) return fail(written.error());
  if (failed != 0) return fail(system_error(failed, path));
  return path;
}

}  // namespace weft::trace

/// Named by the layer's link flags, so that WEFT_TRACE_DIR works in programs that name nothing of
/// the layer.
extern "C" WEFT_API const bool* const weft_trace_files = &weft::trace::registered;
