"""The commands: parse, ask, print. No SDK and no business rule."""
