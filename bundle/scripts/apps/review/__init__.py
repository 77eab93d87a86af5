"""A page in the browser on which readers look at the results of a run, correct them, and confirm or reject each hip."""
