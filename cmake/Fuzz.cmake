# signalbox_fuzzer(path/x_fuzz.cc LIBRARY...): the fuzz target `x`, which defines LLVMFuzzerTestOneInput.
# Preset fuzz (clang): a libFuzzer binary, x_fuzz. Preset dev: the same code with a main that replays the kept corpus
# test/fuzz/corpus/x, as test fuzz_replay.x, so that a crash once found stays fixed.
function(signalbox_fuzzer source)
  get_filename_component(stem ${source} NAME_WE)
  string(REGEX REPLACE "_fuzz$" "" name ${stem})
  if(SIGNALBOX_FUZZ)
    add_executable(${name}_fuzz ${source})
    target_link_libraries(${name}_fuzz PRIVATE ${ARGN})
    target_link_options(${name}_fuzz PRIVATE -fsanitize=fuzzer)
    add_dependencies(fuzzers ${name}_fuzz)
  elseif(SIGNALBOX_TESTS AND NOT SIGNALBOX_TSAN)
    add_executable(${name}_replay ${source} ${CMAKE_SOURCE_DIR}/test/fuzz/replay_main.cc)
    target_link_libraries(${name}_replay PRIVATE ${ARGN})
    add_test(NAME fuzz_replay.${name}
             COMMAND ${name}_replay ${CMAKE_SOURCE_DIR}/test/fuzz/corpus/${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(fuzz_replay.${name} PROPERTIES LABELS fuzz TIMEOUT 120)
  endif()
endfunction()

add_custom_target(fuzzers)
