// SPDX-License-Identifier: Apache-2.0
// What goes wrong on a network. Every error of net/ says operation, network, addresses and cause:
// `read tcp 127.0.0.1:1->127.0.0.1:2: connection reset by peer`. The system call is named where it
// differs from the operation: `dial tcp 127.0.0.1:9: connect: connection refused`.
#pragma once

#include <string>

#include "weft/base/error.hpp"

namespace weft::net {

/// "use of closed network connection": this side has closed it. Test with `err.is(net::closed)`.
extern WEFT_API const error closed;
/// "i/o timeout": a deadline has passed. err.timeout() is true for it, too.
extern WEFT_API const error err_timeout;
/// "unexpected EOF": read_full() met the end in the middle.
extern WEFT_API const error unexpected_eof;

/// What failed, for programs: `err.as<net::op_error>()`.
struct op_error {
  std::string op;       // "read", "write", "accept", "dial", "listen", "close", "set"
  std::string network;  // "tcp", "unix"
  std::string source;   // local address, may be empty
  std::string address;  // remote address, or the one listened on
};

}  // namespace weft::net
