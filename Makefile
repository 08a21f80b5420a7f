# Ringfence: `make help` lists the targets.

BUILD ?= build
CC ?= gcc
PREFIX ?= /usr
SYSCONFDIR ?= /etc
DESTDIR ?=
SANITIZE ?=
OPTIMISE ?= -O2 -g
V ?= 0
VERSION := $(shell awk -F '[()]' 'NR == 1 { print $$2 }' debian/changelog 2>/dev/null)

Q := $(if $(filter 1,$(V)),,@)
say = @printf '  %-7s %s\n' '$(1)' '$(2)'

# Lowest level first; scripts/check-layers holds the same order as data.
FOLDERS := base runtime config message number behaviour reputation identity stats rules transport \
           screening transaction call proxy tap control
PROGRAMS := ringfenced ringfence
FUZZ_SECONDS ?= 60
JOBS ?= $(shell nproc)

LIBRARIES := libevent_core libevent_extra libssl libcrypto libcares sofia-sip-ua hiredis yaml-0.1 libpcre2-8 json-c libsystemd zlib libzstd liblzma \
	libpcap ncursesw
PACKAGES := $(filter $(shell pkg-config --list-all 2>/dev/null | cut -d' ' -f1),$(LIBRARIES))

WARNINGS := -Wall -Wextra -Werror -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wwrite-strings -Wvla -Wformat=2 -Wundef
CPPFLAGS += -D_GNU_SOURCE -Iinclude -DRINGFENCE_VERSION='"$(VERSION)"'
# Foreign headers are system headers: their warnings are not ours.
CPPFLAGS += $(patsubst -I%,-isystem %,$(shell pkg-config --cflags-only-I $(PACKAGES) 2>/dev/null))
CFLAGS += -std=c11 $(OPTIMISE) $(WARNINGS) -fno-common -fstack-protector-strong -pthread
LDFLAGS += -pthread -Wl,--as-needed -Wl,-z,relro -Wl,-z,now
LDLIBS += $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -lm
ifneq ($(SANITIZE),)
# Instrumented code confuses gcc's flow warnings; the plain build is the one that must be clean.
CFLAGS += -Wno-error -Wno-maybe-uninitialized -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS += -fsanitize=$(SANITIZE)
endif

sources = $(wildcard src/$(1)/*.c)
objects = $(patsubst src/%.c,$(BUILD)/obj/%.o,$(call sources,$(1)))
archive = $(BUILD)/lib/lib$(1).a

# A folder's archive and those of every folder listed before it, in link order.
upto = $(eval _seen :=)$(foreach f,$(FOLDERS),$(if $(filter done,$(_seen)),,$(f)$(if $(filter $(1),$(f)),$(eval _seen := done))))
reverse = $(if $(1),$(call reverse,$(wordlist 2,$(words $(1)),$(1))) $(firstword $(1)))
archives_upto = $(foreach f,$(call reverse,$(call upto,$(1))),$(if $(wildcard src/$(f)/*.c),$(call archive,$(f))))

.DEFAULT_GOAL := all
.PHONY: all help clean

all: $(PROGRAMS:%=$(BUILD)/%) ## build both programs

help: ## this list
	@sed -n 's/^\([a-z][a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 24

clean: ## remove the build folder
	rm -rf $(BUILD)

$(BUILD)/obj/%.o: src/%.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

define folder_rules
$(call archive,$(1)): $(call objects,$(1))
	$$(call say,AR,$$@)
	@mkdir -p $$(@D)
	@rm -f $$@
	$(Q)$(AR) rcs $$@ $$^
endef
$(foreach f,$(FOLDERS) daemon cli,$(eval $(call folder_rules,$(f))))

ALL_ARCHIVES = $(call archives_upto,control)

$(BUILD)/ringfenced: $(call objects,daemon) $(ALL_ARCHIVES)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# The command shares the daemon's settings and snapshot builder, but not its main.
$(BUILD)/ringfence: $(call objects,cli) $(filter-out $(BUILD)/obj/daemon/main.o,$(call objects,daemon)) $(ALL_ARCHIVES)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# ---- tests -------------------------------------------------------------------------------------
UNIT_SOURCES := $(wildcard tests/unit/*/check_*.c)
UNIT_PROGRAMS := $(UNIT_SOURCES:tests/%.c=$(BUILD)/tests/%)
FUZZ_SOURCES := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_REPLAYS := $(FUZZ_SOURCES:tests/fuzz/%.c=$(BUILD)/tests/fuzz/%)
TEST_LIBS := $(shell pkg-config --libs check 2>/dev/null)
# There are many of them, and gold links them in half of the time.
TEST_LDFLAGS := $(if $(shell command -v ld.gold 2>/dev/null),-fuse-ld=gold)

.SECONDEXPANSION:
$(BUILD)/tests/unit/%: tests/unit/%.c $$(call archives_upto,$$(firstword $$(subst /, ,$$*)))
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Itests $(CFLAGS) -MMD -MP -MF $@.d -MT $@ -o $@ $< $(filter %.a,$^) $(LDFLAGS) $(TEST_LDFLAGS) $(LDLIBS) $(TEST_LIBS)

# A fuzz target linked with the plain driver replays its corpus in the ordinary test run.
$(BUILD)/tests/fuzz/%: tests/fuzz/%.c tests/fuzz/replay_corpus.c $$(ALL_ARCHIVES)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Itests $(CFLAGS) -o $@ $< tests/fuzz/replay_corpus.c $(filter %.a,$^) $(LDFLAGS) $(TEST_LDFLAGS) $(LDLIBS)

# The same target under libFuzzer; only `make fuzz` builds it, in a folder of its own.
FUZZ_ENGINES := $(FUZZ_SOURCES:tests/fuzz/%.c=$(BUILD)/engine/%)
$(BUILD)/engine/%: tests/fuzz/%.c $$(ALL_ARCHIVES)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Itests $(CFLAGS) -fsanitize=fuzzer -o $@ $< $(filter %.a,$^) $(LDFLAGS) $(LDLIBS)

# A group of benchmarks is a folder with an executable `run`. Of its C files NAME.c is a program that
# NAME_*.c and the helpers in tests/bench/lib belong to, and preload_NAME.c a library to be preloaded.
BENCH_GROUPS := $(patsubst tests/bench/%/run,%,$(wildcard tests/bench/*/run))
BENCHES := $(BENCH_GROUPS:%=bench-%)
BENCH_SOURCES := $(foreach g,$(BENCH_GROUPS),$(wildcard tests/bench/$(g)/*.c))
BENCH_PROGRAMS := $(foreach s,$(BENCH_SOURCES),$(if $(findstring _,$(notdir $s)),,$(s:%.c=$(BUILD)/%)))
BENCH_PRELOADS := $(patsubst %.c,$(BUILD)/%.so,$(foreach g,$(BENCH_GROUPS),$(wildcard tests/bench/$(g)/preload_*.c)))
$(BENCH_PROGRAMS): $(BUILD)/%: %.c $$(wildcard $$*_*.c tests/bench/lib/*.c) $$(ALL_ARCHIVES)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Itests $(CFLAGS) -o $@ $(filter %.c %.a,$^) $(LDFLAGS) $(LDLIBS)

$(BENCH_PROGRAMS): $(wildcard tests/bench/*/*.h)

$(BENCH_PRELOADS): $(BUILD)/%.so: %.c
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -fPIC -shared -o $@ $< $(LDFLAGS) -ldl

.PHONY: check check-unit check-fuzz check-e2e bench-programs unit-programs fuzz-replays fuzz-engines fuzz bench $(BENCHES)

check: ## install what is missing, build, test: lint, unit, fuzz corpora, end to end, then under the sanitizers
	@scripts/install-deps --check
	@BUILD=$(BUILD) JOBS=$(JOBS) tests/run

check-unit: ## unit tests only
	@BUILD=$(BUILD) JOBS=$(JOBS) tests/run unit

check-fuzz: ## replay the fuzz corpora only
	@BUILD=$(BUILD) JOBS=$(JOBS) tests/run fuzz

check-e2e: ## end-to-end tests only
	@BUILD=$(BUILD) JOBS=$(JOBS) tests/run e2e

bench-programs: $(BENCH_PROGRAMS) $(BENCH_PRELOADS)
unit-programs: $(UNIT_PROGRAMS)
fuzz-replays: $(FUZZ_REPLAYS)
fuzz-engines: $(FUZZ_ENGINES)

fuzz: ## run every fuzz target for FUZZ_SECONDS (60) with libFuzzer
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz CC=clang OPTIMISE='-O1 -g' \
	    SANITIZE=address,undefined,fuzzer-no-link fuzz-engines
	$(Q)status=0; for name in $(FUZZ_SOURCES:tests/fuzz/fuzz_%.c=%); do \
	    mkdir -p $(BUILD)/fuzz/corpus/$$name tests/fuzz/corpus/$$name; \
	    echo "== $$name"; \
	    $(BUILD)/fuzz/engine/fuzz_$$name -max_total_time=$(FUZZ_SECONDS) -timeout=10 \
	        -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 \
	        -artifact_prefix=$(BUILD)/fuzz/$$name- \
	        $(BUILD)/fuzz/corpus/$$name tests/fuzz/corpus/$$name || status=1; \
	done; exit $$status

bench: $(BENCHES) ## install what is missing, build, run every group of benchmarks (bench-rules: the rule engine, bench-speed: beside Kamailio)
$(BENCHES): bench-%:
	@scripts/install-deps --bench
	@$(MAKE) --no-print-directory all bench-programs
	@echo "== $*"
	@RINGFENCE_BUILD=$(abspath $(BUILD)) tests/bench/$*/run $(BENCH_OPTIONS)

.PHONY: soak
soak: all $(BUILD)/tests/bench/speed/generator ## SOAK_SECONDS (1800) of calls of many shapes at SOAK_RATE (2000) a second
	@RINGFENCE_BUILD=$(abspath $(BUILD)) tests/soak/run

.PHONY: faults
faults: all $(BUILD)/tests/bench/speed/generator ## next hops that die, loss, floods, upgrades under 2,000 calls a second: which calls fail
	@RINGFENCE_BUILD=$(abspath $(BUILD)) tests/faults/run $(BENCH_OPTIONS)

# ---- lint --------------------------------------------------------------------------------------
C_SOURCES := $(wildcard src/*/*.c)
C_FILES := $(C_SOURCES) $(wildcard src/*/*.h include/*/*.h tests/unit/*/*.[ch] tests/fuzz/*.[ch] tests/bench/*/*.[ch] docs/*.c)
SHELL_SCRIPTS := $(shell grep -lEs '^\#!.*(bash|/sh)' .ci/* scripts/* tests/run tests/*/* debian/*)
TIDY_STAMPS := $(C_SOURCES:src/%.c=$(BUILD)/tidy/%)

.PHONY: lint lint-layers lint-style lint-format lint-shell lint-tidy
lint: lint-layers lint-style lint-format lint-shell lint-docs lint-tidy ## layers, style, format, shellcheck, reference, clang-tidy

lint-layers:
	$(Q)scripts/check-layers $(BUILD)

lint-style:
	$(Q)scripts/check-style

lint-format:
	$(Q)clang-format --dry-run -Werror --ferror-limit=3 $(C_FILES)

lint-shell:
	$(Q)if command -v shellcheck >/dev/null; then shellcheck -x $(SHELL_SCRIPTS); fi

lint-tidy: $(TIDY_STAMPS)

# How far the analyzer goes into a function. clang's own 225000 take four times as long for the whole tree.
TIDY_NODES ?= 50000
TIDY_DEPTH = $(foreach a,-Xclang -analyzer-config -Xclang max-nodes=$(TIDY_NODES),--extra-arg=$(a))

# The object stands for the file and every header it includes.
$(BUILD)/tidy/%: src/%.c $(BUILD)/obj/%.o .clang-tidy
	$(call say,TIDY,$<)
	@mkdir -p $(@D)
	$(Q)clang-tidy --quiet $(TIDY_DEPTH) $< -- $(CPPFLAGS) -std=c11 2>$@.log || { cat $@.log; exit 1; }
	@touch $@

# ---- reference of settings, features, rules and metrics, from their rows -----------------------
# The rows of the whole configuration.
SETTINGS_OBJECTS = $(addprefix $(BUILD)/obj/daemon/,settings.o sources.o events_settings.o)

$(BUILD)/describe: docs/describe.c $(SETTINGS_OBJECTS) $$(ALL_ARCHIVES)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $(filter %.c %.o %.a,$^) $(LDFLAGS) $(LDLIBS)

$(BUILD)/describe-rules: docs/describe_rules.c $$(call archives_upto,screening)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $(filter %.c %.a,$^) $(LDFLAGS) $(LDLIBS)

$(BUILD)/describe-schema: docs/describe_schema.c $(SETTINGS_OBJECTS) $$(ALL_ARCHIVES)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $(filter %.c %.o %.a,$^) $(LDFLAGS) $(LDLIBS)

$(BUILD)/describe-metrics: docs/describe_metrics.c $$(call archives_upto,stats)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $(filter %.c %.a,$^) $(LDFLAGS) $(LDLIBS)

$(BUILD)/describe-stats: docs/describe_stats.c $$(call archives_upto,stats)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $(filter %.c %.a,$^) $(LDFLAGS) $(LDLIBS)

$(BUILD)/docs: $(BUILD)/describe $(BUILD)/describe-rules $(BUILD)/describe-metrics $(BUILD)/describe-schema $(BUILD)/describe-stats docs/configuration.head docs/features.head docs/metrics.head docs/man/ringfence.yaml.5.head docs/man/ringfence.yaml.5.tail
	@mkdir -p $@
	$(Q){ cat docs/configuration.head; $< markdown; } >$@/configuration.md
	$(Q){ cat docs/features.head; $(BUILD)/describe-rules; } >$@/features.md
	$(Q){ cat docs/metrics.head; $(BUILD)/describe-metrics; } >$@/metrics.md
	$(Q){ cat docs/man/ringfence.yaml.5.head; $< mdoc; cat docs/man/ringfence.yaml.5.tail; } >$@/ringfence.yaml.5
	$(Q)$(BUILD)/describe-schema configuration >$@/ringfence.schema.json
	$(Q)$(BUILD)/describe-schema rules >$@/rules.schema.json
	$(Q)$(BUILD)/describe-schema tests >$@/tests.schema.json
	$(Q)$(BUILD)/describe-stats >$@/stats.schema.json
	@touch $@

SCHEMAS := ringfence.schema.json rules.schema.json tests.schema.json stats.schema.json

.PHONY: docs lint-docs
docs: $(BUILD)/docs ## write the references: docs/configuration.md, features.md, metrics.md, man page, conf/*.schema.json
	cp $</configuration.md docs/configuration.md
	cp $</features.md docs/features.md
	cp $</metrics.md docs/metrics.md
	cp $</ringfence.yaml.5 docs/man/ringfence.yaml.5
	cp $(SCHEMAS:%=$</%) conf/

lint-docs: $(BUILD)/docs
	$(Q)diff -u docs/configuration.md $</configuration.md && diff -u docs/features.md $</features.md && \
	    diff -u docs/metrics.md $</metrics.md && \
	    diff -u docs/man/ringfence.yaml.5 $</ringfence.yaml.5 && \
	    (for schema in $(SCHEMAS); do diff -u conf/$$schema $</$$schema || exit 1; done) || \
	    { echo 'run "make docs"'; exit 1; }
	$(Q)scripts/check-references

# ---- install and package -----------------------------------------------------------------------
MAN_PAGES := $(wildcard docs/man/*.[1-9])
install_to = $(DESTDIR)$(1)

.PHONY: install deb demo
install: all ## install below DESTDIR (PREFIX=/usr, SYSCONFDIR=/etc)
	install -D -m 755 $(BUILD)/ringfenced $(call install_to,$(PREFIX)/sbin/ringfenced)
	install -D -m 755 $(BUILD)/ringfence $(call install_to,$(PREFIX)/bin/ringfence)
	cd conf && find . -type f -name '[!.]*' -exec \
	    install -D -m 644 {} $(abspath $(or $(DESTDIR),/))/$(SYSCONFDIR)/ringfence/{} \;
	for page in $(MAN_PAGES); do \
	    install -D -m 644 $$page $(call install_to,$(PREFIX)/share/man)/man$${page##*.}/$${page##*/}; \
	done

deb: ## install what is missing, build the Debian package into $(BUILD)
	@scripts/install-deps --package
	rm -rf $(BUILD)/deb
	mkdir -p $(BUILD)/deb/ringfence-$(VERSION)
	tar -c --exclude=./$(BUILD) --exclude=./build --exclude=./.git . \
	    | tar -x -C $(BUILD)/deb/ringfence-$(VERSION)
	cd $(BUILD)/deb/ringfence-$(VERSION) && \
	    env -u MAKEFLAGS -u MAKEOVERRIDES -u BUILD dpkg-buildpackage --build=binary --no-sign -j$(JOBS)
	mv $(BUILD)/deb/*.deb $(BUILD)/

# Libraries are looked for when this file is read, so what is installed first needs a make of its own.
demo: ## install what is missing, build, play real SIP calls on this machine
	@scripts/install-deps --demo
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) all
	@RINGFENCE_BUILD=$(abspath $(BUILD)) scripts/demo

-include $(shell find $(BUILD)/obj $(BUILD)/tests -type f -name '*.d' 2>/dev/null)
