"""What the operator and the training image have agreed on."""
