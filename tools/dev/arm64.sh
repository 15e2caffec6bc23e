# The kernels of arm64: cross-built with Debian's toolchain, their unit tests run under qemu-user. Only what the tests of
# src/tensor need is built; the rest of the program has no code that depends on the processor.

ARM64_CXX=aarch64-linux-gnu-g++
ARM64_FLAGS=(-std=c++23 -O2 -g1 -Wall -Wextra -Wpedantic -Werror -Wno-maybe-uninitialized -Isrc
  "-DSIGNALBOX_SOURCE_DIR=\"$ROOT\"")

# arm64_compile SOURCE OBJECT: by the compiler cache if there is one.
arm64_compile() {
  local source=$1 object=$2 flags=("${ARM64_FLAGS[@]}") cache=()
  case "$source" in
    */dot_neon.cc) flags+=(-march=armv8.2-a+dotprod) ;;
    *_test.cc | */googletest/*) flags+=(-O1 -isystem /usr/src/googletest/googletest/include) ;;
  esac
  case "$source" in */googletest/*) flags+=(-I/usr/src/googletest/googletest) ;; esac
  if command -v ccache >/dev/null; then cache=(ccache); fi
  "${cache[@]}" "$ARM64_CXX" "${flags[@]}" -c "$source" -o "$object"
}

arm64_build() {
  local folder=$ROOT/build/arm64 source object objects=()
  mkdir -p "$folder"
  cd "$ROOT"
  for source in src/base/assert.cc src/base/random.cc src/tensor/*.cc \
    /usr/src/googletest/googletest/src/gtest-all.cc /usr/src/googletest/googletest/src/gtest_main.cc; do
    object=$folder/$(basename "$source" .cc).o
    arm64_compile "$source" "$object"
    objects+=("$object")
  done
  "$ARM64_CXX" "${objects[@]}" -o "$folder/tensor_tests"
}

test_arm64() {
  need_packages test-arm64
  if ! command -v "$ARM64_CXX" >/dev/null || ! command -v qemu-aarch64-static >/dev/null; then
    die "The tests of arm64 need $ARM64_CXX and qemu-aarch64-static."
  fi
  arm64_build
  mkdir -p "$RESULTS/arm64"
  qemu-aarch64-static -L /usr/aarch64-linux-gnu "$ROOT/build/arm64/tensor_tests" --gtest_brief=1 \
    --gtest_output="xml:$RESULTS/arm64/tensor.xml" </dev/null >&2
}
