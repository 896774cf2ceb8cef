"""What can go wrong, and whose failure it is. Stays empty: data tasks load `errors` without torch and Ray."""
