# Python environments under .cache. Debian's own python3 is preferred: a version manager's may lack venv or differ.

python_base() {
  if [[ -x /usr/bin/python3 ]]; then printf '/usr/bin/python3'; else command -v python3; fi
}

# The real Envoy, for tests, benchmarks and ./dev run --envoy; prints the path of its binary.
envoy_ready() { venv_ready envoy "$ROOT/test/e2e/envoy_requirements.txt"; }
envoy_api_ready() { venv_ready envoy-api "$ROOT/test/e2e/envoy_api_requirements.txt"; }
envoy_api() { find "$CACHE/envoy-api/lib" -name site-packages -type d -print -quit; }
envoy_binary() { find "$CACHE/envoy/lib" -path '*/envoy/_bin/envoy' -type f -print -quit; }

# venv_ready NAME REQUIREMENTS_FILE: makes .cache/NAME with exactly those packages; nothing to do when the file is the same.
venv_ready() {
  local folder=$CACHE/$1 requirements=$2 stamp
  stamp=$(sha256sum <"$requirements" | cut -c1-64)
  if [[ -x $folder/bin/python && $(cat "$folder/.stamp" 2>/dev/null) == "$stamp" ]]; then return; fi
  step "Python packages of ${requirements#"$ROOT"/} into .cache/$1"
  rm -rf "$folder"
  "$(python_base)" -m venv "$folder" >&2
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-input -r "$requirements" </dev/null >&2
  printf '%s' "$stamp" >"$folder/.stamp"
}
