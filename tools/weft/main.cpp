// SPDX-License-Identifier: Apache-2.0
// weft: profiles, goroutines and traces of running Weft programs. docs/guide/weft-command.md.
#include "command.hpp"

int main(int argc, char** argv) {
  return weft_command::run_command_line({argv + 1, static_cast<size_t>(argc > 0 ? argc - 1 : 0)});
}
