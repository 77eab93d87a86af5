"""What one change of a simulated patient, exposure or header does to the estimates, all else being the same."""
