"""Tools of the developer: damaged and hostile files, and how fast reading and the networks are."""
