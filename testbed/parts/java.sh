#!/usr/bin/env bash
# Spark 4 runs on Java 17 or 21. Whichever is there already is kept: a second one would only shadow it.
. "$(dirname "$0")/../lib.sh"
why="Spark needs Java 17 or 21"

has_java() {
  local home
  for home in "${JAVA_HOME:-}" /usr/lib/jvm/*; do # `release` names the version without the second that a JVM takes to start
    grep -Eqs '^JAVA_VERSION="(17|21)(\.|")' "$home/release" && [ -x "$home/bin/java" ] && return 0
  done
  command -v java >/dev/null && java -version 2>&1 | grep -Eq ' version "(17|21)(\.|")'
}

missing() { has_java || printf 'openjdk-17-jre-headless\n'; }
run_part "$@"
