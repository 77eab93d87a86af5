"""A reader study: people's scores of radiographs beside what the screen says of the same patients."""
