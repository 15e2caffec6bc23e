# Style: clang-format-19, tools/tidy (our own rules) and clang-tidy-19.

dev_lint() {
  local all=0 fix=0 flag
  for flag in "$@"; do
    case "$flag" in
      --all) all=1 ;;
      --fix) fix=1 ;;
      *) die "./dev lint knows --all and --fix, not $flag" ;;
    esac
  done
  need_packages build lint test
  local status=0
  if [[ $fix -eq 1 ]]; then "$(python_base)" "$ROOT/tools/tidy/limits_document.py" --write; fi
  lint_format "$fix" || status=1
  lint_tidy || status=1
  lint_clang_tidy "$all" || status=1
  return "$status"
}

# The commit that changes are counted from: where this branch left main, or the parent on main itself.
lint_base() {
  local base
  base=$(git merge-base HEAD origin/main 2>/dev/null || git merge-base HEAD main 2>/dev/null || true)
  if [[ -z $base || $base == "$(git rev-parse HEAD)" ]]; then
    base=$(git rev-parse --verify --quiet HEAD~1 || git rev-parse HEAD)
  fi
  printf '%s' "$base"
}

# C++ files changed since lint_base, tracked or new; all of them with an argument of 1.
lint_files() {
  if [[ $1 -eq 1 ]]; then
    git ls-files --cached --others --exclude-standard -- '*.cc' '*.h'
  else
    { git diff --name-only --diff-filter=d "$(lint_base)" -- '*.cc' '*.h'
      git ls-files --others --exclude-standard -- '*.cc' '*.h'; }
  fi | sort -u | while read -r file; do if [[ -e $file ]]; then printf '%s\n' "$file"; fi; done
}

# Always the whole tree: two seconds.
lint_format() {
  local files fix=$1
  mapfile -t files < <(lint_files 1)
  step "format: ${#files[@]} files"
  [[ ${#files[@]} -eq 0 ]] && return
  if [[ $fix -eq 1 ]]; then
    clang-format-19 -i "${files[@]}"
  elif ! clang-format-19 --dry-run --Werror "${files[@]}" 2>"$CACHE/format.log"; then
    grep -h 'error:' "$CACHE/format.log" | cut -d: -f1 | sort | uniq -c >&2
    warn "Not formatted as .clang-format says; ./dev lint --fix does it."
    return 1
  fi
}

lint_tidy() {
  step "tools/tidy"
  "$(python_base)" "$ROOT/tools/tidy/tidy.py" "$ROOT" >&2
}

# Results are cached by content (file, its headers, command, rules), so a second run costs seconds.
lint_clang_tidy() {
  local files
  mapfile -t files < <(lint_files "$1" | grep '\.cc$')
  step "clang-tidy: ${#files[@]} files"
  [[ ${#files[@]} -eq 0 ]] && return
  if [[ ! -e build/dev/compile_commands.json ]]; then
    mkdir -p build/dev
    cmake --preset dev </dev/null >build/dev/configure.log 2>&1 || { cat build/dev/configure.log >&2; return 1; }
  fi
  local budget=(--budget "${SIGNALBOX_TIDY_SECONDS:-240}")
  if [[ $1 -eq 1 ]]; then budget=(); fi
  printf '%s\n' "${files[@]}" |
    "$(python_base)" "$ROOT/tools/tidy/clang_tidy.py" --build build/dev --cache "$CACHE/clang-tidy" "${budget[@]}" >&2
}
