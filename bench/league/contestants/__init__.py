"""One module per contestant, in the form that its own documentation recommends. See `bench.league.protocol`."""
