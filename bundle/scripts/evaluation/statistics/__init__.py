"""Statistics of agreement and discrimination."""
