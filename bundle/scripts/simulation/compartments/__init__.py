"""What the bone of simulated people holds, and how that goes with the aBMD that DXA reads of it."""
