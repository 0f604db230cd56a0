SECONDS ?= 3600
fuzz_stamp := .venv/installed-fuzz-$(call hash,$(tools) requirements/fuzz.txt)

$(fuzz_stamp): | $(dev_stamp) $(node_stamp)
	@requirements/install.sh fuzz
	@touch $(run_stamp) $(dev_stamp) $(node_stamp) $@

.PHONY: fuzz
fuzz: $(fuzz_stamp) ## attack the parsers and pipes; SECONDS of atheris over all targets, ARGS="--target requests" for one
	@$(bin)/python -m tests.fuzz.run --seconds $(SECONDS) $(ARGS)
