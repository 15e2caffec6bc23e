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
pkg_check_modules(GRPCPP REQUIRED IMPORTED_TARGET grpc++ protobuf) # libgrpc++-dev, libprotobuf-dev
find_program(PROTOC_PROGRAM protoc REQUIRED)                      # protobuf-compiler
find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)            # protobuf-compiler-grpc
pkg_check_modules(ZMQ REQUIRED IMPORTED_TARGET libzmq)           # libzmq3-dev
if(SIGNALBOX_TESTS)
  find_package(GTest REQUIRED)   # libgtest-dev, libgmock-dev
  find_library(RAPIDCHECK_LIBRARY rapidcheck REQUIRED)  # librapidcheck-dev
  find_path(RAPIDCHECK_INCLUDE rapidcheck.h REQUIRED)
  add_library(rapidcheck INTERFACE)
  target_link_libraries(rapidcheck INTERFACE ${RAPIDCHECK_LIBRARY})
  target_include_directories(rapidcheck SYSTEM INTERFACE ${RAPIDCHECK_INCLUDE})
endif()
