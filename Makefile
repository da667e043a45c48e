# What build.sh drives. Objects are found by wildcard: a new .c file in a room
# needs no line here. BUILD is where everything made goes.

BUILD    ?= build
# One name for each object however make is called, or the recorded dependencies miss.
override BUILD := $(abspath $(BUILD))
OPT      ?= -O2
CC       ?= cc
CXX      ?= c++
SAN      ?=
ifneq ($(SAN),)
SANFLAGS  = -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=undefined
endif

WARN      = -Wall -Wextra -Werror
HARDEN    = -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fPIC
LUAINC    = $(shell pkg-config --cflags luajit)
PQINC     = -I$(shell pg_config --includedir)
CFLAGS    = -std=gnu11 $(OPT) -g $(WARN) $(HARDEN) $(SANFLAGS) -fvisibility=hidden -I. $(LUAINC) $(PQINC) -MMD -MP
CXXFLAGS  = -std=c++17 -O3 -g -Wall -Wextra $(HARDEN) $(SANFLAGS) -fvisibility=hidden -fno-rtti -I. -MMD -MP
LDFLAGS   = $(SANFLAGS) -Wl,-z,relro,-z,now
LIBS      = -lsimdjson -lluajit-5.1 -lpcre2-8 -lcrypto -lstdc++ -lm
LIBS_R    = -llmdb $(LIBS)
LIBS_P    = -lpq -lcurl $(LIBS_R)

BASE      = $(patsubst %,$(BUILD)/o/%.o,$(wildcard base/*.c base/*.cc))
ENGINE    = $(patsubst %,$(BUILD)/o/%.o,$(wildcard engine/*.c))
REPLICA   = $(patsubst %,$(BUILD)/o/%.o,$(wildcard replica/*.c))
POSD      = $(patsubst %,$(BUILD)/o/%.o,$(wildcard posd/*.c))

BASE_T    = $(patsubst base/t/%.c,$(BUILD)/t/base_%,$(wildcard base/t/*.c))
ENGINE_T  = $(patsubst engine/t/%.c,$(BUILD)/t/engine_%,$(wildcard engine/t/*.c))
REPLICA_T = $(patsubst replica/t/%.c,$(BUILD)/t/replica_%,$(wildcard replica/t/*.c))
POSD_T    = $(patsubst posd/t/%.c,$(BUILD)/t/posd_%,$(wildcard posd/t/*.c))

LIBBASE   = $(BUILD)/libposbase.a
LIBENGINE = $(BUILD)/libposengine.a
LIBREPL   = $(BUILD)/libposreplica.a

PROGRAMS  = $(if $(wildcard engine/cli/poscalc.c),$(BUILD)/poscalc) \
            $(if $(wildcard engine/cli/posscript.c),$(BUILD)/posscript) \
            $(if $(wildcard posd/posd.c),$(BUILD)/posd)
CONTRACT  = $(if $(wildcard api/bundle.pl),$(BUILD)/openapi.json) \
            $(if $(wildcard sql/manifest.pl),$(BUILD)/functions.txt)
MODULE    = $(if $(wildcard config),$(BUILD)/ngx_http_pos_module.so)

FUZZERS   = $(patsubst t/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard t/fuzz/fuzz_*.c))
# The same over files, once each, by any compiler.
ONCE      = $(patsubst t/fuzz/%.c,$(BUILD)/once/%,$(wildcard t/fuzz/fuzz_*.c))
FUZZ_O    = $(BUILD)/o/t/fuzz/fuzz.c.o $(BUILD)/o/t/fuzz/mutate.c.o

.PHONY: all check-build unit engine-unit fuzz once clean
all: $(PROGRAMS) $(CONTRACT) $(MODULE)
check-build: all unit
fuzz: $(FUZZERS)
once: $(ONCE)
unit: engine-unit $(REPLICA_T) $(POSD_T) $(ONCE)
engine-unit: $(BASE_T) $(ENGINE_T)
clean:
	rm -rf $(BUILD)

$(BUILD)/o/%.c.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c $< -o $@

$(BUILD)/o/%.cc.o: %.cc
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) -c $< -o $@

$(LIBBASE): $(BASE)
$(LIBENGINE): $(ENGINE)
$(LIBREPL): $(REPLICA)
$(LIBBASE) $(LIBENGINE) $(LIBREPL):
	@mkdir -p $(@D)
	@rm -f $@
	ar rcs $@ $^

CALC      = $(patsubst %,$(BUILD)/o/%.o,$(wildcard engine/cli/poscalc*.c))
$(BUILD)/poscalc: $(CALC) $(LIBENGINE) $(LIBBASE)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/posscript: $(BUILD)/o/engine/cli/posscript.c.o $(LIBENGINE) $(LIBBASE)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/posd: $(POSD) $(LIBREPL) $(LIBENGINE) $(LIBBASE)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_P)

$(BUILD)/t/base_%: $(BUILD)/o/base/t/%.c.o $(LIBBASE)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/t/engine_%: $(BUILD)/o/engine/t/%.c.o $(LIBENGINE) $(LIBBASE)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/t/replica_%: $(BUILD)/o/replica/t/%.c.o $(LIBREPL) $(LIBENGINE) $(LIBBASE)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_R)

# posd's own objects but its main, so that its parts can be tested apart.
$(BUILD)/t/posd_%: $(BUILD)/o/posd/t/%.c.o $(filter-out %/posd.c.o,$(POSD)) $(LIBREPL) $(LIBENGINE) $(LIBBASE)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_P)

# By clang only: build.sh fuzz gives CC, CXX and SAN=address,undefined,fuzzer-no-link.
$(BUILD)/fuzz/%: $(BUILD)/o/t/fuzz/%.c.o $(FUZZ_O) $(LIBENGINE) $(LIBBASE)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS)

$(BUILD)/once/%: $(BUILD)/o/t/fuzz/%.c.o $(FUZZ_O) $(BUILD)/o/t/fuzz/once.c.o $(LIBENGINE) $(LIBBASE)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/o/t/fuzz/fuzz.c.o: t/fuzz/book.json

$(BUILD)/openapi.json: api/bundle.pl $(wildcard api/*.yaml)
	@mkdir -p $(@D)
	perl api/bundle.pl api/*.yaml > $@.new && mv $@.new $@

$(BUILD)/functions.txt: sql/manifest.pl $(wildcard sql/api/*.sql)
	@mkdir -p $(@D)
	perl sql/manifest.pl sql/api/*.sql > $@.new && mv $@.new $@

# nginx's own configure and make, out of tree, with Debian's flags. The module
# is linked afresh whenever an archive changed, which nginx's make cannot know.
NGX_SRC  ?= /usr/share/nginx/src
NGX_OUT   = $(abspath $(BUILD))/nginx
$(NGX_OUT)/Makefile: config | $(LIBREPL) $(LIBENGINE) $(LIBBASE)
	@mkdir -p $(NGX_OUT)
	cd $(NGX_SRC) && . ./conf_flags && POS_LIBDIR=$(abspath $(BUILD)) ./configure "$${NGX_CONF_FLAGS[@]}" \
	    --with-cc-opt="$(OPT) -g -fstack-protector-strong -D_FORTIFY_SOURCE=2" --with-ld-opt="-Wl,-z,relro,-z,now" \
	    --builddir=$(NGX_OUT) --add-dynamic-module=$(CURDIR) > $(NGX_OUT)/configure.log
$(NGX_OUT)/Makefile: SHELL = /bin/bash

# nginx's Makefile knows the module's own headers only: when one of the rooms below
# changes, every object of the module is stale.
$(BUILD)/headers.stamp: $(wildcard base/*.h engine/*.h replica/*.h)
	@mkdir -p $(@D)
	rm -f $(NGX_OUT)/addon/ngx_pos_module/*.o
	@touch $@

$(BUILD)/ngx_http_pos_module.so: $(NGX_OUT)/Makefile $(BUILD)/headers.stamp $(wildcard ngx_pos_module/*.c ngx_pos_module/*.h base/*.h engine/*.h replica/*.h) $(LIBREPL) $(LIBENGINE) $(LIBBASE)
	@rm -f $(NGX_OUT)/ngx_http_pos_module.so
	cd $(NGX_SRC) && $(MAKE) -s -f $(NGX_OUT)/Makefile modules
	cp $(NGX_OUT)/ngx_http_pos_module.so $@.new && mv -f $@.new $@

-include $(shell find $(BUILD)/o -name '*.d' 2>/dev/null)
