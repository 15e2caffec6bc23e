# Configure and build. One lock per build folder, so that two ./dev at once do not disturb each other.

BINARY=$ROOT/build/release/apps/signalbox/signalbox

# Compiler cache inside the tree unless the caller has one.
export CCACHE_DIR=${CCACHE_DIR:-$CACHE/ccache}
export CCACHE_COMPRESS=1 CCACHE_MAXSIZE=${CCACHE_MAXSIZE:-5G} CCACHE_BASEDIR=$ROOT CCACHE_NOHASHDIR=1
export CCACHE_SLOPPINESS=pch_defines,time_macros

# build_preset PRESET [TARGET...]: configures when needed, then builds; output to stderr, thinned without a terminal.
build_preset() {
  local preset=$1 folder=$ROOT/build/$1
  shift
  mkdir -p "$folder"
  (
    flock 9
    if [[ ! -e $folder/build.ninja ]]; then
      step "configuring build/$preset"
      cmake --preset "$preset" </dev/null >"$folder/configure.log" 2>&1 ||
        { cat "$folder/configure.log" >&2; exit 1; }
    fi
    if [[ -t 2 ]]; then
      ninja -C "$folder" "$@" </dev/null >&2
    else
      build_thinned "$folder" "$@"
    fi
  ) 9>"$folder/.lock" || die "build/$preset did not build."
}

# Every 25th line of ninja's progress, and everything from a failure on.
build_thinned() {
  local folder=$1
  shift
  NINJA_STATUS='[%f/%t %es] ' ninja -C "$folder" "$@" </dev/null 2>&1 | awk '
    /^ninja: (Entering|no work)/ { next }
    /FAILED|rror:|warning:/ { bad = 1 }
    bad || NR % 25 == 0 { print; fflush() }' >&2
  return "${PIPESTATUS[0]}"
}

build_release() {
  need_packages build
  build_preset release signalbox
}

dev_build() {
  local started
  started=$(now)
  build_release
  say "built build/release/apps/signalbox/signalbox in $(elapsed "$started") s"
}

dev_exec() {
  build_release
  encoder_ready
  exec "$BINARY" "$@"
}

dev_clean() {
  rm -rf "${ROOT:?}/build"
  if [[ ${1:-} == --cache ]]; then rm -rf "${CACHE:?}"; fi
}
