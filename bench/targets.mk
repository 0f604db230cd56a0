.PHONY: bench
bench: setup ## measure yescale beside nginx and write docs/performance.md (needs gcc and nginx from Debian)
	@$(bin)/python -m bench.run $(ARGS)
