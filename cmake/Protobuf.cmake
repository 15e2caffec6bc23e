# signalbox_protobuf_library(NAME extproc_wire ROOT listener/extproc/proto SERVICE a.proto MESSAGES b.proto c.proto)
#
# Generates C++ from our own .proto files at build time and compiles it into a static library. Generated code is never
# committed. It is not ours to warn about or to sanitize, and compiles unoptimised beyond -O1: it is no hot path.
function(signalbox_protobuf_library)
  cmake_parse_arguments(ARG "" "NAME;ROOT;SERVICE" "MESSAGES" ${ARGN})
  set(root ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_ROOT})
  set(out ${CMAKE_BINARY_DIR}/generated/proto/${ARG_NAME})
  file(MAKE_DIRECTORY ${out})
  set(sources)
  foreach(proto IN LISTS ARG_MESSAGES ARG_SERVICE)
    string(REGEX REPLACE "\\.proto$" "" stem ${proto})
    set(made ${out}/${stem}.pb.cc ${out}/${stem}.pb.h)
    set(plugin)
    if(proto STREQUAL ARG_SERVICE)
      list(APPEND made ${out}/${stem}.grpc.pb.cc ${out}/${stem}.grpc.pb.h)
      set(plugin --grpc_out=${out} --plugin=protoc-gen-grpc=${GRPC_CPP_PLUGIN})
    endif()
    add_custom_command(OUTPUT ${made}
      COMMAND ${PROTOC_PROGRAM} -I ${root} --cpp_out=${out} ${plugin} ${root}/${proto}
      DEPENDS ${root}/${proto} VERBATIM)
    list(APPEND sources ${made})
  endforeach()
  add_library(${ARG_NAME} STATIC ${sources})
  target_compile_options(${ARG_NAME} PRIVATE -w -O1 -g0 -fno-sanitize=all)
  target_include_directories(${ARG_NAME} SYSTEM PUBLIC ${out})
  target_link_libraries(${ARG_NAME} PUBLIC PkgConfig::GRPCPP)
endfunction()
