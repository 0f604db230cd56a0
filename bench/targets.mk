peers := .venv-peers
portkey := bench/peers/portkey
peers_stamp := $(peers)/installed-$(call hash,bench/peers/litellm.txt)
portkey_stamp := $(portkey)/node_modules/installed-$(call hash,$(portkey)/package-lock.json)
CALLS ?= 1000000

.PHONY: bench bench-inside bench-peers soak lock-peers

bench: dev ## measure yescale beside nginx, and write docs/performance.md
	@$(bin)/python -m bench.run $(ARGS)
	@$(bin)/python -m bench.translating $(filter --try,$(ARGS))

bench-inside: dev ## a call through a worker's own code alone, without sockets, and where its time goes
	@$(bin)/python -m bench.inside $(ARGS)
	@$(bin)/python -m bench.steps

bench-peers: dev $(peers_stamp) $(portkey_stamp) ## measure LiteLLM and Portkey in the same way
	@PATH="$(CURDIR)/$(bin):$$PATH" $(bin)/python -m bench.rivalry $(ARGS)

soak: dev ## a million calls (CALLS=n for fewer), and what memory does meanwhile
	@$(bin)/python -m bench.soak --calls $(CALLS) $(ARGS)

# Each in an environment of its own: what they need is not what yescale needs.
$(peers_stamp): | $(dev_stamp)
	@rm -rf $(peers)
	@$(bin)/python -m venv $(peers)
	@$(bin)/uv pip install --quiet --python $(peers)/bin/python --require-hashes --only-binary :all: -r bench/peers/litellm.txt
	@touch $@

$(portkey_stamp): | $(dev_stamp)
	@PATH="$(CURDIR)/$(bin):$$PATH" npm ci --prefix $(portkey) --silent --no-audit --no-fund --ignore-scripts
	@touch $@

lock-peers: dev ## write the locks of what is measured beside yescale anew
	@$(subst make lock,make lock-peers,$(compile)) --output-file bench/peers/litellm.txt bench/peers/litellm.in
	@PATH="$(CURDIR)/$(bin):$$PATH" npm install --prefix $(portkey) --package-lock-only --omit-lockfile-registry-resolved \
		--silent --no-audit --no-fund --ignore-scripts
