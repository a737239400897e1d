# Pagoda's build. Sources are found by wildcard: a new file in the right folder is built without a change here.
#
#   make              kernel image, guest programs, the pagoda command
#   make kernel       build/pagoda.elf
#   make lab          build/pagoda-lab, the laboratory's commands
#   make hosted       the hosted library and its tests (gcc, ASan and UBSan)
#   make check        build and run the hosted tests
#   make check-threads  the tests on real threads, under ThreadSanitizer
#   make check-points   storms with a scheduling point at each atomic operation
#   make check-pairs  pairs of operations in every schedule of at most two preemptions
#   make check-mistakes  mistakes made on purpose: each is found by some test
#   make check-all    check, check-threads, check-points, and the hosted tests built by clang
#   make coverage     line and branch coverage of mm/ by the hosted tests (clang, llvm-cov)
#   make check-build  everything compiles, nothing runs
#   CC=clang and B=build-clang give a second tree; SAN= turns the sanitizers off, SAN=thread selects ThreadSanitizer.

B    ?= build
CC   ?= gcc
HOSTCC ?= $(CC)
OPT  ?= -O2
SAN  ?= address,undefined

WARN  := -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare -Wmissing-prototypes -Wstrict-prototypes -Wvla \
         -Wno-gnu-variable-sized-type-not-at-end
BASE  := -std=gnu17 -g $(WARN) -MMD -MP -fno-strict-aliasing -fno-common
CORE  := -ffreestanding -nostdinc

# ---- the kernel home -------------------------------------------------------------------------------------------------
KINC    := -Iinclude -Iarch/x86_64/include -Ikernel/include
KCFLAGS := $(BASE) $(OPT) $(CORE) $(KINC) -mno-red-zone -mgeneral-regs-only -mcmodel=kernel -fno-pic -fno-pie \
           -fno-stack-protector -fno-asynchronous-unwind-tables -fno-omit-frame-pointer -fno-jump-tables
KASFLAGS := -g -MMD -MP $(KINC) -D__ASSEMBLER__
CORE_SRC := $(shell find lib mm -name '*.c' 2>/dev/null | LC_ALL=C sort)
KERN_SRC := $(shell find arch/x86_64 kernel -name '*.c' 2>/dev/null | LC_ALL=C sort)
KASM_SRC := $(shell find arch/x86_64 kernel -name '*.S' 2>/dev/null | LC_ALL=C sort)
KOBJ     := $(patsubst %,$(B)/kernel/%.o,$(CORE_SRC) $(KERN_SRC) $(KASM_SRC))
KLDS     := arch/x86_64/kernel.lds

# ---- the hosted home -------------------------------------------------------------------------------------------------
# gcc warns that ThreadSanitizer does not model fences; what they order here is atomic anyway.
SANFLAGS := $(if $(filter-out points,$(SAN)),-fsanitize=$(SAN) -fno-sanitize-recover=all,) $(if $(filter thread,$(SAN)),-Wno-unknown-warning-option -Wno-tsan)
comma    := ,
HDIR     := $(B)/host$(if $(SAN),-$(firstword $(subst $(comma), ,$(subst address$(comma)undefined,asan,$(SAN)))),)
HINC     := -Iinclude -Ihost/include -Ikernel/include
HCFLAGS  := $(BASE) $(if $(filter points,$(SAN)),-DHOST_POINTS) $(if $(HOPT),$(HOPT),-O1) -fno-omit-frame-pointer $(HINC) $(SANFLAGS) $(COVFLAGS)
# SAN=points: the core's atomic operations call host/points.c.
COREFLAGS := $(CORE) $(if $(filter points,$(SAN)),-fsanitize=thread -Wno-unknown-warning-option -Wno-tsan)
# The core's variables lie in sections of their own, so that each hosted machine starts with a fresh core (host/state.c).
KEEP_STATE := objcopy --rename-section .data=core_data --rename-section .data.rel=core_data --rename-section .data.rel.local=core_data --rename-section .bss=core_bss
HOST_SRC := $(shell find host -name '*.c' 2>/dev/null | LC_ALL=C sort)
# Parts of the kernel that depend on nothing but lib: tested in the hosted home
PURE_SRC := $(wildcard kernel/fs/cpio.c kernel/fs/lock_range.c kernel/block/partition.c)
HOBJ     := $(patsubst %,$(HDIR)/%.o,$(CORE_SRC) $(HOST_SRC) $(PURE_SRC))
TEST_SRC := $(shell find tests -name 'test_*.c' -not -path 'tests/guest/*' -not -path 'tests/linux/*' 2>/dev/null | LC_ALL=C sort)
TESTS    := $(patsubst %.c,$(HDIR)/%,$(TEST_SRC))
# mmfuzz's games are played on the hosted machine too (tests/common/fuzz_host.c).
FUZZ_CORE := $(filter-out %/main.c %/guest_home.c %/guest_game.c,$(wildcard tests/linux/mmfuzz/*.c))
TLIB_SRC := $(shell find tests/common -name '*.c' 2>/dev/null | LC_ALL=C sort) $(FUZZ_CORE)
TLIB_OBJ := $(patsubst %,$(HDIR)/%.o,$(TLIB_SRC))
# The laboratory: its own objects for its tests, sanitized as they are, and a plain build for the command.
LAB_SRC  := $(filter-out lab/main.c,$(wildcard lab/*.c))
LAB_OBJ  := $(patsubst %,$(HDIR)/%.o,$(LAB_SRC))
LAB_LIBS := -lz -lzstd -linih -lpthread

# ---- the command and the guest programs ------------------------------------------------------------------------------
CLI_SRC  := $(shell find cli -name '*.c' 2>/dev/null | LC_ALL=C sort)
CLI_OBJ  := $(patsubst %,$(B)/cli/%.o,$(CLI_SRC))
USER_SRC := $(wildcard user/*.c)
USERS    := $(patsubst user/%.c,$(B)/user/%,$(USER_SRC))
GUEST_SRC := $(shell find tests/guest tests/linux -name '*.c' -not -path 'tests/linux/mmfuzz/*' 2>/dev/null | LC_ALL=C sort)
FUZZ_SRC  := $(wildcard tests/linux/mmfuzz/*.c)
GUESTS    := $(patsubst %.c,$(B)/%,$(GUEST_SRC)) $(B)/tests/mmfuzz

.PHONY: all kernel hosted lab cli user guest fuzz check check-build check-threads check-points check-pairs check-mistakes check-all coverage clean
.SECONDARY:
all: kernel cli user
kernel: $(B)/pagoda.elf
hosted: $(HDIR)/libhost.a $(TESTS)
cli: $(if $(CLI_SRC),$(B)/pagoda)
user: $(USERS)
guest: $(GUESTS)
fuzz: $(B)/tests/mmfuzz
check-build: all hosted lab

$(B)/pagoda.elf: $(KOBJ) $(KLDS)
	@echo "  LD      $@"
	@$(CC) -nostdlib -static -no-pie -Wl,-T,$(KLDS),--build-id=none,-z,max-page-size=4096,-z,noexecstack,--no-warn-rwx-segments -o $@ $(KOBJ)

$(B)/kernel/%.c.o: %.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(KCFLAGS) -c $< -o $@
$(B)/kernel/%.S.o: %.S
	@mkdir -p $(@D)
	@echo "  AS      $<"
	@$(CC) $(KASFLAGS) -c $< -o $@

$(HDIR)/mm/%.c.o: mm/%.c
	@mkdir -p $(@D)
	@echo "  HOSTCC  $<"
	@$(HOSTCC) $(HCFLAGS) $(COREFLAGS) -c $< -o $@
	@$(KEEP_STATE) $@
$(HDIR)/lib/%.c.o: lib/%.c
	@mkdir -p $(@D)
	@echo "  HOSTCC  $<"
	@$(HOSTCC) $(HCFLAGS) $(COREFLAGS) -c $< -o $@
	@$(KEEP_STATE) $@
$(HDIR)/%.c.o: %.c
	@mkdir -p $(@D)
	@echo "  HOSTCC  $<"
	@$(HOSTCC) $(HCFLAGS) -c $< -o $@
$(HDIR)/tests/linux/mmfuzz/%.c.o: HCFLAGS += -D_GNU_SOURCE
$(HDIR)/libhost.a: $(HOBJ)
	@mkdir -p $(@D); rm -f $@
	@ar rcs $@ $(HOBJ)
$(HDIR)/libtests.a: $(TLIB_OBJ)
	@mkdir -p $(@D); rm -f $@
	@ar rcs $@ $(TLIB_OBJ)
$(HDIR)/lab/%.c.o: HCFLAGS += -D_GNU_SOURCE
$(HDIR)/liblab.a: $(LAB_OBJ)
	@mkdir -p $(@D); rm -f $@
	@ar rcs $@ $(LAB_OBJ)
$(HDIR)/tests/lab/%: $(HDIR)/tests/lab/%.c.o $(HDIR)/liblab.a $(HDIR)/libhost.a
	@echo "  TESTLD  $@"
	@$(HOSTCC) $(SANFLAGS) $(COVFLAGS) -o $@ $< $(HDIR)/liblab.a $(HDIR)/libhost.a $(LAB_LIBS) -lcmocka
$(HDIR)/tests/%: $(HDIR)/tests/%.c.o $(HDIR)/libtests.a $(HDIR)/libhost.a
	@echo "  TESTLD  $@"
	@$(HOSTCC) $(SANFLAGS) $(COVFLAGS) -o $@ $< $(HDIR)/libtests.a $(HDIR)/libhost.a -lcmocka -lpthread

# The laboratory's commands, in a program of their own: `make lab`.
lab:
	@$(MAKE) --no-print-directory SAN= HOPT=-O2 $(B)/pagoda-lab
$(B)/pagoda-lab: $(HDIR)/lab/main.c.o $(HDIR)/liblab.a $(HDIR)/libhost.a
	@echo "  LD      $@"
	@$(HOSTCC) -o $@ $^ $(LAB_LIBS)
$(B)/pagoda: $(CLI_OBJ)
	@echo "  LD      $@"
	@$(HOSTCC) -o $@ $(CLI_OBJ) $(CLI_LIBS)
$(B)/cli/%.c.o: %.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(HOSTCC) $(BASE) -O2 -D_GNU_SOURCE -Icli -c $< -o $@
# Its bytes depend on its sources only: answers of Linux are kept under their hash (cli/fuzzcache.h).
$(B)/tests/mmfuzz: $(FUZZ_SRC) $(wildcard tests/linux/mmfuzz/*.h)
	@mkdir -p $(@D)
	@echo "  USERCC  tests/linux/mmfuzz"
	@$(CC) $(filter-out -g -MMD -MP,$(BASE)) -O2 -D_GNU_SOURCE -static -pthread -Wl,--build-id=none -s -o $@ $(FUZZ_SRC)
$(B)/tests/%: tests/%.c
	@mkdir -p $(@D)
	@echo "  USERCC  $<"
	@$(CC) $(BASE) -O2 -D_GNU_SOURCE -static -pthread -o $@ $<

check: hosted lab
	@HDIR=$(HDIR) sh tests/run-hosted.sh $(TESTS)

# Tests that run the core on real threads, under ThreadSanitizer.
THREAD_TESTS := $(filter %threads,$(TESTS))
check-threads:
	@$(MAKE) --no-print-directory SAN=thread run-thread-tests
run-thread-tests: $(THREAD_TESTS)
	@sh tests/run-hosted.sh $(THREAD_TESTS)

# Storms in which another CPU may run at each atomic operation of the core, not only at locks.
POINT_TESTS := $(filter %test_storm %test_wander %test_flush %test_fault_lines,$(TESTS))
check-points:
	@$(MAKE) --no-print-directory SAN=points run-point-tests
run-point-tests: $(POINT_TESTS)
	@sh tests/run-hosted.sh $(POINT_TESTS)

# Pairs of small operations in every schedule of at most two preemptions at any atomic operation.
PAIR_TESTS := $(filter %test_pairs_fault %test_pairs_fork %test_pairs_file %test_pairs_uffd %test_pairs_alloc,$(TESTS))
check-pairs:
	@$(MAKE) --no-print-directory SAN=points run-pair-tests
run-pair-tests: $(PAIR_TESTS)
	@TIMEOUT=3600 sh tests/run-hosted.sh $(PAIR_TESTS)

# Seeded mistakes, one after the other: does a test find each? ONLY='12 40' takes some of them.
check-mistakes:
	@DIR=$(B)/mistakes sh tests/mistakes/run.sh $(ONLY)

# All hosted tests: gcc and clang with AddressSanitizer and UBSan, real threads with ThreadSanitizer.
check-all: check
	@$(MAKE) --no-print-directory CC=clang B=$(B)/clang check
	@$(MAKE) --no-print-directory check-threads
	@$(MAKE) --no-print-directory check-points

# Line and branch coverage of mm/ by the hosted tests; COVER=lib measures lib/.
COVDIR := build-coverage
coverage:
	@$(MAKE) --no-print-directory B=$(COVDIR) CC=clang SAN= COVFLAGS='-fprofile-instr-generate -fcoverage-mapping' run-coverage
run-coverage: $(TESTS)
	@DIR=$(COVDIR) sh tests/coverage.sh $(TESTS)

clean:
	rm -rf $(B)

# A guest program is user/NAME.c and, if there is such a folder, user/NAME/*.c.
.SECONDEXPANSION:
$(B)/user/%: user/%.c $$(wildcard user/$$*/*.c) $(wildcard user/*.h user/*/*.h)
	@mkdir -p $(@D)
	@echo "  USERCC  $<"
	@$(CC) $(filter-out -MMD -MP,$(BASE)) -O2 -D_GNU_SOURCE -static -pthread -o $@ $(filter %.c,$^)

-include $(KOBJ:.o=.d) $(LAB_OBJ:.o=.d) $(HOBJ:.o=.d) $(TLIB_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(TESTS:%=%.c.d)
