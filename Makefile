# What people and CI call. `make test` installs what it needs on a Debian machine.
CARGO ?= cargo
JOBS  ?= 2
RUN    = $(CARGO) run --quiet --release -j$(JOBS) --

.PHONY: test lint rust python node packages bench tools

test: tools lint rust python node ## everything that decides whether a change is good

tools: ## programs that the tests need, where they are missing
	@sh tests/clients.sh

lint: ## format and lints, warnings denied
	$(CARGO) fmt --check
	$(CARGO) clippy -j$(JOBS) --all-targets -- -D warnings

rust: ## unit tests, black-box tests, example topologies, the commands of the docs
	$(CARGO) test -j$(JOBS)

python: ## the Python SDK
	python3 -m unittest discover -q -s multilang/python/tests

node: ## the Node SDK
	node --test multilang/node/test/*.test.mjs

packages: ## wheel, sdist and npm tarball of the SDKs, in target/packages
	sh multilang/packages.sh

bench: ## figures, printed; nothing is judged
	$(CARGO) bench -j$(JOBS) --bench executor
	$(CARGO) bench -j$(JOBS) --bench link
	$(CARGO) build --quiet --release -j$(JOBS)
	@sh tests/clients.sh
	python3 benches/topologies.py
