"""How far a radiograph may be changed before contours and landmarks suffer."""
