# SPDX-License-Identifier: Apache-2.0
# The Debian package weft-dev, by `cmake --workflow --preset package`: what weft_install puts down,
# under /usr with Debian's directories, and what Debian wants beside it.
include_guard(GLOBAL)

set(doc_dir ${CMAKE_INSTALL_DATADIR}/doc/weft-dev)
install(FILES packaging/debian/copyright DESTINATION ${doc_dir})
# The tool's own time stamp would make every build another file.
find_program(WEFT_GZIP gzip)
if(WEFT_GZIP)
  execute_process(
    COMMAND ${WEFT_GZIP} -9nc ${PROJECT_SOURCE_DIR}/packaging/debian/changelog
    OUTPUT_FILE ${CMAKE_CURRENT_BINARY_DIR}/changelog.gz COMMAND_ERROR_IS_FATAL ANY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/changelog.gz DESTINATION ${doc_dir}
         )
endif()

# libbacktrace.a comes with the compiler's own libraries (docs/adr/0003).
string(REGEX MATCH "^[0-9]+" gcc_major "${CMAKE_CXX_COMPILER_VERSION}")
if(WEFT_ARCH STREQUAL aarch64)
  set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE arm64)
else()
  set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE amd64)
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME weft-dev)
set(CPACK_PACKAGE_VENDOR Weft)
set(CPACK_PACKAGE_CONTACT "Weft maintainers <maintainers@weft.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "goroutines, channels and select for C++ (development files)")
set(CPACK_PACKAGE_DESCRIPTION
"Weft gives C++23 services what Go gives Go services: goroutines on a
work-stealing scheduler, channels, select, contexts, blocking-style network
code, crash reports that show every goroutine, and deterministic tests.
.
This package has the headers, the static libraries, the CMake package, the
pkg-config file and the commands for gdb.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES OFF) # gdb's commands are in a section of the library
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "libc6-dev, libstdc++-${gcc_major}-dev | libstdc++-dev")
if(WEFT_HTTP)
  # For weft::json, weft::tls and weft::http; programs without them do not link these.
  string(APPEND CPACK_DEBIAN_PACKAGE_DEPENDS
         ", libssl-dev, libnghttp2-dev, libsimdjson-dev, zlib1g-dev, libzstd-dev")
endif()
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "cmake, gdb, pkg-config")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
include(CPack)
