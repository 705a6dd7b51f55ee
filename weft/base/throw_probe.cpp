// SPDX-License-Identifier: Apache-2.0
// The type_info that the compiler's tables name for `catch (const throw_probe&)`.
#include "weft/base/throw_probe.hpp"

#include <typeinfo>

#include "weft/base/atomic.hpp"

namespace weft::rt {

namespace {
constinit atomic<throw_note> the_note{nullptr};
}  // namespace

// Not in the unnamed namespace: the object below has external linkage.
class probe_type final : public std::type_info {
 public:
  probe_type() noexcept : std::type_info("N4weft2rt11throw_probeE") {}
  bool __do_catch(const std::type_info*, void** object, unsigned) const override {
    if (const throw_note note = the_note.load(acquire); note != nullptr) note(*object);
    return false;
  }
};

extern const probe_type the_probe __asm__("_ZTIN4weft2rt11throw_probeE");
const probe_type the_probe;

void set_throw_note(throw_note note) noexcept { the_note.store(note, release); }

}  // namespace weft::rt
