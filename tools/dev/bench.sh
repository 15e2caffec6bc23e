# ./dev bench NAME [--json]: measurements against rivals in the same run; cases are listed in docs/benchmarks.md.

dev_bench() {
  local name=${1:-} json=()
  [[ $# -gt 0 ]] && shift
  if [[ ${1:-} == --json ]]; then json=(--json); shift; fi
  need_packages build bench
  case "$name" in
    proxy | mom | soak)
      build_preset release signalbox bench_load
      encoder_ready
      "$(python_base)" "$ROOT/test/bench/$name.py" --build "$ROOT/build/release" "${json[@]}" "$@" </dev/null
      ;;
    route)
      build_rig
      build_preset release signalbox bench_load
      local trace=()
      [[ -e $ROOT/../shared/data/traces/synthetic.jsonl ]] && trace=(--trace "$ROOT/../shared/data/traces/synthetic.jsonl")
      "$(python_base)" "$ROOT/test/bench/route.py" --build "$ROOT/build/release" --rig "$ROOT/build/rig" \
        "${trace[@]}" "${json[@]}" "$@" </dev/null
      ;;
    decide)
      build_preset release decide_bench
      taskset -c "$(bench_core)" "$(find build/release -name decide_bench -type f -perm -u+x | head -n 1)" \
        "${json[@]}" "$@" </dev/null
      ;;
    encoder)
      [[ -e $ROOT/build/release/build.ninja ]] && cmake --preset release >/dev/null  # finds libdnnl if just installed
      build_preset release encoder_bench tasks_bench signalbox
      encoder_ready
      bench_encoder "$@"
      ;;
    extproc)
      build_preset release signalbox bench_load extproc_nothing
      encoder_ready
      envoy_ready
      "$(python_base)" "$ROOT/test/bench/extproc.py" --build "$ROOT/build/release" --envoy "$(envoy_binary)" \
        "${json[@]}" "$@" </dev/null
      ;;
    *) die "./dev bench knows proxy, mom, decide, encoder, route, soak and extproc, not '$name'" ;;
  esac
}

# The routing rig (engines with a simulated prefix cache, load) is a program of its own beside this repository.
build_rig() {
  local rig=${SIGNALBOX_RIG_DIR:-$ROOT/../shared/rig}
  [[ -e $rig/go.mod ]] || die "the routing rig is not at $rig; set SIGNALBOX_RIG_DIR to its sources"
  command -v go >/dev/null || die "the routing rig needs Go 1.22 or newer"
  say "building the routing rig"
  mkdir -p "$ROOT/build/rig"
  (cd "$rig" && GOFLAGS=-mod=mod go build -buildvcs=false -o "$ROOT/build/rig/" ./cmd/...)
}

# Python's engines are left out, with a word, where their packages cannot be had.
bench_encoder() {
  local rivals=()
  if (venv_ready encoder-rivals "$ROOT/test/bench/encoder_requirements.txt"); then
    rivals=(--rivals "$CACHE/encoder-rivals/bin/python")
  else
    warn "ONNX Runtime and OpenVINO could not be installed; the rows against them are missing."
  fi
  PYTHONDONTWRITEBYTECODE=1 "$(python_base)" "$ROOT/test/bench/encoder.py" --bench "$ROOT/build/release/test/bench/encoder_bench" \
    --model "$SIGNALBOX_ENCODER_DIR" --work "$CACHE/encoder-rivals/models" "${rivals[@]}" "${json[@]}" "$@" </dev/null
}

# The first core this shell may use.
bench_core() { taskset -cp $$ | sed 's/.*: //; s/[,-].*//'; }
