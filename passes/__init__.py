"""The translation: one file a pass."""
