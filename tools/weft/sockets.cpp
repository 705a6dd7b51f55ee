// SPDX-License-Identifier: Apache-2.0
// Directories of control sockets, and what /proc says about processes.
#include "sockets.hpp"

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "files.hpp"

namespace weft_command {

namespace {

/// Ours (or, for root, anybody's), and a directory.
bool may_trust(const std::string& directory) {
  struct stat is{};
  return ::lstat(directory.c_str(), &is) == 0 && S_ISDIR(is.st_mode) &&
         (is.st_uid == ::geteuid() || ::geteuid() == 0);
}

bool is_socket(const std::string& path) {
  struct stat is{};
  return ::lstat(path.c_str(), &is) == 0 && S_ISSOCK(is.st_mode);
}

std::vector<std::string> directories() {
  std::vector<std::string> out;
  if (const char* run = std::getenv("XDG_RUNTIME_DIR"); run != nullptr && *run == '/')
    out.push_back(std::string(run) + "/weft");
  out.push_back("/tmp/weft-" + std::to_string(::geteuid()));
  return out;
}

pid_t pid_of(std::string_view name) {
  pid_t pid = 0;
  const auto [end, bad] = std::from_chars(name.data(), name.data() + name.size(), pid);
  const std::string_view rest(end, static_cast<size_t>(name.data() + name.size() - end));
  return bad == std::errc{} && pid > 0 && rest == ".sock" ? pid : 0;
}

/// A process's file in /proc: NULs between its parts.
std::string proc_file(pid_t pid, const char* name) {
  return read_file("/proc/" + std::to_string(pid) + "/" + name).value_or("");
}

/// The last value of NAME in the environment that the process was started with.
std::string environment_of(pid_t pid, std::string_view name) {
  const std::string all = proc_file(pid, "environ");
  std::string out;
  for (std::string_view rest = all; !rest.empty();) {
    const std::string_view one = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    if (one.starts_with(name) && one.size() > name.size() && one[name.size()] == '=')
      out = one.substr(name.size() + 1);
  }
  return out;
}

}  // namespace

std::vector<control_socket> control_sockets() {
  std::vector<control_socket> out;
  for (const std::string& directory : directories()) {
    if (!may_trust(directory)) continue;
    const auto close = [](DIR* d) { ::closedir(d); };
    const std::unique_ptr<DIR, decltype(close)> open(::opendir(directory.c_str()), close);
    if (open == nullptr) continue;
    while (const dirent* entry = ::readdir(open.get())) {
      const pid_t pid = pid_of(entry->d_name);
      std::string path = directory + "/" + entry->d_name;
      if (pid != 0 && is_socket(path)) out.push_back({pid, std::move(path)});
    }
  }
  std::ranges::sort(out, [](const control_socket& a, const control_socket& b) {
    return a.pid != b.pid ? a.pid < b.pid : a.path < b.path;
  });
  return out;
}

weft::result<std::string> find_address(pid_t pid) {
  const std::string number = std::to_string(pid);
  struct stat is{};
  if (::stat(("/proc/" + number).c_str(), &is) != 0)
    return weft::fail(weft::error("there is no process " + number));
  std::vector<std::string> places = directories();
  // The process may have started with another one, or as another user (we are root then).
  if (const std::string run = environment_of(pid, "XDG_RUNTIME_DIR"); !run.empty())
    places.insert(places.begin(), run + "/weft");
  places.push_back("/tmp/weft-" + std::to_string(is.st_uid));
  for (const std::string& directory : places) {
    const std::string path = directory + "/" + number + ".sock";
    if (may_trust(directory) && is_socket(path)) return "unix:" + path;
  }
  const std::string name = program_of(pid);
  const std::string who = "process " + number + (name.empty() ? "" : " (" + name + ")");
  if (is.st_uid != ::geteuid() && ::geteuid() != 0)
    return weft::fail(weft::error(who + " belongs to another user (" + std::to_string(is.st_uid) +
                                  "): only that user and root may look into it"));
  const std::string address = environment_of(pid, "WEFT_DEBUG_ADDR");
  if (address == "off")
    return weft::fail(weft::error(who + " was started with WEFT_DEBUG_ADDR=off"));
  if (!address.empty()) return address;
  return weft::fail(weft::error(
      who +
      " has no control socket: it is no Weft program, or does not link weft::debughttp, or "
      "has its door elsewhere (give its address instead)"));
}

std::string program_of(pid_t pid) {
  const std::string all = proc_file(pid, "cmdline");
  const std::string first = all.substr(0, all.find('\0'));
  return first.substr(first.rfind('/') + 1);
}

}  // namespace weft_command
