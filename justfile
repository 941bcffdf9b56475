# Everything a change has to pass. Each recipe is plain commands: without `just`, copy them.

# The tests: the fast subset of the proofs is in them.
test:
    cargo test --workspace

# The proofs in full: every schedule, every interleaving, every crash point, a file of a million rows. Minutes, not seconds.
proof:
    HEADGATE_PROOF=1 cargo test --release -p headgate-domain
    HEADGATE_PROOF=1 cargo test -p headgate-it --test crash -- --nocapture
    HEADGATE_PROOF=1 cargo test --profile bench -p consent-import --test imports -- --nocapture many_rows

# The fuzz targets, an hour each unless told otherwise: `just fuzz 600`. `fuzz/run keep` then keeps what reached
# something new.
fuzz seconds="3600":
    fuzz/run {{seconds}}

# Measures, in real time, and writes docs/benchmarks.md and docs/benchmarks-webhook.md. About twenty minutes, and as long again to build the first time.
bench:
    cargo bench -p headgate-benches

# What CI runs, from formatting to the last test.
ci:
    bash .ci/run
