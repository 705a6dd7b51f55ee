// SPDX-License-Identifier: Apache-2.0
// What the scenarios need of the doors.
#pragma once

/// How often each door was gone through, if FAULT_COUNTS is set.
void print_counts();
