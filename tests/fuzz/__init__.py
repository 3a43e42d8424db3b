"""Properties of whatever reads strangers' bytes, looked for by coverage (`make fuzz`); what was found is replayed in `make test`.

A target is a module here with a function `check(data)`: it returns, or an assertion or an exception is a finding. Targets must
not know the fuzzer, so that their corpus can be replayed without it.
"""
