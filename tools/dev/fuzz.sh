# ./dev fuzz NAME SECONDS: a libFuzzer target from the kept corpus; a crash is written to build/fuzz/crashes/NAME.

dev_fuzz() {
  need_packages build fuzz
  if [[ $# -ne 2 ]]; then
    say "usage: ./dev fuzz NAME SECONDS, with NAME one of:"
    fuzz_names | sed 's/^/  /' >&2
    return 2
  fi
  local name=$1 seconds=$2 corpus=$ROOT/test/fuzz/corpus/$1
  fuzz_names | grep -qx "$name" || die "There is no fuzz target $name; ./dev fuzz lists them."
  build_preset fuzz "${name}_fuzz"
  local folder=$ROOT/build/fuzz/found/$name crashes=$ROOT/build/fuzz/crashes/$name
  mkdir -p "$folder" "$crashes" "$corpus"
  step "fuzzing $name for $seconds s; new inputs stay in build/fuzz/found/$name"
  "$(find build/fuzz -name "${name}_fuzz" -type f -perm -u+x | head -n 1)" \
    -max_total_time="$seconds" -artifact_prefix="$crashes/" -print_final_stats=1 "$folder" "$corpus" </dev/null >&2
}

fuzz_names() { find src -name '*_fuzz.cc' -printf '%f\n' | sed 's/_fuzz\.cc$//' | sort; }
