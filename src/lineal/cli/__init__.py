"""The command line: `lineal [-C DIR] COMMAND`. People by default, one JSON document with --json, warnings on stderr."""
