#!/usr/bin/env bash
# Ends what up.sh started, last part first. --purge also removes the files it made; Debian packages stay.
. "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)

case ${1:-} in
  '') verb=down ;;
  --purge) verb=purge ;;
  *) die "usage: testbed/down.sh [--purge]" ;;
esac
for ((i = ${#PARTS[@]} - 1; i >= 0; i--)); do
  bash "$here/parts/${PARTS[i]}.sh" "$verb"
done
if [ "$verb" = purge ]; then
  rm -rf "$TESTBED_HOME/logs" "$TESTBED_HOME/apt-updated" "$TESTBED_HOME/up.lock"
  say "files removed; Debian packages stay installed"
else
  say "nothing of it runs; --purge removes the files too"
fi
