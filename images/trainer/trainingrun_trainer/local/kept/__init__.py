"""A Ray cluster kept ready for the next `trainingrun local`: who keeps it, who may use it, and how it is found."""
