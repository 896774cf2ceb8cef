"""Works out, from what a row costs, what a run will need: pure, so that it can be checked against a simulation."""
