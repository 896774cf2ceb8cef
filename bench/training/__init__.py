"""Real runs of `trainingrun local`, watched from outside through their records and the hooks that they use."""
