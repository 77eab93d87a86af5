"""Whether explanations depend on what a classifier has learnt, and whether what they mark matters."""
