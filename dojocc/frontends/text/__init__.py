"""The text graph language: `import_text` for a file, `parse_text` for a string."""

from dojocc.frontends.text.importer import import_text, parse_text

__all__ = ["import_text", "parse_text"]
