#!/usr/bin/env bash
# The machine of a person who has just installed Debian: python3, make and certificates, and nothing else.
# tests/fresh unpacks it and runs the README's commands inside. Registry settings of this host are not part of it:
# the test lends them when it runs.
. "$(dirname "$0")/../lib.sh"
why="a bare Debian file system, the fresh machine on which \`make up\` and \`make test\` are tried"
recipe=1 # raise when the content changes: an older file is then built anew
codename=$(. /etc/os-release && printf %s "${VERSION_CODENAME:-unknown}")
rootfs=$TESTBED_HOME/bare-debian/$codename-$recipe.tar.gz

missing() { [ -s "$rootfs" ] || printf '%s\n' "$(basename "$rootfs")"; }

up() {
  local work file log=$TESTBED_HOME/logs/bare-debian.log options=()
  apt_update # also the first look at which mirrors are in use here
  mkdir -p "$(dirname "$rootfs")"
  work=$(mktemp -d "$TESTBED_HOME/bare-debian/build.XXXXXX")
  # shellcheck disable=SC2064  # the folder's name as it is now
  trap "rm -rf '$work'" EXIT
  apt-get indextargets --format "deb \$(SITE) \$(RELEASE) \$(COMPONENT)" 'Created-By: Packages' 'Origin: Debian' |
    sort -u | grep -E "^deb [^ ]+ $codename(-|\$| )" >"$work/sources.list" ||
    die "apt has no Debian $codename source here: \`apt-get indextargets\` lists none."
  for file in /etc/apt/apt.conf.d/99*; do # proxy and clock settings of this host, for the build alone
    [ ! -f "$file" ] || options+=("--aptopt=$file")
  done
  mmdebstrap --mode=root --variant=minbase --include=python3,make,ca-certificates "${options[@]}" \
    --customize-hook="rm -f \"\$1/etc/apt/apt.conf.d/99mmdebstrap\" \"\$1/etc/resolv.conf\"" \
    "$codename" "$work/rootfs.tar.gz" "$work/sources.list" >"$log" 2>&1 ||
    die "mmdebstrap could not build the file system: see $log (last line: $(tail -n 1 "$log"))."
  rm -f "$TESTBED_HOME"/bare-debian/*.tar.gz
  mv "$work/rootfs.tar.gz" "$rootfs" # whole or not at all
}

purge() { rm -rf "$TESTBED_HOME/bare-debian"; }
run_part "$@"
