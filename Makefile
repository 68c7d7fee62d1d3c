# Two commands do everything: `make demo` and `make test`. The rest are their parts.

SHELL := /bin/bash

# A checkout made for CI is thrown away; what it built is kept outside, so that RocksDB is compiled once.
ifdef CI
export CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tidemill/target
endif

# What is built, and fetched beside it.
TARGET = $(abspath $(or $(CARGO_TARGET_DIR),target))

# One profile for everything: tests, benches, examples and the demo share what was built.
CARGO_FLAGS := --release --workspace --locked

# Steps follow each other: two suites at once would only be slower.
.NOTPARALLEL:

.PHONY: help
help: ## Lists the targets.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

.PHONY: prerequisites
prerequisites: ## Installs missing system packages, or says which are missing.
	@.ci/prerequisites

# The recordings are twenty minutes long; ten times as fast, the first minute is analysed after seven seconds.
ARGS ?= --speed 10
# What the demo remembers: killed at any moment, it goes on here.
DEMO_DIR ?= $(TARGET)/demo-data

.PHONY: demo
demo: prerequisites ## Runs both applications on recorded input; prints the addresses of their pages. Goes on if killed.
	@$(MAKE) --no-print-directory pose-model || echo "the pose model cannot be fetched: the camera stays off, all else runs"
	cargo run --release --locked --bin tidemill -- demo --data-dir $(DEMO_DIR) $(ARGS)
demo: export TIDEMILL_PAGES_MEDIAPIPE_DIR ?= $(TARGET)/mediapipe/pose

# Programs that cannot be installed are named by the demo itself.
.PHONY: demo-live
demo-live: ARGS =
demo-live: prerequisites ## Shows a live stream of this machine from its address to the page; no key, no Kafka, no JVM.
	-@.ci/prerequisites media speech
	cargo build $(CARGO_FLAGS) --example demo_live
	$(TARGET)/release/examples/demo_live $(ARGS)

.PHONY: pose-model
pose-model: ## Fetches the model that finds bodies in the camera's picture. Needs npm.
	@command -v npm >/dev/null || { echo "npm is missing"; exit 1; }
	@.ci/fetch pose-model $(TARGET)/mediapipe/pose

KAFKA_BROKER := $(or $(CARGO_TARGET_DIR),target)/kafka-broker

.PHONY: kafka-broker
kafka-broker: $(KAFKA_BROKER)/fetched ## Fetches the Kafka broker that tests start. Needs Java and Maven.

$(KAFKA_BROKER)/fetched: tidemill/tests/broker/pom.xml
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

.PHONY: load
load: ARGS =
load: prerequisites ## Five minutes of 1,000 athletes and 50 busy streams on a server of its own; ARGS="--seconds 30" for less.
	cargo bench --locked --workspace --bench load -- $(ARGS)

.PHONY: calls-load
calls-load: ARGS =
calls-load: prerequisites ## Load with a stand-in for a model; PART=burst, outage or noisy for one, ARGS="--in-flight 256" for options.
	cargo bench --locked --workspace --bench load -- calls $(PART) $(ARGS)

.PHONY: soak-live
soak-live: ARGS =
soak-live: MINUTES = 10
soak-live: prerequisites media-programs ## Ten minutes of live sources with faults by seed; fails if something is lost or comes twice. MINUTES=2 for less.
	cargo bench --locked --workspace --bench sources -- soak --minutes $(MINUTES) $(ARGS)

.PHONY: sources-load
sources-load: ARGS =
sources-load: prerequisites media-programs ## A minute of 200 sources with chat alone, a minute of 8 with speech; ARGS="--recogniser scripted" for options.
	@.ci/prerequisites speech || echo "without pocketsphinx, use ARGS=\"--recogniser scripted\""
	cargo bench --locked --workspace --bench sources -- load $(ARGS)

.PHONY: calls-kill
calls-kill: KILLS = 200
calls-kill: prerequisites kafka-broker-if-possible ## Kills executors of paid calls 200 times on each log, and prints what was paid twice; KILLS=50 for less.
	TIDEMILL_KILLS=$(KILLS) cargo test $(CARGO_FLAGS) --test call_kill -- --nocapture --test-threads 1

# Beside the builds, so that it is fetched once.
.PHONY: schema-registry
schema-registry: ## Fetches the schema registry that tests start, by Maven; without Java and Maven they skip it.
	@.ci/schema-registry $(TARGET)/schema-registry

.PHONY: media-programs
media-programs: ## Installs FFmpeg, espeak-ng and yt-dlp where that is possible; tests that miss them say so and pass.
	-@.ci/prerequisites media
	-@.ci/fetch yt-dlp $(TARGET)/yt-dlp

.PHONY: test
test: prerequisites test-rust test-pages ## Passes all tests: units, behaviours, documentation, examples, benches once, pages.

.PHONY: test-rust
test-rust: export TIDEMILL_YT_DLP ?= $(TARGET)/yt-dlp/yt-dlp
test-rust: prerequisites kafka-broker-if-possible schema-registry media-programs
	@.ci/prerequisites speech || echo "not everything is there that tests of speech need"
	cargo test $(CARGO_FLAGS) --all-targets
	cargo test $(CARGO_FLAGS) --doc
	@for example in $$(ls tidemill/examples | sed -n 's/\.rs$$//p'); do \
	  echo "example $$example" && cargo run --release --locked --quiet -p tidemill --example $$example >/dev/null || exit 1; \
	done

.PHONY: test-otel
test-otel: prerequisites ## Lints and tests the export to a collector of OpenTelemetry (feature otel); builds its libraries anew.
	cargo clippy --release --locked -p tidemill-apps --features otel --all-targets -- -D warnings
	cargo test --release --locked -p tidemill-apps --features otel --test otel

# The binary is the one that the tests above have built.
.PHONY: test-pages
test-pages: prerequisites ## Drives both pages in a browser before the binary; says what is missing for that.
	@[ -x $(TARGET)/release/tidemill ] || cargo build $(CARGO_FLAGS) --bin tidemill
	@.ci/pages

# One program has most of the bugs in it, without RocksDB and librdkafka; BUGS=purge tries those of that name.
.PHONY: planted
planted: ## Plants bugs one at a time and says which test finds each; no part of the tests. BUGS="NAME NAME" for some of them.
	TIDEMILL_BUGS="$(BUGS)" cargo test --locked -p tidemill --no-default-features --test planted -- \
	  --ignored --nocapture
planted: export CARGO_PROFILE_DEV_DEBUG = 0
planted: export CARGO_PROFILE_DEV_OPT_LEVEL = 1

.PHONY: pictures
pictures: prerequisites ## Takes the pictures of the README again.
	cargo build --release --locked --bin tidemill
	@.ci/pictures

.PHONY: check
check: format lint doc package test ## Everything that CI checks.

.PHONY: format
format: ## Checks the formatting.
	cargo fmt --all --check

.PHONY: lint
lint: prerequisites ## Lints, warnings are errors.
	cargo clippy $(CARGO_FLAGS) --all-targets -- -D warnings
	cargo clippy --release --locked -p tidemill --no-default-features -- -D warnings

.PHONY: doc
doc: prerequisites ## Builds the documentation, warnings are errors.
	RUSTDOCFLAGS="-D warnings" cargo doc $(CARGO_FLAGS) --no-deps

# Their features need no check of their own: the tests build with them.
# Cargo takes a package of the same version for unchanged, so what an earlier check unpacked and built is removed first.
.PHONY: package
package: ## Packages the crates that are published, and builds them from what is in the packages.
	rm -rf $(TARGET)/debug/.fingerprint/tidemill-* $(or $(CARGO_HOME),$(HOME)/.cargo)/registry/src/*/tidemill-state-*
	cargo package --locked --allow-dirty --no-default-features -p tidemill-state -p tidemill

.PHONY: bench
bench: prerequisites ## Runs the benchmarks.
	cargo bench --locked

KAFKA_STREAMS := $(or $(CARGO_TARGET_DIR),target)/kafka-streams
# One of throughput, latency and restore, with its own arguments, or all.
PART ?= all

.PHONY: bench-kafka
bench-kafka: prerequisites kafka-broker ## Compares with Kafka Streams on a real Kafka. Needs a JDK and Maven. CACHE=0 or CACHE=10485760: the same cache for both.
	mvn --batch-mode --quiet -f benches/kafka/kafka-streams/pom.xml -Dout=$(abspath $(KAFKA_STREAMS)) compile dependency:copy-dependencies
	cargo bench --locked --workspace --bench kafka -- $(PART)

.PHONY: goldens
goldens: ## Records again what Kafka Streams answers, for the parity test. Needs a JDK and Maven; no part of the tests.
	cd tidemill/tests/golden/kafka-streams && mvn --batch-mode --quiet compile exec:java

CONFORMANCE := $(abspath $(or $(CARGO_TARGET_DIR),target))/conformance
CASES ?= 10000
SEED ?= 1

# The Java side, which answers cases as long as it gets some.
.PHONY: conformance-java
conformance-java:
	mvn --batch-mode --quiet -f tidemill/tests/conformance/kafka-streams/pom.xml -Dout=$(CONFORMANCE) \
	  compile dependency:copy-dependencies

# An own profile, without RocksDB and librdkafka.
.PHONY: conformance conformance-record
conformance: conformance-java ## Compares generated topologies with Kafka Streams' TopologyTestDriver; CASES=1000 SEED=2. Needs a JDK and Maven.
	TIDEMILL_CASES=$(CASES) TIDEMILL_SEED=$(SEED) cargo test --locked -p tidemill --no-default-features \
	  --test conformance -- --ignored --nocapture live
conformance-record: conformance-java ## Records again what Kafka Streams answers to some hundred of these cases, for the tests.
	cargo test --locked -p tidemill --no-default-features --test conformance -- --ignored --nocapture record
conformance conformance-record: export CARGO_PROFILE_DEV_DEBUG = 0
conformance conformance-record: export CARGO_PROFILE_DEV_OPT_LEVEL = 1
conformance conformance-record: export TIDEMILL_KAFKA_STREAMS = $(CONFORMANCE)
