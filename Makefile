# What people and CI call. `make test` installs what it needs on a Debian machine.
CARGO ?= cargo
JOBS  ?= 2
RUN    = $(CARGO) run --quiet --release -j$(JOBS) --

SEEDS ?= 1 2
# Runs of each case of the benchmarks.
RUNS  ?= 3
# Seconds for which a sink stands still at full rate.
STALL ?= 600

FUZZ_SECONDS ?= 180
TARGETS      ?= topology child link control json tuple
FUZZ_LIMITS   = -timeout=20 -rss_limit_mb=1024 -malloc_limit_mb=256 -max_len=32768

.PHONY: test lint rust python node packages chaos-short chaos simulate bench bench-growth bench-instructions bench-peers fuzz fuzz-check tools

test: tools lint rust python node chaos-short ## everything that decides whether a change is good

tools: ## programs that the tests need, where they are missing
	@sh tests/clients.sh

lint: ## format and lints, warnings denied
	$(CARGO) fmt --check
	$(CARGO) clippy -j$(JOBS) --all-targets -- -D warnings

rust: ## unit tests, black-box tests, example topologies, the commands of the docs
	$(CARGO) test -j$(JOBS)

python: ## the Python SDK, and the arithmetic of benches/peers
	python3 -m unittest discover -q -s multilang/python/tests
	python3 -m unittest discover -q -s benches/peers

node: ## the Node SDK
	node --test multilang/node/test/*.test.mjs

packages: ## wheel, sdist and npm tarball of the SDKs, in target/packages
	sh multilang/packages.sh

chaos-short: ## a minute of faults, and the tests of the harness itself
	python3 -m unittest discover -q -s chaos
	@$(CARGO) build --quiet -j$(JOBS)
	python3 chaos --binary target/debug/galewire --faults 80 --tuples 130000 --round-faults 8 --round-tuples 12000 \
		--skip stalled --skip stopped --skip recovery --skip told # they are about times

chaos: ## 1,000 faults over 10 million tuples for each seed, a sink stopped for ten minutes beside them, and how long faults are felt
	$(CARGO) build --quiet --release -j$(JOBS)
	python3 -u chaos --case stopped --stall-seconds $(STALL) --jobs 1 --faults 1 --tuples 1 --round-tuples 3000000 --judge-times & stopped=$$!; \
	for seed in $(SEEDS); do python3 -u chaos --seed $$seed --skip stopped || { kill $$stopped; exit 1; }; done; \
	wait $$stopped
	python3 chaos --case recovery --case told --jobs 1 --faults 300 --tuples 1 --judge-times

simulate: ## thousands of simulated runs of the engine
	$(CARGO) test --release -j$(JOBS) --lib simulation:: -- --ignored

bench: ## figures of everything, printed; nothing is judged. RUNS and AGAINST=FILE-OR-PROGRAM
	$(CARGO) build --quiet --release -j$(JOBS)
	@sh benches/clients.sh
	target/release/galewire bench --all --runs $(RUNS) $(if $(AGAINST),--against $(AGAINST))
	target/release/galewire bench --runs $(RUNS) benches/clients/*.toml $(if $(AGAINST),--against $(AGAINST))
	$(CARGO) bench --quiet -j$(JOBS) --bench micro
	$(CARGO) bench --quiet -j$(JOBS) --bench executor
	$(CARGO) bench --quiet -j$(JOBS) --bench link

bench-instructions: ## instructions for each operation of the data path, by valgrind
	python3 benches/instructions.py

bench-growth: ## what a message costs as links, tasks and pending roots grow; PLOT=FILE draws it
	$(CARGO) build --quiet --release -j$(JOBS)
	python3 -u benches/growth --runs $(RUNS) $(if $(PLOT),--plot $(PLOT))

bench-peers: ## the same work on Storm, Flink, Bytewax and awk, RUNS times in turns; needs Java 17 and Maven
	$(CARGO) build --quiet --release -j$(JOBS)
	python3 -u benches/peers --runs $(RUNS)

fuzz: ## libFuzzer on each of TARGETS for FUZZ_SECONDS; needs cargo install cargo-fuzz and a C++ compiler
	$(CARGO) test --quiet -j$(JOBS) --lib seeds_are_written -- --ignored
	for target in $(TARGETS); do \
		$(CARGO) fuzz run -s none $$target target/fuzz/$$target -- $(FUZZ_LIMITS) \
			-max_total_time=$(FUZZ_SECONDS) -dict=target/fuzz/$$target.dict || exit 1; \
	done

fuzz-check: ## whether the targets for libFuzzer still compile
	RUSTFLAGS="--cfg fuzzing" $(CARGO) check -j$(JOBS) --manifest-path fuzz/Cargo.toml
