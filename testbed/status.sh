#!/usr/bin/env bash
# One line a part: ready, or absent and the command that makes it ready.
. "$(dirname "$0")/lib.sh"
for part in "${PARTS[@]}"; do bash "$(dirname "$0")/parts/$part.sh" status; done
