# Messages. All of them on stderr: stdout belongs to results.

if [[ -t 2 && -z ${NO_COLOR:-} ]]; then
  BOLD=$'\e[1m' RED=$'\e[31m' GREEN=$'\e[32m' PLAIN=$'\e[0m'
else
  BOLD='' RED='' GREEN='' PLAIN=''
fi

say() { printf '%s\n' "$*" >&2; }
step() { printf '%s== %s%s\n' "$BOLD" "$*" "$PLAIN" >&2; }
warn() { printf '%s%s%s\n' "$RED" "$*" "$PLAIN" >&2; }
die() {
  warn "$*"
  exit 1
}

# Seconds since the epoch with a fraction, for the time table.
now() { printf '%s' "$EPOCHREALTIME"; }
elapsed() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.1f", b - a }'; }
