# Every third-party package, by its Debian 12 name. Which folder may include which is checked by tools/tidy.
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)       # libfmt-dev
find_package(spdlog REQUIRED)    # libspdlog-dev
find_package(simdjson REQUIRED)  # libsimdjson-dev
find_package(yaml-cpp REQUIRED)  # libyaml-cpp-dev
find_package(OpenSSL REQUIRED)   # libssl-dev
find_package(PkgConfig REQUIRED)
pkg_check_modules(RE2 REQUIRED IMPORTED_TARGET re2)              # libre2-dev
pkg_check_modules(HYPERSCAN REQUIRED IMPORTED_TARGET libhs)      # libhyperscan-dev
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc) # libutf8proc-dev
pkg_check_modules(ZMQ REQUIRED IMPORTED_TARGET libzmq)           # libzmq3-dev
# libboost1.81-dev: Asio only, header-only use; found by path because 1.74 may be installed beside it.
find_path(BOOST_ASIO_INCLUDE boost/asio/awaitable.hpp REQUIRED)
add_library(asio INTERFACE)
target_include_directories(asio SYSTEM INTERFACE ${BOOST_ASIO_INCLUDE})
target_compile_definitions(asio INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_SEPARATE_COMPILATION)
target_link_libraries(asio INTERFACE Threads::Threads OpenSSL::SSL OpenSSL::Crypto)
if(SIGNALBOX_TESTS)
  find_package(GTest REQUIRED)   # libgtest-dev, libgmock-dev
  find_library(RAPIDCHECK_LIBRARY rapidcheck REQUIRED)  # librapidcheck-dev
  find_path(RAPIDCHECK_INCLUDE rapidcheck.h REQUIRED)
  add_library(rapidcheck INTERFACE)
  target_link_libraries(rapidcheck INTERFACE ${RAPIDCHECK_LIBRARY})
  target_include_directories(rapidcheck SYSTEM INTERFACE ${RAPIDCHECK_INCLUDE})
endif()
