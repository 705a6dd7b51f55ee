// SPDX-License-Identifier: Apache-2.0
// The kernel's side of netpoll, for scenarios.
#pragma once

namespace model::poll {

/// What the kernel reports of `fd` from now on (EPOLLIN, ...): an edge.
void report(int fd, unsigned events);

}  // namespace model::poll
