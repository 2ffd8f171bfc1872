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

# Measured with the fuzz targets as a benchmark, all together cost what reading a
# frame costs by one percent or two, -ftrivial-auto-var-init most of it.
# tests/system/test_hardening.py reads the binaries.
if(PARLEY_HARDEN)
  include(CheckCSourceCompiles)
  set(CMAKE_REQUIRED_FLAGS "-O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3")
  check_c_source_compiles("
    #include <features.h>
    #if !defined(__USE_FORTIFY_LEVEL) || __USE_FORTIFY_LEVEL < 3
    #error
    #endif
    int main(void) { return 0; }" PARLEY_FORTIFY_3)
  unset(CMAKE_REQUIRED_FLAGS)
  if(PARLEY_FORTIFY_3)
    set(fortify 3)
  else()
    set(fortify 2)
  endif()
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    set(control_flow -fcf-protection=full)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64")
    set(control_flow -mbranch-protection=standard)
  endif()
  # A distribution's own setting of the level would clash with ours.
  target_compile_options(build_flags INTERFACE
    -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=${fortify}
    -fstack-protector-strong -fstack-clash-protection ${control_flow}
    -ftrivial-auto-var-init=zero -Wformat -Werror=format-security -fPIE)
  target_link_options(build_flags INTERFACE
    -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
endif()
