"""The page of a study: what reporting guidelines ask for, filled in from one evaluation."""
