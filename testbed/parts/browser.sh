#!/usr/bin/env bash
# Web pages are tested in the browser that a person would use, not by reading HTML.
. "$(dirname "$0")/../lib.sh"
why="a browser, its driver and a font for the tests that open web pages"
packages=(chromium chromium-driver fonts-dejavu-core)
run_part "$@"
