# One interface target carries all compile and link flags; nothing is global.
#
# PARLEY_WERROR      warnings are errors
# PARLEY_SANITIZE    a -fsanitize= list: "address,undefined" or "thread"
# PARLEY_HARDEN      the release hardening

option(PARLEY_WERROR "Treat warnings as errors" OFF)
option(PARLEY_HARDEN "Hardening flags for release builds" OFF)
set(PARLEY_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize= takes them")

add_library(build_flags INTERFACE)
target_include_directories(build_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(build_flags INTERFACE
  _GNU_SOURCE PARLEY_VERSION="${PROJECT_VERSION}")
target_compile_options(build_flags INTERFACE
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2
  -Wundef -Wvla -Wpointer-arith -Wwrite-strings -fno-common
  $<$<BOOL:${PARLEY_WERROR}>:-Werror>)

if(PARLEY_SANITIZE)
  target_compile_options(build_flags INTERFACE
    -fsanitize=${PARLEY_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(build_flags INTERFACE -fsanitize=${PARLEY_SANITIZE})
endif()

if(PARLEY_HARDEN)
  target_compile_options(build_flags INTERFACE
    -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection
    -fPIE $<$<STREQUAL:${CMAKE_SYSTEM_PROCESSOR},x86_64>:-fcf-protection>)
  target_link_options(build_flags INTERFACE
    -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
endif()
