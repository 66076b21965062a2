.PHONY: demo test bench gate lock print sbom
demo: ; deploy/demo
test: ; tests/run
gate: ; .ci/run
print: ; deploy/print
sbom: ; deploy/sbom
bench: ; for benchmark in benchmarks/*.py; do .venv/bin/python $$benchmark; done
# Hashes and versions of everything; no index is named, so that a site's own mirror serves as well.
lock:
	uv pip compile -q pyproject.toml --universal --generate-hashes --no-header --no-emit-index-url -o requirements.lock
	uv pip compile -q pyproject.toml --group dev --universal --generate-hashes --no-header --no-emit-index-url -o requirements-dev.lock
