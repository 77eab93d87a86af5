"""The bones and soft tissue of a simulated patient as solids, and what DXA reads of them."""
