# mppsol: one word for each job. `make demo` and `make test` set themselves up.
.PHONY: help demo facilitator test interop schemathesis build check bench docs clean setup
.DEFAULT_GOAL := help

help: ## what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: node_modules/.package-lock.json
	@[ -e sdk/cli/dist/main.js ] || echo 'compiling the SDKs (once)'
	@npx --no-install tsc -b

node_modules/.package-lock.json: package.json package-lock.json $(wildcard sdk/*/package.json services/*/package.json)
	@tools/need-node
	npm ci --no-audit --no-fund --loglevel=error
	@touch $@

demo: setup ## an agent pays 1,000 requests in two transactions; then a program pays by CPI
	@npx --no-install tsx examples/demo/main.ts $(ARGS)

facilitator: setup ## the facilitator by itself, with a chain of its own; prints a curl that settles a real charge
	@node services/facilitator/dist/main.js $(ARGS)

test: setup ## all tests: TypeScript on the embedded chain, Rust where cargo is installed; some of them: npm run test:sdk -- --help
	node tools/artifacts/artifacts.mjs check
	npm test
	@if command -v cargo >/dev/null; then cargo test --workspace --locked --exclude test_proxy; \
	else echo "test: cargo is not installed; the Rust tests were not run"; fi

interop: setup ## SDKs of others against ours, both ways (installs them and a Python environment under tests/interop)
	tests/interop/run

schemathesis: setup ## hostile requests against the facilitator, made from its /openapi.json (installs schemathesis under tests/facilitator)
	tests/facilitator/schemathesis

build: setup ## the programs, their IDLs and the clients made from them, into artifacts/ (needs cargo)
	tools/build

check: setup ## lint and types of both languages, and that generated files are current
	npm run --silent check
	@if command -v cargo >/dev/null; then cargo fmt --all --check && cargo clippy --workspace --all-targets --locked -- -D warnings; \
	else echo "check: cargo is not installed; the Rust code was not checked"; fi

bench: setup ## compute units of every instruction, beside the Foundation's program
	@npx --no-install tsx bench/cu.ts $(ARGS)

docs: setup ## the API reference, made of the docstrings and of the command's help, into docs/api
	@npx --no-install typedoc --logLevel Warn
	@npx --no-install tsx tools/docs/commands.ts docs/api

clean: ## what was built here, but not what is committed
	rm -rf target node_modules sdk/*/dist sdk/*/tsconfig.tsbuildinfo services/*/dist services/*/tsconfig.tsbuildinfo tests/interop/node_modules tests/interop/.venv tests/facilitator/.venv docs/api examples/next/node_modules examples/next/.next
