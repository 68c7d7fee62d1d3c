# Two commands do everything: `make demo` and `make test`. The rest are their parts.

SHELL := /bin/bash

# A checkout made for CI is thrown away; what it built is kept outside, so that RocksDB is compiled once.
ifdef CI
export CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tidemill/target
endif

# One profile for everything: tests, benches, examples and the demo share what was built.
CARGO_FLAGS := --release --workspace --locked --features apps

.PHONY: help
help: ## Lists the targets.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

.PHONY: prerequisites
prerequisites: ## Installs missing system packages, or says which are missing.
	@.ci/prerequisites

# The recordings are twenty minutes long; ten times as fast, the first minute is analysed after seven seconds.
ARGS ?= --speed 10

.PHONY: demo
demo: prerequisites ## Runs both applications on recorded input; prints the addresses of their pages.
	cargo run --release --locked --features apps --bin tidemill -- demo $(ARGS)

KAFKA_BROKER := $(or $(CARGO_TARGET_DIR),target)/kafka-broker

.PHONY: kafka-broker
kafka-broker: $(KAFKA_BROKER)/fetched ## Fetches the Kafka broker that tests start. Needs Java and Maven.

$(KAFKA_BROKER)/fetched: topology/tests/broker/pom.xml
	rm -rf $(KAFKA_BROKER)
	mvn --batch-mode --quiet -f $< dependency:copy-dependencies -DoutputDirectory=$(abspath $(KAFKA_BROKER))/lib
	touch $@

# Tests on a Kafka broker pass without one, after saying so.
.PHONY: kafka-broker-if-possible
kafka-broker-if-possible:
	@if ! command -v java >/dev/null || ! command -v mvn >/dev/null; then \
	  echo "Java or Maven is missing: the tests on a Kafka broker are skipped"; \
	elif ! $(MAKE) --no-print-directory kafka-broker; then \
	  echo "the Kafka broker could not be fetched: the tests on it are skipped"; \
	fi

.PHONY: test
test: prerequisites kafka-broker-if-possible ## Passes all tests: units, behaviours, documentation, examples, benches once.
	cargo test $(CARGO_FLAGS) --all-targets
	cargo test $(CARGO_FLAGS) --doc
	@for example in $$(ls topology/examples | sed -n 's/\.rs$$//p'); do \
	  echo "example $$example" && cargo run --release --locked --quiet -p tidemill-topology --example $$example >/dev/null || exit 1; \
	done
	@if command -v node >/dev/null; then node --test src/apps/page/tests/page.test.mjs; \
	  else echo "node is missing: the unit tests of the pages are skipped"; fi

.PHONY: check
check: format lint doc test ## Everything that CI checks.

.PHONY: format
format: ## Checks the formatting.
	cargo fmt --all --check

.PHONY: lint
lint: prerequisites ## Lints, warnings are errors.
	cargo clippy $(CARGO_FLAGS) --all-targets -- -D warnings
	cargo clippy --release --locked -p tidemill-topology --no-default-features -- -D warnings
	cargo clippy --release --locked -p tidemill --no-default-features -- -D warnings

.PHONY: doc
doc: prerequisites ## Builds the documentation, warnings are errors.
	RUSTDOCFLAGS="-D warnings" cargo doc $(CARGO_FLAGS) --no-deps

.PHONY: bench
bench: prerequisites ## Runs the benchmarks.
	cargo bench --locked

KAFKA_STREAMS := $(or $(CARGO_TARGET_DIR),target)/kafka-streams
# One of throughput, latency and restore, with its own arguments, or all.
PART ?= all

.PHONY: bench-kafka
bench-kafka: prerequisites kafka-broker ## Compares with Kafka Streams on a real Kafka. Needs a JDK and Maven.
	mvn --batch-mode --quiet -f benches/kafka/kafka-streams/pom.xml -Dout=$(abspath $(KAFKA_STREAMS)) compile dependency:copy-dependencies
	cargo bench --locked --bench kafka -- $(PART)

.PHONY: goldens
goldens: ## Records again what Kafka Streams answers, for the parity test. Needs a JDK and Maven; no part of the tests.
	cd topology/tests/golden/kafka-streams && mvn --batch-mode --quiet compile exec:java
