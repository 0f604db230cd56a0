"""The vocabulary: frozen values that every layer shares. Standard library and msgspec only."""
