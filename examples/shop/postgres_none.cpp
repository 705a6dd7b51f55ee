// SPDX-License-Identifier: Apache-2.0
// In place of postgres_store.cpp, where libpq is not installed.
#include "store.hpp"

namespace shop {

weft::result<std::unique_ptr<ledger_store>> open_postgres(const weft::context&, const std::string&,
                                                          int) {
  return weft::fail(
      weft::error("postgres: this program was built without libpq (Debian: libpq-dev); build it "
                  "again with it"));
}

}  // namespace shop
