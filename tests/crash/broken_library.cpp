// SPDX-License-Identifier: Apache-2.0
// A library that crashes while it is loaded: the dying thread holds the loader's locks.
extern "C" {

volatile int* volatile nowhere = nullptr;

[[gnu::constructor, gnu::noinline]] void break_on_load() {
  *nowhere = 1;  // @break_on_load
}
}
