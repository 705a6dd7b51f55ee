// SPDX-License-Identifier: Apache-2.0
// /proc/self/maps (proc(5)) and the notes that the loader has mapped (elf(5), NT_GNU_BUILD_ID).
#include "weft/observe/internal/mappings.hpp"

#include <elf.h>
#include <link.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>

namespace weft::rt {

namespace {

struct module_id {
  uintptr_t low = 0;
  uintptr_t high = 0;
  std::string build_id;
};

std::string hexadecimal(const unsigned char* bytes, size_t count) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (size_t i = 0; i < count; ++i) {
    out += digits[bytes[i] >> 4];
    out += digits[bytes[i] & 15];
  }
  return out;
}

std::string build_id_in(const char* note, size_t bytes) {
  constexpr size_t align = 4;
  const auto padded = [](size_t n) { return (n + align - 1) & ~(align - 1); };
  while (bytes >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) head;
    std::memcpy(&head, note, sizeof head);
    const size_t name_at = sizeof head;
    const size_t text_at = name_at + padded(head.n_namesz);
    const size_t next = text_at + padded(head.n_descsz);
    if (next > bytes) return {};
    if (head.n_type == NT_GNU_BUILD_ID && head.n_namesz == 4 &&
        std::memcmp(note + name_at, "GNU", 4) == 0)
      return hexadecimal(reinterpret_cast<const unsigned char*>(note + text_at), head.n_descsz);
    note += next;
    bytes -= next;
  }
  return {};
}

int add_module(dl_phdr_info* info, size_t, void* to) {
  module_id module{UINTPTR_MAX, 0, {}};
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& part = info->dlpi_phdr[i];
    const uintptr_t at = info->dlpi_addr + part.p_vaddr;
    if (part.p_type == PT_LOAD) {
      module.low = std::min(module.low, at);
      module.high = std::max(module.high, at + part.p_memsz);
    } else if (part.p_type == PT_NOTE && module.build_id.empty()) {
      module.build_id = build_id_in(reinterpret_cast<const char*>(at), part.p_memsz);
    }
  }
  static_cast<std::vector<module_id>*>(to)->push_back(std::move(module));
  return 0;
}

struct file_closer {
  void operator()(std::FILE* f) const noexcept { std::fclose(f); }
};

}  // namespace

std::vector<code_mapping> code_mappings() {
  std::vector<module_id> modules;
  dl_iterate_phdr(add_module, &modules);
  std::vector<code_mapping> all;
  const std::unique_ptr<std::FILE, file_closer> maps(std::fopen("/proc/self/maps", "re"));
  if (maps == nullptr) return all;
  char line[4352];  // PATH_MAX and what stands before it
  while (std::fgets(line, sizeof line, maps.get()) != nullptr) {
    unsigned long start = 0, end = 0, offset = 0;
    char access[8] = {};
    int path_at = 0;
    if (std::sscanf(line, "%lx-%lx %7s %lx %*s %*s %n", &start, &end, access, &offset, &path_at) <
        4)
      continue;
    std::string path(line + path_at);
    if (!path.empty() && path.back() == '\n') path.pop_back();
    if (access[2] != 'x' || (path.empty() || (path[0] != '/' && path != "[vdso]"))) continue;
    code_mapping mapping{start, end, offset, std::move(path), {}};
    for (const module_id& module : modules)
      if (start >= module.low && start < module.high) mapping.build_id = module.build_id;
    all.push_back(std::move(mapping));
  }
  // The first one is "the binary" to pprof. The loader lists the program first.
  const auto first = std::ranges::find_if(all, [&](const code_mapping& m) {
    return !modules.empty() && m.start >= modules[0].low && m.start < modules[0].high;
  });
  if (first != all.end()) std::rotate(all.begin(), first, first + 1);
  return all;
}

}  // namespace weft::rt
