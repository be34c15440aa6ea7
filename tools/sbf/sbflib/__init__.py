"""The stages of tools/sbf, one module each; `build.py` runs them in order."""
