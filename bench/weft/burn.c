/* SPDX-License-Identifier: Apache-2.0 */
/* Built twice, with frame pointers and without: BURN is its name. Deep, and partly under libc. */
#include <stdlib.h>

static volatile unsigned sink;

__attribute__((noinline)) static unsigned descend(unsigned seed, int depth) {
  unsigned local[16];
  for (int i = 0; i < 16; ++i) local[i] = seed = seed * 1664525u + 1013904223u;
  if (depth > 0) local[0] += descend(seed, depth - 1);
  for (int i = 1; i < 16; ++i) local[0] ^= local[i];
  return local[0];
}

__attribute__((noinline)) static int compare(const void* a, const void* b) {
  return *(const int*)a < *(const int*)b ? -1 : *(const int*)a > *(const int*)b;
}

__attribute__((noinline)) void BURN(int rounds) {
  static __thread int values[512];
  for (int i = 0; i < rounds; ++i) {
    sink += descend((unsigned)i, 12);
    for (int k = 0; k < 512; ++k) values[k] = (int)(sink * 2654435761u >> (k & 15));
    qsort(values, 512, sizeof values[0], compare);
  }
}
