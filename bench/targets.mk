.PHONY: bench
bench: setup ## measure yescale beside nginx and write docs/performance.md
	@$(bin)/python -m bench.run $(ARGS)
