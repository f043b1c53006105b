#!/usr/bin/env bash
# Debian's own python3 cannot make a virtualenv without python3-venv; mmdebstrap builds the bare machine.
. "$(dirname "$0")/../lib.sh"
why="the build tools, and what makes virtualenvs and Debian file systems"
packages=(python3-venv make git mmdebstrap)
run_part "$@"
