// SPDX-License-Identifier: Apache-2.0
// Everything public, for programs that want one include.
#pragma once

#include "weft/base/defer.hpp"
#include "weft/base/error.hpp"
#include "weft/base/panic.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/local.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sched/sim.hpp"
#include "weft/sched/task.hpp"
#include "weft/sync/chan.hpp"
#include "weft/sync/cond.hpp"
#include "weft/sync/context.hpp"
#include "weft/sync/group.hpp"
#include "weft/sync/mutex.hpp"
#include "weft/sync/once.hpp"
#include "weft/sync/rw_mutex.hpp"
#include "weft/sync/select.hpp"
#include "weft/sync/semaphore.hpp"
#include "weft/sync/timer.hpp"
#include "weft/sync/wait_group.hpp"
