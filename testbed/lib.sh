# shellcheck shell=bash
# What every part of the testbed shares. A part is parts/NAME.sh: it sets `why`, then either lists `packages` or
# defines missing, up, down and purge itself, and ends with `run_part "$@"`. A new part is that file and one line here.
set -euo pipefail

# The parts, in the order in which up.sh makes them ready.
# shellcheck disable=SC2034  # read by up.sh, down.sh and status.sh
PARTS=(
  tools
  java
  browser
  bare-debian
)

TESTBED_HOME=${ONAIML_TESTBED_HOME:-${HOME:?HOME is not set}/.cache/onaiml/testbed}
export DEBIAN_FRONTEND=noninteractive
packages=()
why=

say() { printf 'testbed: %s\n' "$*"; }
die() {
  printf 'testbed: %s\n' "$*" >&2
  exit 1
}

need_root_on_debian() {
  [ "$(. /etc/os-release 2>/dev/null && printf %s "${ID:-}")" = debian ] ||
    die "the testbed is made of Debian packages and this is not Debian: run it on Debian 12, for example in a container."
  [ "$(id -u)" = 0 ] || die "installing packages needs root: run \`make testbed\` as root."
}

# Package lists older than an hour may name files that the mirror no longer has.
apt_update() {
  local stamp=$TESTBED_HOME/apt-updated log=$TESTBED_HOME/logs/apt.log
  mkdir -p "$TESTBED_HOME/logs"
  [ -z "$(find "$stamp" -mmin -60 2>/dev/null)" ] || return 0
  apt-get -q update >"$log" 2>&1 || die "apt-get update failed: see $log (last line: $(tail -n 1 "$log"))."
  touch "$stamp"
}

apt_install() {
  local log=$TESTBED_HOME/logs/apt.log
  apt_update
  apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@" >"$log" 2>&1 ||
    die "apt-get could not install $*: see $log (last line: $(tail -n 1 "$log"))."
}

# One line for each thing that is not there yet; nothing when the part is ready. Parts override these verbs.
missing() {
  local package
  for package in "${packages[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf '%s\n' "$package"
  done
}
up() {
  local absent
  mapfile -t absent < <(missing)
  apt_install "${absent[@]}"
}
down() { :; }  # packages are files, not processes: nothing to end
purge() { :; } # packages stay: others may use them, and apt-get remove is one command

run_part() {
  local name absent
  name=$(basename "$0" .sh)
  absent=$(missing | paste -sd ' ')
  case ${1:-} in
    plan) [ -z "$absent" ] || say "$name: will add $absent ($why)" ;;
    up)
      [ -n "$absent" ] || return 0
      need_root_on_debian
      up
      absent=$(missing | paste -sd ' ')
      [ -z "$absent" ] || die "$name: still absent after the installation: $absent."
      ;;
    down) down ;;
    purge) down && purge ;;
    status)
      if [ -z "$absent" ]; then
        printf '%-12s ready\n' "$name"
      else
        printf "%-12s absent (%s): run \`make testbed\` as root\n" "$name" "$absent"
      fi
      ;;
    *) die "usage: $0 plan|up|down|purge|status" ;;
  esac
}
