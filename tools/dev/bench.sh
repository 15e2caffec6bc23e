# ./dev bench NAME [--json]: measurements against rivals in the same run; cases are listed in docs/benchmarks.md.

dev_bench() {
  local name=${1:-} json=()
  [[ $# -gt 0 ]] && shift
  if [[ ${1:-} == --json ]]; then json=(--json); shift; fi
  need_packages build bench
  case "$name" in
    proxy | mom)
      build_preset release signalbox bench_load
      encoder_ready
      "$(python_base)" "$ROOT/test/bench/$name.py" --build "$ROOT/build/release" "${json[@]}" "$@" </dev/null
      ;;
    decide | encoder)
      # Both are single-threaded by definition; OpenMP inside oneDNN has to be told.
      [[ -e $ROOT/build/release/build.ninja ]] && cmake --preset release >/dev/null  # finds libdnnl if just installed
      build_preset release "${name}_bench"
      encoder_ready
      OMP_NUM_THREADS=1 taskset -c "$(bench_core)" "$(find build/release -name "${name}_bench" -type f -perm -u+x |
        head -n 1)" "${json[@]}" "$@" </dev/null
      ;;
    *) die "./dev bench knows proxy, mom, decide and encoder, not '$name'" ;;
  esac
}

# The first core this shell may use.
bench_core() { taskset -cp $$ | sed 's/.*: //; s/[,-].*//'; }
