"""Frontends: model files in other people's formats to modules of the nn dialect."""
