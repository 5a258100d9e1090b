# SPDX-License-Identifier: GPL-2.0
# page-xa: KSM for file-backed pages, a patch series for Linux 5.9 and 5.10
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

BUILD ?= $(CURDIR)/build
LINUX ?=
STAGE ?=
A ?=
B ?=
FILE ?=
ONLY ?=
SECONDS_EACH ?=
V ?=
JOBS ?= $(shell nproc)
SECONDS ?= 60
SEED ?= 1
FS ?= ext4
CHECKS ?= debug
ROUNDS ?=
export BUILD LINUX A B V JOBS

T := tooling
WORK = $$(readlink -f $(BUILD)/current)
SERIES = $(T)/series.py --work "$(WORK)" $(if $(filter-out 0,$(V)),--verbose)

.PHONY: help run test series bench check clean setup base tree uml uml-base \
	edit fold list stages-build cocci mutants objects fs-load icount torture powercut test-long

help: ## this list
	@echo "page-xa: share identical file pages in the Linux page cache"
	@echo
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' Makefile | expand -t 18
	@echo
	@echo "  LINUX=path      kernel source: directory, git tree or tarball of 5.9.x or 5.10.x"
	@echo "                  (default: v5.9 from kernel.org, else Debian's linux-source-5.10)"
	@echo "  A=dir B=dir     the two directory trees \`make run\` shares"
	@echo "  STAGE=g/s       the stage for edit and fold"
	@echo "  CHECKS=debug|kasan|kcsan|plain    the kernel that torture, powercut, test-long build"
	@echo "  BUILD=dir JOBS=n V=1"

run: uml ## build and boot a patched kernel, share the pages of two trees, show the savings
	@KERNEL="$(WORK)/uml/linux" OUT="$(WORK)/demo" $(T)/demo/run

test: setup ## everything that can be tested; ends with `N passed, N failed`
	@$(T)/setup fs
	@$(T)/setup bench
	@$(T)/test

series: tree ## the series as mail: git format-patch with a cover letter, checked with git am
	@$(SERIES) patches

bench: uml ## figures of the demo (time, savings)
	@$(T)/bench

check: tree ## checkpatch, sparse, unit tests of the tooling, shell syntax
	@$(T)/check

clean: ## remove build/ (downloads too)
	rm -rf "$(BUILD)"

setup: ## install what is missing (apt-get)
	@$(T)/setup

base: setup ## get the kernel source
	@$(T)/base

tree: base ## apply the series: build/tree, one commit per stage
	@$(SERIES) apply

uml: tree ## build the patched UML kernel
	@$(T)/uml "$(WORK)/tree" "$(WORK)/uml"

uml-base: base ## build the kernel to compare with: base plus group 0-host
	@$(SERIES) group 0-host base
	@FRAGMENTS="uml kunit test" $(T)/uml "$(WORK)/base" "$(WORK)/uml-base"

edit: base ## STAGE=g/s: build/edit becomes the tree as of a stage
	@$(SERIES) edit $(STAGE)

fold: base ## STAGE=g/s: put what was changed in build/edit (or build/tree) back into series/
	@$(SERIES) fold $(STAGE)

list: base ## the stages and their commits
	@$(SERIES) list

cocci: tree ## FILE="a.c b.h": what the mapping rules change in a filesystem of yours
	@$(T)/cocci --work "$(WORK)" $(FILE)

mutants: tree ## take the hooks away one by one: the tests must notice (ONLY=name,...)
	@$(T)/setup fs
	@$(T)/setup bench
	@$(T)/mutants/run --work "$(WORK)" --out "$(BUILD)/mutants" $(if $(ONLY),--only "$(ONLY)")

objects: tree ## build what the mapping rules touch, before and after, and compare
	@$(T)/objects --work "$(WORK)" --sparse

fs-load: tree ## a mixed load on many filesystems, with the mapping checked (ONLY=fs,... SECONDS_EACH=n)
	@$(T)/setup fs
	@FRAGMENTS="uml kunit test series fs fs-more" $(T)/uml "$(WORK)/tree" "$(WORK)/uml-fs-more"
	@$(T)/fs-load/run --kernel "$(WORK)/uml-fs-more/linux" --out "$(BUILD)/fs-load" \
		$(if $(SECONDS_EACH),--seconds $(SECONDS_EACH)) $(if $(ONLY),--only "$(ONLY)")

torture: tree ## SECONDS=n SEED=s FS=ext4|ext4,xfs|all: all that may happen to shared pages, on 4 CPUs (or CHECKS=uml)
	@$(T)/setup torture
	@$(T)/torture/run --work "$(WORK)" --out "$(BUILD)/torture" --fs "$(FS)" \
		--seconds "$(SECONDS)" --seed "$(SEED)" --checks "$(CHECKS)"

powercut: tree ## SECONDS=n or ROUNDS=n SEED=s FS=ext4|xfs|btrfs: what was acknowledged outlives a power cut
	@$(T)/setup long
	@$(T)/powercut/run --work "$(WORK)" --out "$(BUILD)/powercut" --fs "$(FS)" \
		--seconds "$(SECONDS)" --seed "$(SEED)" --checks "$(CHECKS)" \
		$(if $(ROUNDS),--rounds "$(ROUNDS)")

test-long: tree ## SECONDS=n SEED=s: torture, powercut, selftests/vm, fio, stress-ng, trinity (ONLY=part,...)
	@$(T)/setup long
	@$(SERIES) group 0-host base
	@$(T)/test-long "$(SECONDS)" "$(SEED)" "$(CHECKS)" "$(ONLY)"

icount: tree ## instructions of page cache paths: base and each group, under QEMU
	@$(T)/setup bench
	@$(T)/icount/run "$(WORK)"

stages-build: tree ## build each stage's commit in turn
	@$(SERIES) steps $(CURDIR)/$(T)/step "$(WORK)/uml-steps"
