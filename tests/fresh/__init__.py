"""The README's commands on a machine that has nothing yet: what a person meets first."""
