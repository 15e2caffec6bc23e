# ./dev run: from nothing to the first answer, and why it was that answer.

QUESTION='What is the derivative of f(x) = x^3?'

dev_run() {
  local once=0 port=8080 envoy=0
  while [[ $# -gt 0 ]]; do
    case "$1" in
      --once) once=1 ;;
      --envoy) envoy=1 ;;
      --port) port=${2:?"--port needs a number"} && shift ;;
      *) die "./dev run knows --once, --port N and --envoy, not $1" ;;
    esac
    shift
  done
  build_release
  encoder_ready
  local folder
  folder=$(mktemp -d)
  if [[ $envoy -eq 1 ]]; then envoy_ready; fi
  run_server "$folder" "$port" "$envoy"
  if [[ $envoy -eq 1 ]]; then run_envoy "$folder"; fi
  local status=0
  run_question "$folder" || status=$?
  if [[ $once -eq 1 || $status -ne 0 ]]; then
    run_stop
    rm -rf "$folder"
    return "$status"
  fi
  run_keep_serving
  rm -rf "$folder"
}

# Starts the server in the background: SERVER_PID, BASE (its URL). Falls back to a free port when PORT is taken.
run_server() {
  local folder=$1 port=$2 door=()
  if [[ ${3:-0} -eq 1 ]]; then door=(--extproc-listen 127.0.0.1:0); fi
  local metrics_port=9190
  if run_port_taken "$port" || run_port_taken "$metrics_port"; then
    say "Port $port or $metrics_port is taken; the system chooses others."
    port=0 metrics_port=0
  fi
  step "starting signalbox serve"
  "$BINARY" serve --port "$port" --metrics-port "$metrics_port" --ports-file "$folder/ports.json" "${door[@]}" \
    </dev/null >"$folder/serve.log" 2>&1 &
  SERVER_PID=$!
  trap 'run_stop; exit 130' INT TERM
  local try
  for ((try = 0; try < 600; try++)); do
    if ! kill -0 "$SERVER_PID" 2>/dev/null; then
      cat "$folder/serve.log" >&2
      die "signalbox serve ended before it was ready."
    fi
    if [[ -s $folder/ports.json ]]; then
      BASE=http://127.0.0.1:$(run_json "$folder/ports.json" 'd["http"]')
      if curl -fsS -o /dev/null "$BASE/ready" 2>/dev/null; then return; fi
    fi
    sleep 0.05
  done
  cat "$folder/serve.log" >&2
  run_stop
  die "signalbox serve was not ready within 30 seconds."
}

# Envoy in front of the server that runs: ENVOY_PID, and BASE becomes its URL.
run_envoy() {
  local folder=$1 port=8801
  if run_port_taken "$port"; then port=0; fi
  "$BINARY" emit envoy --ports-file "$folder/ports.json" --listen "$port" --admin 0 >"$folder/envoy.yaml"
  step "starting Envoy in front of it"
  "$(envoy_binary)" -c "$folder/envoy.yaml" --use-dynamic-base-id --concurrency 1 --log-level warning \
    --admin-address-path "$folder/envoy-admin" </dev/null >"$folder/envoy.log" 2>&1 &
  ENVOY_PID=$!
  local try admin
  for ((try = 0; try < 600; try++)); do
    if ! kill -0 "$ENVOY_PID" 2>/dev/null; then
      cat "$folder/envoy.log" >&2
      run_stop
      die "Envoy ended before it was ready."
    fi
    if [[ -s $folder/envoy-admin ]]; then
      admin=http://$(cat "$folder/envoy-admin")
      if curl -fsS -o "$folder/listeners.json" "$admin/listeners?format=json" 2>/dev/null &&
        curl -fsS -o /dev/null "$admin/ready" 2>/dev/null; then
        BASE=http://127.0.0.1:$(run_json "$folder/listeners.json" \
          'd["listener_statuses"][0]["local_address"]["socket_address"]["port_value"]')
        return
      fi
    fi
    sleep 0.05
  done
  cat "$folder/envoy.log" >&2
  run_stop
  die "Envoy was not ready within 30 seconds."
}

run_port_taken() { [[ $1 -ne 0 ]] && (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# run_json FILE EXPRESSION: prints a Python expression over the parsed file, named d.
run_json() { "$(python_base)" -c 'import json,sys; d=json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$1" "$2"; }

run_question() {
  local folder=$1 body status
  body='{"model":"MoM","messages":[{"role":"user","content":"'$QUESTION'"}]}'
  step "asking: $QUESTION"
  say "curl $BASE/v1/chat/completions -H 'content-type: application/json' -d '$body'"
  status=$(curl -sS -D "$folder/headers" -o "$folder/answer.json" -w '%{http_code}' \
    -H 'content-type: application/json' -d "$body" "$BASE/v1/chat/completions") || return 1
  printf '\nHTTP %s\n' "$status"
  grep -iE '^x-(vsr|signalbox)-' "$folder/headers" | tr -d '\r' | sed 's/^/  /' || true
  if [[ $status != 200 ]]; then
    cat "$folder/answer.json"
    return 1
  fi
  printf '\nanswer\n'
  run_json "$folder/answer.json" 'd["choices"][0]["message"]["content"]' | fold -s -w 96 | sed 's/^/  /'
  printf '\nwhy (signalbox explain)\n'
  "$BINARY" explain "$QUESTION" </dev/null | sed 's/^/  /'
}

run_keep_serving() {
  say ""
  step "serving at $BASE (metrics: /metrics); Ctrl-C ends it"
  wait "$SERVER_PID" || true
}

run_stop() {
  trap - INT TERM
  if [[ -n ${ENVOY_PID:-} ]]; then
    kill -TERM "$ENVOY_PID" 2>/dev/null || true
    wait "$ENVOY_PID" 2>/dev/null || true
    ENVOY_PID=
  fi
  if [[ -n ${SERVER_PID:-} ]]; then
    kill -TERM "$SERVER_PID" 2>/dev/null || true
    wait "$SERVER_PID" 2>/dev/null || true
    SERVER_PID=
  fi
}
