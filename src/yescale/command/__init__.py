"""The commands of an operator besides `serve`: admin, apply, migrate, doctor."""
