// SPDX-License-Identifier: Apache-2.0
#include "weft/debughttp/internal/place.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include "weft/http/header.hpp"

namespace weft::debughttp {

namespace {

constexpr std::string_view unix_prefix = "unix:";
constexpr size_t path_max = sizeof(sockaddr_un::sun_path) - 1;

class descriptor {
 public:
  explicit descriptor(int fd) noexcept : fd_(fd) {}
  ~descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  [[nodiscard]] int get() const noexcept { return fd_; }

 private:
  int fd_;
};

std::string errno_text(int number) { return std::generic_category().message(number); }

result<place> parse_unix(std::string_view path) {
  if (path.empty()) return fail(error("unix: must be followed by a path"));
  if (path.size() > path_max)
    return fail(error("the path of a Unix socket has at most " + std::to_string(path_max) +
                      " bytes, this one " + std::to_string(path.size())));
  place p;
  p.local = true;
  p.path = path;
  return p;
}

/// A socket that refuses: its listener is gone.
bool is_deserted(const std::string& path) noexcept {
  const descriptor s(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  if (s.get() < 0 || path.size() > path_max) return false;
  std::memcpy(to.sun_path, path.data(), path.size());
  return ::connect(s.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 &&
         errno == ECONNREFUSED;
}

/// "4711.sock": 4711; else 0.
pid_t pid_of(std::string_view name) noexcept {
  pid_t pid = 0;
  const auto [end, failed] = std::from_chars(name.data(), name.data() + name.size(), pid);
  if (failed != std::errc{} || pid <= 0) return 0;
  return name.substr(static_cast<size_t>(end - name.data())) == ".sock" ? pid : 0;
}

/// Ends: a directory is listed once.
void remove_stale(const std::string& directory) {
  DIR* open = ::opendir(directory.c_str());
  if (open == nullptr) return;
  while (const dirent* entry = ::readdir(open)) {
    const pid_t pid = pid_of(entry->d_name);
    if (pid == 0 || ::kill(pid, 0) == 0 || errno != ESRCH) continue;
    // A process of another PID namespace, which shares the directory, is alive all the same.
    const std::string path = directory + "/" + entry->d_name;
    if (is_deserted(path)) (void)::unlink(path.c_str());
  }
  ::closedir(open);
}

/// Ours, and nobody else's to write to: else whoever made it could put a socket of their own there.
result<void> check_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return fail(error("mkdir " + path + ": " + errno_text(errno)));
  const descriptor d(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat is{};
  if (d.get() < 0 || ::fstat(d.get(), &is) != 0)
    return fail(error(path + ": " + errno_text(errno)));
  char mode[8];
  std::snprintf(mode, sizeof mode, "%04o", static_cast<unsigned>(is.st_mode & 07777));
  if (is.st_uid != ::geteuid() || (is.st_mode & 077) != 0)
    return fail(error(path + " belongs to user " + std::to_string(is.st_uid) + " with mode " +
                      mode + ": it must be ours with 0700"));
  return {};
}

bool is_loopback(const net::address& a) noexcept {
  if (a.kind == net::family::ipv4) return a.ip[0] == 127;
  if (a.kind != net::family::ipv6) return false;
  constexpr std::array<uint8_t, 16> one{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  constexpr std::array<uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return a.ip == one ||
         (std::memcmp(a.ip.data(), mapped.data(), mapped.size()) == 0 && a.ip[12] == 127);
}

}  // namespace

bool is_loopback(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  if (http::equal_fold(host, "localhost")) return true;
  constexpr std::string_view below = ".localhost";
  if (host.size() > below.size() &&
      http::equal_fold(host.substr(host.size() - below.size()), below))
    return true;
  const auto parsed = net::parse_address(net::join_host_port(host, 1));
  return parsed && is_loopback(*parsed);
}

result<place> parse_place(std::string_view text, bool guarded) {
  if (text.starts_with(unix_prefix)) return parse_unix(text.substr(unix_prefix.size()));
  const auto split = net::split_host_port(text);
  if (!split)
    return fail(error(std::string("must be off, unix:PATH or HOST:PORT: ") +
                      std::string(split.error().message())));
  place p;
  p.where = text;
  p.host = split->host;
  if (!is_loopback(p.host) && !guarded)
    return fail(
        error("is not loopback: whoever reaches it could read this process; use 127.0.0.1:" +
              std::to_string(split->port) +
              ", or set WEFT_DEBUG_TOKEN (options.debug_token), or ask for client certificates "
              "(weft::debughttp::use_tls)"));
  return p;
}

result<place> default_place() {
  const std::string name = "/" + std::to_string(::getpid()) + ".sock";
  std::string directory = "/tmp/weft-" + std::to_string(::geteuid());
  if (const char* run = std::getenv("XDG_RUNTIME_DIR"); run != nullptr && run[0] == '/') {
    std::string there = std::string(run) + "/weft";
    if (there.size() + name.size() <= path_max) directory = std::move(there);
  }
  if (const auto fit = check_directory(directory); !fit) return fail(fit.error());
  remove_stale(directory);
  place p;
  p.local = true;
  p.path = directory + name;
  return p;
}

result<void> clear_path(const std::string& path) {
  if (path.starts_with('@')) return {};
  struct stat is{};
  if (::lstat(path.c_str(), &is) != 0) return {};
  if (!S_ISSOCK(is.st_mode)) return fail(error(path + " is there and no socket"));
  if (!is_deserted(path)) return fail(error(path + ": another process listens there"));
  if (::unlink(path.c_str()) != 0) return fail(error("unlink " + path + ": " + errno_text(errno)));
  return {};
}

bool is_own_peer(int fd) noexcept {
  ucred peer{};
  socklen_t bytes = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0) return false;
  return peer.uid == ::geteuid() || peer.uid == 0;
}

}  // namespace weft::debughttp
