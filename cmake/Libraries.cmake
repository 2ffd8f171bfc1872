# Everything we link, as imported targets. Debian 12 and 13 package names are in
# deploy/packages.sh; why each was chosen is in docs/dependencies.md.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

pkg_check_modules(UV REQUIRED IMPORTED_TARGET libuv>=1.44)
pkg_check_modules(JSONC REQUIRED IMPORTED_TARGET json-c>=0.16)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium>=1.0.18)
pkg_check_modules(HIREDIS REQUIRED IMPORTED_TARGET hiredis>=0.14)
# TLS to Redis; Debian 12's hiredis is too old for it.
pkg_check_modules(HIREDIS_SSL IMPORTED_TARGET hiredis_ssl>=1.0)
pkg_check_modules(LWS REQUIRED IMPORTED_TARGET libwebsockets>=4.1.6)
# The gateway's alone; earlier ones sign what S3 refuses.
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl>=7.88)
pkg_check_modules(OPENSSL REQUIRED IMPORTED_TARGET openssl>=3.0)
pkg_check_modules(PQ REQUIRED IMPORTED_TARGET libpq>=15)

# NNG ships a CMake config and no pkg-config file.
find_package(nng 1.5.2 CONFIG REQUIRED)
