// SPDX-License-Identifier: Apache-2.0
// How many processors this process may use: the affinity mask and the cgroup's CPU quota.
//
// Go's rule (spec/runtime-text.md §4): the smallest quota on the way from the process's cgroup up
// to the root counts, rounded up to whole processors and never below 2: with one P a quota of 0.5
// would serialize everything to save nothing.
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>

#include "weft/base/os/linux/errno_scope.hpp"
#include "weft/base/os/os.hpp"

namespace weft::rt::os {

namespace {

/// CPUs this thread may run on; at least 1. The kernel refuses a set smaller than its own.
int affinity_count() noexcept {
  for (int cpus = 1024; cpus <= (1 << 20); cpus *= 2) {
    cpu_set_t* set = CPU_ALLOC(static_cast<size_t>(cpus));
    if (set == nullptr) return 1;
    size_t bytes = CPU_ALLOC_SIZE(static_cast<size_t>(cpus));
    bool fits = ::sched_getaffinity(0, bytes, set) == 0;
    int count = fits ? CPU_COUNT_S(bytes, set) : 0;
    bool too_small = !fits && errno == EINVAL;
    CPU_FREE(set);
    if (!too_small) return std::max(count, 1);
  }
  return 1;
}

/// The text of a small file; false when it cannot be read.
bool read_file(const std::string& path, std::string& text) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  text.clear();
  char chunk[4096];
  ssize_t got;
  while ((got = ::read(fd, chunk, sizeof(chunk))) > 0) text.append(chunk, static_cast<size_t>(got));
  ::close(fd);
  return got == 0;
}

/// Takes the number at the front of `text` off it, and the blanks before it. False if there is
/// none ("max", "", "-1" parses as -1).
bool take_number(std::string_view& text, int64_t& value) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t\n"), text.size()));
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc{}) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

/// Whole processors for a quota; 0 when it is no limit.
int64_t quota_procs(int64_t quota, int64_t period) {
  if (quota <= 0 || period <= 0) return 0;
  return quota / period + (quota % period != 0 ? 1 : 0);
}

/// The limit of one v2 group: cpu.max is "QUOTA PERIOD" or "max PERIOD".
int64_t limit_v2(const std::string& group) {
  std::string text;
  if (!read_file(group + "/cpu.max", text)) return 0;
  std::string_view rest = text;
  int64_t quota = 0;
  int64_t period = 0;
  if (!take_number(rest, quota) || !take_number(rest, period)) return 0;
  return quota_procs(quota, period);
}

/// The limit of one v1 group: two files, -1 for no limit.
int64_t limit_v1(const std::string& group) {
  std::string quota_text;
  std::string period_text;
  if (!read_file(group + "/cpu.cfs_quota_us", quota_text)) return 0;
  if (!read_file(group + "/cpu.cfs_period_us", period_text)) return 0;
  std::string_view quota_rest = quota_text;
  std::string_view period_rest = period_text;
  int64_t quota = 0;
  int64_t period = 0;
  if (!take_number(quota_rest, quota) || !take_number(period_rest, period)) return 0;
  return quota_procs(quota, period);
}

/// The smallest limit of the group `path` below `mount` and all groups above it; 0 for none.
/// Groups that cannot be read are skipped: in a container without a cgroup namespace the path is
/// the host's, and only the mount itself is there.
int64_t hierarchy_limit(const std::string& mount, std::string_view path,
                        int64_t (*limit)(const std::string&)) {
  int64_t least = 0;
  // "/../x": the group lies outside what this namespace shows.
  if (path.find("/..") != std::string_view::npos) path = "";
  while (true) {
    while (!path.empty() && path.back() == '/') path.remove_suffix(1);
    int64_t here = limit(mount + std::string(path));
    if (here > 0 && (least == 0 || here < least)) least = here;
    if (path.empty()) return least;
    path = path.substr(0, path.rfind('/') == std::string_view::npos ? 0 : path.rfind('/'));
  }
}

bool has_cpu_controller(std::string_view controllers) {
  while (!controllers.empty()) {
    size_t comma = std::min(controllers.find(','), controllers.size());
    if (controllers.substr(0, comma) == "cpu") return true;
    controllers.remove_prefix(std::min(comma + 1, controllers.size()));
  }
  return false;
}

/// The limit that one line of /proc/self/cgroup (`ID:CONTROLLERS:PATH`) leads to; 0 for none.
int64_t line_limit(const std::string& root, std::string_view line) {
  size_t first = line.find(':');
  if (first == std::string_view::npos) return 0;
  size_t second = line.find(':', first + 1);
  if (second == std::string_view::npos) return 0;
  std::string_view controllers = line.substr(first + 1, second - first - 1);
  std::string_view path = line.substr(second + 1);
  if (controllers.empty()) return hierarchy_limit(root, path, limit_v2);
  if (!has_cpu_controller(controllers)) return 0;
  // Mounted under the list of controllers, with a symbolic link of the short name, or only one.
  int64_t limit = hierarchy_limit(root + "/cpu", path, limit_v1);
  if (limit > 0) return limit;
  return hierarchy_limit(root + "/" + std::string(controllers), path, limit_v1);
}

}  // namespace

WEFT_OS_CALL int cgroup_procs(const char* root, const char* self) noexcept {
  errno_scope keep;
  std::string mount = root;
  std::string_view text = self;
  int64_t least = 0;
  while (!text.empty()) {
    size_t end = std::min(text.find('\n'), text.size());
    int64_t limit = line_limit(mount, text.substr(0, end));
    if (limit > 0 && (least == 0 || limit < least)) least = limit;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  if (least == 0) return 0;
  return static_cast<int>(std::clamp<int64_t>(least, 2, 1 << 20));
}

WEFT_OS_CALL int default_procs() noexcept {
  errno_scope keep;
  int cpus = affinity_count();
  std::string self;
  if (!read_file("/proc/self/cgroup", self)) return cpus;
  int quota = cgroup_procs("/sys/fs/cgroup", self.c_str());
  return quota == 0 ? cpus : std::min(cpus, quota);
}

}  // namespace weft::rt::os
