#!/usr/bin/env bash
# Makes ready the real parts that the tests use. Says first what it adds and why; a second run adds nothing.
. "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)

plan=$(for part in "${PARTS[@]}"; do bash "$here/parts/$part.sh" plan; done)
if [ -z "$plan" ]; then
  say "ready: ${PARTS[*]}"
  exit 0
fi
printf '%s\n' "$plan"
need_root_on_debian
mkdir -p "$TESTBED_HOME"
exec 9>"$TESTBED_HOME/up.lock" # two runs at once would meet in apt
flock 9
for part in "${PARTS[@]}"; do
  started=$SECONDS
  bash "$here/parts/$part.sh" up 9>&-
  say "$part: ready ($((SECONDS - started)) s)"
done
