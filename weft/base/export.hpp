// SPDX-License-Identifier: Apache-2.0
// What a shared library shows: everything else is hidden.
#pragma once
#define WEFT_API __attribute__((visibility("default")))
