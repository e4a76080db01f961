# The project's commands. Each finds, or obtains, Julia and Cargo first: see deps/setup.sh.
.DEFAULT_GOAL := help
.PHONY: help setup build demo test check benchmark docs clean

with := sh deps/setup.sh
julia := $(with) julia --startup-file=no --project=.
cargo := $(with) cargo
# The tests that take seconds, a minute together; what the others ask of the engine, its own tests ask too.
quick := views standard plans paths eig errors host

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## find Julia and Cargo, or obtain them inside this folder
	@$(with)

build: ## build the engine through Pkg
	@$(julia) deps/prepare.jl

demo: build ## set up, build, and find the ground state of a 100-site Heisenberg chain by DMRG
	@$(julia) examples/dmrg.jl --model heisenberg --length 100 --maxdim 10,20,100,100,200 --cutoff 1e-11

test: ## set up, build, and run every test, Rust and Julia
	@$(with) sh deps/test.sh

check: ## formatting, lints and the quick tests
	@$(cargo) fmt --all --check --manifest-path rust/Cargo.toml
	@$(cargo) clippy --locked --workspace --all-targets --manifest-path rust/Cargo.toml -- -D warnings
	@$(with) sh deps/test.sh $(quick)

benchmark: build ## time everything beside its peers, or the parts in ONLY="instances small" (benchmark/README.md)
	@$(julia) benchmark/runbenchmarks.jl $(ONLY)

docs: build ## build the documentation site in docs/build (needs a package registry, for Documenter)
	@$(julia:.=docs) -e 'import Pkg; Pkg.develop(Pkg.PackageSpec(path = pwd())); Pkg.instantiate()'
	@$(julia:.=docs) docs/make.jl

clean: ## remove what was built (not Julia, if it was unpacked here)
	rm -rf rust/target .julia/tensoroxide .julia/compiled
