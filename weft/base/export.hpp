// SPDX-License-Identifier: Apache-2.0
// What a shared library shows: everything else is hidden. And what must not be called, with why.
#pragma once
#define WEFT_API __attribute__((visibility("default")))

// A deleted function whose error says what to do instead. Compilers that do not know C++26's
// `= delete("why")` show the declaration, with the text in it, below their own line.
#if defined(__cpp_deleted_function)
#define WEFT_DELETED(why)                                                                   \
  _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wc++26-extensions\"") = \
      delete (why)_Pragma("GCC diagnostic pop")
#else
#define WEFT_DELETED(why) = delete
#endif
