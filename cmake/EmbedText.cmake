# signalbox_embed_text(INPUT examples/mom.yaml OUTPUT config/embedded_default.inc)
#
# Writes a text file as a C++ raw string literal into the generated include folder. Configuring is repeated when the
# input changes; an unchanged output keeps its time stamp, so nothing is recompiled without need.
function(signalbox_embed_text)
  cmake_parse_arguments(ARG "" "INPUT;OUTPUT" "" ${ARGN})
  set(input ${CMAKE_SOURCE_DIR}/${ARG_INPUT})
  set(output ${CMAKE_BINARY_DIR}/generated/${ARG_OUTPUT})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${input})
  file(READ "${input}" text)
  set(literal "R\"embedded(${text})embedded\"\n")
  set(current "")
  if(EXISTS "${output}")
    file(READ "${output}" current)
  endif()
  if(NOT "${current}" STREQUAL "${literal}")
    file(WRITE "${output}" "${literal}")
  endif()
endfunction()
