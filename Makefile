# Luwak. `make run` serves it, `make test` proves it; `make help` lists the rest.
#
# One build per VARIANT, side by side under build/VARIANT/:
#   release  what runs in production (build/luwak is a link to it)
#   check    what the tests run: fault points, allocation failures, assertions
#   asan     check + AddressSanitizer + UBSan        tsan   check + ThreadSanitizer
#   cov      check + gcov                            fuzz   clang + libFuzzer
VARIANT ?= release
B       := build/$(VARIANT)

PKGS    := lua5.4 libuv libcurl openssl sqlite3 zlib expat
CFLAGS  := -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -Wno-missing-braces -Wno-missing-field-initializers -Wshadow=local -g -Iengine $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LDLIBS  := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lpthread -lm -ldl
CC_release := gcc
FLAGS_release := -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong
CC_check := gcc
FLAGS_check := -O1 -DLUWAK_FAULTS
CC_asan := gcc
FLAGS_asan := -O1 -DLUWAK_FAULTS -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CC_tsan := gcc
FLAGS_tsan := -O1 -DLUWAK_FAULTS -fsanitize=thread
CC_cov := gcc
FLAGS_cov := -O0 -DLUWAK_FAULTS --coverage
CC_fuzz := clang
FLAGS_fuzz := -O1 -DLUWAK_FAULTS -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
CC      := $(CC_$(VARIANT))
CFLAGS  += $(FLAGS_$(VARIANT))

SOURCES := $(filter-out engine/main.c,$(wildcard engine/*.c engine/*/*.c))
OBJECTS := $(SOURCES:%.c=$(B)/%.o)
UNITS   := $(basename $(notdir $(wildcard tests/unit/test_*.c)))
FUZZERS := $(basename $(notdir $(wildcard tests/fuzz/fuzz_*.c)))
HELPERS := $(filter-out tests/unit/test_%,$(wildcard tests/unit/*.c))

.PHONY: all units
all: build/luwak

build/luwak: $(B)/luwak
	@ln -sf $(VARIANT)/luwak build/luwak

$(B)/luwak: $(B)/engine/main.o $(B)/libluwak.a
	$(CC) $(CFLAGS) -o $@ $^ $(LDLIBS)

$(B)/libluwak.a: $(OBJECTS)
	@rm -f $@
	@ar rcs $@ $^

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

# Unit suites: each tests/unit/test_x.c is a program; other .c files there are linked into all.
units: $(UNITS:%=$(B)/tests/%)
$(B)/tests/test_%: $(B)/tests/unit/test_%.o $(HELPERS:%.c=$(B)/%.o) $(B)/libluwak.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -o $@ $^ $(LDLIBS) -lcmocka -lhttp_parser

$(B)/tests/fuzz_%: $(B)/tests/fuzz/fuzz_%.o $(B)/libluwak.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS) -lhttp_parser

.SECONDARY:
-include $(shell find $(B) -name '*.d' 2>/dev/null)
