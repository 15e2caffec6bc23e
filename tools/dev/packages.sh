# Debian packages by group (tools/packages.txt). Quiet when nothing is missing.

packages_of() {
  local groups=" $* " group name
  while read -r group name; do
    [[ $group == '#'* || -z $group ]] && continue
    [[ $groups == *" $group "* ]] && printf '%s\n' "$name"
  done <"$ROOT/tools/packages.txt"
}

# Names among the arguments that dpkg does not know as installed.
packages_missing() {
  local name status
  declare -A installed=()
  while read -r status name; do
    [[ $status == ii ]] && installed[${name%%:*}]=1
  done < <(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "$@" 2>/dev/null || true)
  for name in "$@"; do
    [[ -n ${installed[$name]:-} ]] || printf '%s\n' "$name"
  done
}

# need_packages GROUP...: installs what is missing, or says what to install where apt is not at hand.
need_packages() {
  local wanted missing
  mapfile -t wanted < <(packages_of "$@")
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    packages_elsewhere "${wanted[@]}"
    return
  fi
  mapfile -t missing < <(packages_missing "${wanted[@]}")
  [[ ${#missing[@]} -eq 0 ]] && return
  local as_root=()
  if [[ $(id -u) -ne 0 ]]; then
    if ! command -v sudo >/dev/null; then
      warn "These packages are missing and neither root nor sudo is at hand; ask an administrator to run:"
      die "  apt-get install --no-install-recommends ${missing[*]}"
    fi
    as_root=(sudo)
  fi
  step "installing ${#missing[@]} packages with apt: ${missing[*]}"
  packages_install
}

# Installs missing[] as as_root[] of the caller. Servers among them (nginx, haproxy, prometheus) are wanted as programs
# only, so Debian's policy hook keeps them from being started, and systemd from starting them later.
packages_install() {
  local policy=/usr/sbin/policy-rc.d own_policy=0 status=0
  if [[ ! -e $policy ]]; then
    own_policy=1
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
  fi
  { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq update &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -y -qq -o Dpkg::Use-Pty=0 \
      install --no-install-recommends "${missing[@]}"; } </dev/null >&2 || status=$?
  if [[ $own_policy -eq 1 ]]; then "${as_root[@]}" rm -f "$policy"; fi
  [[ $status -eq 0 ]] || die "apt-get failed (exit $status); see its message above."
  local service
  for service in nginx haproxy prometheus; do
    if [[ -d /run/systemd/system && " ${missing[*]} " == *" $service"* ]]; then
      "${as_root[@]}" systemctl disable --quiet "$service" >&2 || true
    fi
  done
}

# No apt: name the packages once, and go on if the tools are there.
packages_elsewhere() {
  local tool absent=()
  for tool in g++ cmake ninja pkg-config curl unzip python3; do
    command -v "$tool" >/dev/null || absent+=("$tool")
  done
  if [[ ! -e $CACHE/told-packages || ${#absent[@]} -gt 0 ]]; then
    say "This is not Debian 12, so nothing is installed for you. Signalbox needs the counterparts of:"
    say "  $*"
    mkdir -p "$CACHE" && : >"$CACHE/told-packages"
  fi
  [[ ${#absent[@]} -eq 0 ]] || die "Missing tools: ${absent[*]}. Install them and run this again."
}
