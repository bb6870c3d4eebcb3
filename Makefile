# Luwak. `make run` serves it, `make test` proves it; `make help` lists the rest.
#
# One build per VARIANT, side by side under build/VARIANT/:
#   release  what runs in production (build/luwak is a link to it)
#   check    what the tests run: fault points, allocation failures, assertions
#   asan     check + AddressSanitizer + UBSan        tsan   check + ThreadSanitizer
#   cov      check + gcov                            fuzz   clang + libFuzzer
VARIANT ?= release
B       := build/$(VARIANT)
VERSION := 0.1.0

# What has to be installed, for which purpose (Debian's names). Node comes from elsewhere on some
# machines, where Debian's would conflict: it is only asked for when there is none.
PACKAGES      := gcc libc6-dev pkg-config liblua5.4-dev libuv1-dev libcurl4-openssl-dev libssl-dev \
                 libsqlite3-dev zlib1g-dev libexpat1-dev libqrencode-dev lua-cjson ca-certificates
TEST_PACKAGES := libcmocka-dev libhttp-parser-dev openssl procps mandoc systemd clang-format \
                 cppcheck lua-check shellcheck zbar-tools chromium-headless-shell
FUZZ_PACKAGES := clang libclang-rt-14-dev
BENCH_PACKAGES := nginx-light libnginx-mod-http-lua wrk util-linux g++ make python3
NODE_PACKAGES := nodejs npm

LISTEN       ?= 127.0.0.1:8080
DATA         ?= ./data
PREFIX       ?= /usr/local
FUZZ_SECONDS ?= 60
JOBS         ?= 2

PKGS    := lua5.4 libuv libcurl openssl sqlite3 zlib expat libqrencode
CFLAGS  := -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -Wno-missing-braces -Wno-missing-field-initializers -Wshadow=local -g -Iengine -DLUWAK_VERSION='"$(VERSION)"' $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LDLIBS  := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lpthread -lm -ldl -Wl,--build-id=sha1
CC_release := gcc
# Across files gcc no longer sees that luaL_error ends a function; the other builds keep the warning.
FLAGS_release := -O2 -flto=auto -Wno-maybe-uninitialized -D_FORTIFY_SOURCE=2 -fstack-protector-strong
CC_check := gcc
FLAGS_check := -O1 -DLUWAK_FAULTS
CC_asan := gcc
FLAGS_asan := -O1 -DLUWAK_FAULTS -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CC_tsan := gcc
FLAGS_tsan := -O1 -DLUWAK_FAULTS -fsanitize=thread
CC_cov := gcc
FLAGS_cov := -O0 -DLUWAK_FAULTS --coverage
CC_fuzz := clang
FLAGS_fuzz := -O1 -DLUWAK_FAULTS -Wno-unknown-warning-option -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
CC      := $(CC_$(VARIANT))
CFLAGS  += $(FLAGS_$(VARIANT))

SOURCES := $(filter-out engine/main.c,$(wildcard engine/*.c engine/*/*.c))
OBJECTS := $(SOURCES:%.c=$(B)/%.o)
UNITS   := $(basename $(notdir $(wildcard tests/unit/test_*.c)))
# One thread each: nothing there can race.
ifeq ($(VARIANT),tsan)
UNITS   := $(filter-out test_hostile test_simulation test_simulation_payments test_simulation_worlds,$(UNITS))
endif
FUZZERS := $(basename $(notdir $(wildcard tests/fuzz/fuzz_*.c)))
BENCHES := $(basename $(notdir $(wildcard tests/bench/bench_*.c)))
HELPERS := $(filter-out tests/unit/test_%,$(wildcard tests/unit/*.c))

# Short lines by default, whole commands with V=1.
ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-4s %s\n'
endif

.PHONY: all release units run test lint channels asan tsan cov fuzz faults bench install clean help \
        packages test-packages fuzz-packages node-packages node-modules bench-packages
all: $(if $(filter release,$(VARIANT)),build/luwak,$(B)/luwak) ## build build/luwak
release: all

build/luwak: $(B)/luwak
	@ln -sf $(VARIANT)/luwak build/luwak

$(B)/luwak: $(B)/engine/main.o $(B)/libluwak.a
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(LDLIBS)

$(B)/libluwak.a: $(OBJECTS)
	@rm -f $@
	@gcc-ar rcs $@ $^

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/engine/cli/cli_new.o: $(wildcard engine/templates/*)

# Unit suites: each tests/unit/test_x.c is a program; of the other .c files there it links what it uses.
units: $(UNITS:%=$(B)/tests/%)
$(B)/libunit.a: $(HELPERS:%.c=$(B)/%.o)
	@rm -f $@
	@gcc-ar rcs $@ $^
$(B)/tests/test_%: $(B)/tests/unit/test_%.o $(B)/libunit.a $(B)/libluwak.a
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) -o $@ $< -Wl,--start-group $(B)/libunit.a $(B)/libluwak.a -Wl,--end-group $(LDLIBS) -lcmocka -lhttp_parser

$(B)/tests/fuzz_%: $(B)/tests/fuzz/fuzz_%.o $(B)/libluwak.a
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS) -lhttp_parser

$(B)/tests/bench_%: $(B)/tests/bench/bench_%.o $(B)/libluwak.a
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(LDLIBS)

# ---- run ----

run: packages ## [LISTEN=127.0.0.1:8080 DATA=./data]: install what is missing, build, serve in simulated mode
	@$(MAKE) --no-print-directory VARIANT=release all
	@exec build/luwak serve --simulated --listen $(LISTEN) --data $(DATA)

packages:
	@tests/packages $(PACKAGES)
test-packages:
	@tests/packages $(PACKAGES) $(TEST_PACKAGES)
fuzz-packages:
	@tests/packages $(PACKAGES) $(TEST_PACKAGES) $(FUZZ_PACKAGES)
node-packages:
	@command -v node >/dev/null && command -v npm >/dev/null || tests/packages $(NODE_PACKAGES)

node-modules: node-packages tests/e2e/node_modules/.ready
	@mkdir -p build && ln -sfn ../tests/e2e/node_modules build/node_modules
tests/e2e/node_modules/.ready: tests/e2e/package-lock.json
	$(say) NPM tests/e2e
	$(Q)cd tests/e2e && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# ---- test ----

test: test-packages node-modules ## install what tests need, build, run every suite
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=check suites
	@JOBS=$(JOBS) tests/run build/check

.PHONY: suites
suites: $(B)/luwak units

# Sanitizers are slow: fewer rounds of the fault campaigns.
asan: test-packages node-modules ## every suite with AddressSanitizer and UBSan
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=asan suites
	@TEST_ROUNDS=$${TEST_ROUNDS:-30} JOBS=$(JOBS) tests/run build/asan
tsan: test-packages node-modules ## every suite with ThreadSanitizer
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=tsan suites
	@TEST_ROUNDS=$${TEST_ROUNDS:-30} JOBS=$(JOBS) tests/run build/tsan

cov: test-packages node-modules ## line coverage of every suite
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=cov suites
	@find build/cov -name '*.gcda' -delete
	@JOBS=$(JOBS) tests/run build/cov
	@tests/coverage build/cov

lint: test-packages ## format, static checks, layers, man page
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=check build/check/luwak
	@tests/lint build/check

channels: packages ## write the table of channels into README.md
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=check build/check/luwak
	@build/check/luwak conform --all --table markdown >build/channels.md
	@awk '/<!-- channels/ { print; while ((getline line < "build/channels.md") > 0) print line; skip = 1 } \
	    /<!-- \/channels/ { skip = 0 } !skip' README.md >build/README.md && cp build/README.md README.md

fuzz: fuzz-packages ## each fuzzer for FUZZ_SECONDS (60) from its corpus
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=fuzz $(FUZZERS:%=build/fuzz/tests/%)
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tests/run_fuzz build/fuzz/tests $(FUZZERS)

# By a quiet core's CPU time: kill -9, store and conform about an hour, allocations an hour, then the
# simulations, which take all JOBS cores one suite after the other: 10,000 seeds of operations, 1,000 of
# 1,000 payments, 50 of 10,000. Once a minute each running suite shows how far it is.
faults: test-packages node-modules ## the long fault campaigns (10,000 rounds): hours; shows how far it is
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=check suites
	@bad=0; export SUITE_SECONDS=172800 PROGRESS=60; \
	    TEST_ROUNDS=10000 JOBS=$(JOBS) tests/run build/check faults crash kill9 store conform || bad=1; \
	    TEST_ROUNDS=all TEST_STARTS=2000 tests/run build/check alloc_flows || bad=1; \
	    TEST_ROUNDS=10000 JOBS=1 SEED_JOBS=$(JOBS) tests/run build/check simulation || bad=1; \
	    exit $$bad

bench: bench-packages build/bench/node_modules/.ready ## [BENCH=payments,stored,...]: speed, as ratios, with the machine named
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=release all $(BENCHES:%=build/release/tests/%)
	@tests/bench/run build/luwak
bench-packages: node-packages
	@tests/packages $(PACKAGES) $(BENCH_PACKAGES)
build/bench/node_modules/.ready: tests/bench/peers/package-lock.json tests/bench/peers/package.json
	$(say) NPM tests/bench/peers
	@mkdir -p build/bench && cp $^ build/bench/
	$(Q)cd build/bench && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# ---- install ----

install: all ## PREFIX= DESTDIR=: binary, scripts and their plays, man page, completion, systemd units
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/luwak $(DESTDIR)$(PREFIX)/share/man/man1 \
	    $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions \
	    $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d $(DESTDIR)$(PREFIX)/lib/systemd/system
	install -m 755 $(B)/luwak $(DESTDIR)$(PREFIX)/bin/luwak
	for d in channels rules scripts tests/lua tests/plays; do [ ! -d $$d ] || cp -R --parents --no-preserve=ownership $$d $(DESTDIR)$(PREFIX)/share/luwak/; done
	$(B)/luwak man >$(DESTDIR)$(PREFIX)/share/man/man1/luwak.1
	$(B)/luwak completion bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/luwak
	$(B)/luwak completion zsh >$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_luwak
	$(B)/luwak completion fish >$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/luwak.fish
	for u in service socket; do sed 's|@PREFIX@|$(PREFIX)|g' engine/systemd/luwak.$$u.in >$(DESTDIR)$(PREFIX)/lib/systemd/system/luwak.$$u; done

clean: ## remove build/
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r a b; do printf '%-16s %s\n' "$$a" "$$b"; done
	@echo "  VARIANT=release|check|asan|tsan|cov|fuzz, V=1 shows whole commands"

.SECONDARY:
-include $(shell find $(B) -name '*.d' 2>/dev/null)
