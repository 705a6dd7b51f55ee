// SPDX-License-Identifier: Apache-2.0
// The system calls of net/. Each is noinline and returns -errno: the address of errno belongs to a
// thread, and a goroutine may be on another one after any wait.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "weft/net/address.hpp"

struct sockaddr_storage;
struct iovec;

namespace weft::rt::sys {

/// All return a value >= 0 or -errno. Sockets are made non-blocking and close-on-exec.
int make_socket(int domain, int type) noexcept;
long receive(int fd, void* to, size_t bytes) noexcept;
/// True if the peer has closed or an error is pending (a peek; takes nothing).
bool peer_gone(int fd) noexcept;
/// True if a read would not wait: bytes, an end, or an error (a peek).
bool has_input(int fd) noexcept;
long transmit(int fd, const void* from, size_t bytes) noexcept;
long transmit_vector(int fd, const iovec* parts, size_t count) noexcept;
/// From a file's `offset` on, without a copy. 0: the file ends there. May wait for the disk.
long transmit_file(int fd, int file, uint64_t offset, size_t bytes) noexcept;
/// One datagram: its whole length, though only `bytes` were taken.
long receive_packet(int fd, void* to, size_t bytes, sockaddr_storage* from,
                    uint32_t* from_bytes) noexcept;
/// `to`: null for a connected socket.
long send_packet(int fd, const void* from, size_t bytes, const sockaddr_storage* to,
                 uint32_t to_bytes) noexcept;
int accept_one(int fd, sockaddr_storage* from, uint32_t* from_bytes) noexcept;
int connect_to(int fd, const sockaddr_storage& to, uint32_t bytes) noexcept;
int bind_to(int fd, const sockaddr_storage& to, uint32_t bytes) noexcept;
int listen_on(int fd, int backlog) noexcept;
int set_option(int fd, int level, int option, int value) noexcept;
/// SO_ERROR: 0 or a positive errno.
int pending_error(int fd) noexcept;
int local_name(int fd, sockaddr_storage* out, uint32_t* bytes) noexcept;
int peer_name(int fd, sockaddr_storage* out, uint32_t* bytes) noexcept;
int shut_down(int fd, int how) noexcept;
/// Another number of the same open file, close-on-exec.
int duplicate(int fd) noexcept;
/// 1 if a read (a write) would not block, or fail, 0 if it would.
int ready_now(int fd, bool to_write) noexcept;
int close_fd(int fd) noexcept;
int unlink_path(const char* path) noexcept;
/// net.core.somaxconn, the limit of a listen backlog; 128 if it cannot be read.
int max_backlog() noexcept;

/// An errno as an error, with the text in Go's form: lower case.
[[nodiscard]] error errno_error(int number);

/// Conversions. from_native() of what it does not know gives kind none.
[[nodiscard]] net::address from_native(const sockaddr_storage& native, uint32_t bytes);
/// Length of the native form, or 0 when a Unix path is too long.
[[nodiscard]] uint32_t to_native(const net::address& from, sockaddr_storage& native) noexcept;

}  // namespace weft::rt::sys
